/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The strict reader of ELF notes (see elf-note.h). Program headers only, because section headers may
 * be stripped; no allocation, one buffer of fixed size.
 */
#include "elf-note.h"

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <string.h>

typedef ElfW(Ehdr) ElfHeader;
typedef ElfW(Phdr) ElfSegment;
typedef ElfW(Nhdr) ElfNote;

enum {
        ELF_CLASS = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32,
        ELF_ORDER = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB,
};

static uint64_t align_up(uint64_t value, uint64_t align)
{
        return (value + align - 1) & ~(align - 1);
}

/* One note at the start of a segment: header, name, padding, data. All sizes are 32 bits wide, so
 * that sums in 64 bits cannot wrap. *ret_used never passes size. */
static int visit_note(const uint8_t *notes, size_t size, size_t align, ElfNoteVisitor visit,
                      void *userdata, size_t *ret_used)
{
        const char *owner = (const char *) notes + sizeof(ElfNote);
        uint64_t data_at, end;
        ElfNote note;

        if (size < sizeof(note))
                return -EBADMSG;
        memcpy(&note, notes, sizeof(note));

        data_at = align_up(sizeof(note) + (uint64_t) note.n_namesz, align);
        end = data_at + note.n_descsz;
        if (data_at > size || end > size)
                return -EBADMSG;
        /* The padding of the last note may be missing. */
        *ret_used = align_up(end, align) > size ? size : (size_t) align_up(end, align);

        if (note.n_namesz == 0 || owner[note.n_namesz - 1] != '\0')
                return 0; /* allowed, but nobody whom we look for */
        return visit(owner, note.n_type, notes + data_at, note.n_descsz, userdata);
}

int elf_walk_notes(const uint8_t *notes, size_t size, size_t align, ElfNoteVisitor visit,
                   void *userdata)
{
        size_t used;
        int r;

        for (; size > 0; notes += used, size -= used) {
                r = visit_note(notes, size, align == 8 ? 8 : 4, visit, userdata, &used);
                if (r != 0)
                        return r;
        }
        return 0;
}

static int read_header(ElfRead read, void *source, ElfHeader *ret_header)
{
        ElfHeader header;
        int r;

        r = read(source, 0, &header, sizeof(header));
        if (r == -ENODATA)
                return -ENOEXEC;
        if (r < 0)
                return r;

        if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELF_CLASS ||
            header.e_ident[EI_DATA] != ELF_ORDER ||
            (header.e_type != ET_EXEC && header.e_type != ET_DYN))
                return -ENOEXEC;
        if (header.e_phentsize != sizeof(ElfSegment) || header.e_phnum > ELF_SEGMENTS_MAX)
                return -EBADMSG;

        *ret_header = header;
        return 0;
}

int elf_walk_file(ElfRead read, void *source, ElfNoteVisitor visit, void *userdata)
{
        uint8_t notes[ELF_NOTES_SIZE_MAX];
        ElfHeader header;
        int r;

        r = read_header(read, source, &header);
        if (r < 0)
                return r;

        for (size_t i = 0; i < header.e_phnum; i++) {
                ElfSegment segment;
                uint64_t at;

                if (__builtin_add_overflow(header.e_phoff, i * sizeof(segment), &at))
                        return -EBADMSG;
                r = read(source, at, &segment, sizeof(segment));
                if (r == 0 && segment.p_type == PT_NOTE) {
                        if (segment.p_filesz > sizeof(notes))
                                return -EBADMSG;
                        r = read(source, segment.p_offset, notes, segment.p_filesz);
                        if (r == 0)
                                r = elf_walk_notes(notes, segment.p_filesz, segment.p_align, visit,
                                                   userdata);
                }
                if (r != 0)
                        return r == -ENODATA ? -EBADMSG : r;
        }
        return 0;
}
