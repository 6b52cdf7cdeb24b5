/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finds notes in ELF programs of this machine's kind: who built a file, and from what. The bytes are
 * foreign, so every offset and size is checked and every count is bounded. Pure: the bytes come from
 * a function that the caller gives. Called by build-id.c.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
        ELF_SEGMENTS_MAX = 64,
        ELF_NOTES_SIZE_MAX = 16 * 1024, /* of one segment of notes */
};

/* Copies size bytes at offset to buffer, all of them: 0, or a negative errno. -ENODATA when there are
 * fewer. */
typedef int (*ElfRead)(void *source, uint64_t offset, void *buffer, size_t size);

/* Gets each note; owner is NUL-terminated. A value other than 0 ends the search and is its result. */
typedef int (*ElfNoteVisitor)(const char *owner, uint32_t type, const uint8_t *data, size_t size,
                              void *userdata);

/* Walks the notes of one segment that is in memory. 0 when the visitor never ended it; -EBADMSG when
 * a note reaches beyond the segment. align is the segment's: 4, or 8. */
int elf_walk_notes(const uint8_t *notes, size_t size, size_t align, ElfNoteVisitor visit,
                   void *userdata);

/* Walks all segments of notes of a file. -ENOEXEC: no ELF program of this machine's kind; -EBADMSG:
 * one that contradicts itself or passes a limit above. */
int elf_walk_file(ElfRead read, void *source, ElfNoteVisitor visit, void *userdata);
