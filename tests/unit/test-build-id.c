/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lib/build-id and lib/elf-note: this test reads itself both ways, then ELF files with one wrong thing
 * each.
 */
#include "unit.h"

#include "build-id.h"
#include "cleanup.h"
#include "elf-note.h"

#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

static void own_file(void **state)
{
        BuildIdentity identity = {};

        (void) state;
        assert_int_equal(build_identity_of_file("/proc/self/exe", &identity), 0);
        assert_string_equal(identity.version, build_version());
        assert_string_equal(identity.commit, build_commit());
        assert_string_equal(identity.id, build_id());
        assert_int_equal(strlen(build_id()), 40); /* SHA-1, as meson.build asks the linker for */
        assert_int_equal(strspn(build_id(), "0123456789abcdef"), 40);
        assert_true(strlen(build_commit()) > 0);
}

static void version_line(void **state)
{
        _cleanup_free_ char *text = NULL, *want = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&text, &size);

        (void) state;
        assert_non_null(f);
        assert_int_equal(build_write_version(f, "sendense-x"), 0);
        assert_int_equal(fclose(f), 0);
        assert_true(asprintf(&want, "sendense-x %s (commit %s, build-id %s)\n", build_version(),
                             build_commit(), build_id()) > 0);
        assert_string_equal(text, want);
        f = fopen("/dev/full", "we");
        assert_non_null(f);
        (void) setvbuf(f, NULL, _IONBF, 0);
        assert_int_equal(build_write_version(f, "sendense-x"), -EIO);
        (void) fclose(f);
}

static void other_files(void **state)
{
        BuildIdentity identity = { .version = "untouched" };
        _cleanup_free_ char *folder = unit_folder(), *path = unit_path(folder, "f");

        (void) state;
        assert_int_equal(build_identity_of_file(folder, &identity), -EISDIR);
        assert_int_equal(build_identity_of_file(path, &identity), -ENOENT);
        unit_write(path, "", 0, 0600);
        assert_int_equal(build_identity_of_file(path, &identity), -ENOEXEC);
        unit_write(path, "#!/bin/sh\n", 10, 0600);
        assert_int_equal(build_identity_of_file(path, &identity), -ENOEXEC);
        assert_int_equal(build_identity_of_file("/bin/sh", &identity), -ENODATA);
        assert_string_equal(identity.version, "untouched");
}

/* A whole program: header, one segment, its notes. */
typedef struct Image {
        ElfW(Ehdr) header;
        ElfW(Phdr) segment;
        struct {
                ElfW(Nhdr) header;
                char owner[12];
                char data[8];
        } ours;
        struct {
                ElfW(Nhdr) header;
                char owner[4];
                uint8_t data[4];
        } gnu;
} Image;

/* Without what the compiler pads the structure with. */
#define IMAGE_SIZE (offsetof(Image, gnu) + sizeof(((Image *) NULL)->gnu))

static Image image_new(void)
{
        return (Image){
                .header = {
                        .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3,
                                     sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32,
                                     __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB :
                                                                                 ELFDATA2MSB },
                        .e_type = ET_DYN,
                        .e_phoff = offsetof(Image, segment),
                        .e_phentsize = sizeof(ElfW(Phdr)),
                        .e_phnum = 1,
                },
                .segment = {
                        .p_type = PT_NOTE,
                        .p_offset = offsetof(Image, ours),
                        .p_filesz = IMAGE_SIZE - offsetof(Image, ours),
                        .p_align = 4,
                },
                .ours = { { 9, 8, 1 }, "sendense", "1.2\0abc" },
                .gnu = { { 4, 4, NT_GNU_BUILD_ID }, "GNU", { 0x12, 0xab, 0, 0xff } },
        };
}

typedef struct Bytes {
        const void *data;
        size_t size;
} Bytes;

static int read_bytes(void *source, uint64_t offset, void *buffer, size_t size)
{
        const Bytes *bytes = source;

        if (offset > bytes->size || size > bytes->size - offset)
                return -ENODATA;
        memcpy(buffer, (const char *) bytes->data + offset, size);
        return 0;
}

static int image_read_cut(const Image *image, size_t size, BuildIdentity *identity)
{
        Bytes bytes = { image, size };

        *identity = (BuildIdentity){};
        return elf_walk_file(read_bytes, &bytes, build_identity_add_note, identity);
}

static int image_read(const Image *image)
{
        BuildIdentity identity;

        return image_read_cut(image, IMAGE_SIZE, &identity);
}

static void made_image(void **state)
{
        Image image = image_new();
        BuildIdentity identity;

        (void) state;
        assert_int_equal(image_read_cut(&image, IMAGE_SIZE, &identity), 0);
        assert_string_equal(identity.version, "1.2");
        assert_string_equal(identity.commit, "abc");
        assert_string_equal(identity.id, "12ab00ff");
        for (size_t size = 0; size < IMAGE_SIZE; size++)
                assert_true(image_read_cut(&image, size, &identity) < 0);
}

#define EXPECT_WRONG(member, value, want)                    \
        do {                                                 \
                Image _image = image_new();                  \
                                                             \
                _image.member = (value);                     \
                assert_int_equal(image_read(&_image), want); \
        } while (0)

static void wrong_headers(void **state)
{
        (void) state;
        EXPECT_WRONG(header.e_ident[0], 0, -ENOEXEC);
        EXPECT_WRONG(header.e_ident[EI_CLASS], 3, -ENOEXEC);
        EXPECT_WRONG(header.e_ident[EI_DATA], 3, -ENOEXEC);
        EXPECT_WRONG(header.e_type, ET_REL, -ENOEXEC);
        EXPECT_WRONG(header.e_phentsize, 1, -EBADMSG);
        EXPECT_WRONG(header.e_phnum, ELF_SEGMENTS_MAX + 1, -EBADMSG);
        EXPECT_WRONG(header.e_phnum, 0, 0);
        EXPECT_WRONG(header.e_phoff, UINT64_MAX, -EBADMSG);
        EXPECT_WRONG(header.e_phoff, IMAGE_SIZE, -EBADMSG);
        EXPECT_WRONG(segment.p_offset, UINT64_MAX, -EBADMSG);
        EXPECT_WRONG(segment.p_offset, IMAGE_SIZE, -EBADMSG);
        EXPECT_WRONG(segment.p_filesz, UINT64_MAX, -EBADMSG);
        EXPECT_WRONG(segment.p_filesz, ELF_NOTES_SIZE_MAX + 1, -EBADMSG);
        EXPECT_WRONG(segment.p_filesz, ELF_NOTES_SIZE_MAX, -EBADMSG); /* the file is shorter */
        EXPECT_WRONG(segment.p_filesz, 5, -EBADMSG);
        EXPECT_WRONG(segment.p_align, 0, 0);
        EXPECT_WRONG(segment.p_align, UINT64_MAX, 0);
        EXPECT_WRONG(segment.p_type, PT_LOAD, 0);
}

static void wrong_notes(void **state)
{
        (void) state;
        EXPECT_WRONG(ours.header.n_namesz, UINT32_MAX, -EBADMSG);
        EXPECT_WRONG(ours.header.n_descsz, UINT32_MAX, -EBADMSG);
        EXPECT_WRONG(ours.header.n_descsz, 7, -EBADMSG); /* the commit does not end */
        EXPECT_WRONG(ours.header.n_descsz, 0, -EBADMSG);
        EXPECT_WRONG(ours.header.n_type, 2, 0); /* a note that another version of ours may have */
        EXPECT_WRONG(ours.owner[8], 'x', 0);
        EXPECT_WRONG(ours.data[0], '\0', -EBADMSG); /* no version */
        EXPECT_WRONG(ours.data[0], '\n', -EBADMSG);
        EXPECT_WRONG(ours.data[0], '\xff', -EBADMSG);
        EXPECT_WRONG(ours.data[3], 'x', -EBADMSG); /* one text only */
        EXPECT_WRONG(ours.data[4], '\0', -EBADMSG);
        EXPECT_WRONG(gnu.header.n_descsz, 0, -EBADMSG);
        EXPECT_WRONG(gnu.header.n_descsz, 5, -EBADMSG);
        EXPECT_WRONG(gnu.header.n_type, 7, 0);
        EXPECT_WRONG(gnu.owner[3], 'x', 0);
}

/* A file of n segments, the last of which holds one note that fills n_notes bytes. */
static int read_large(size_t n, size_t n_notes)
{
        size_t n_head = sizeof(ElfW(Ehdr)) + n * sizeof(ElfW(Phdr)), size = n_head + n_notes;
        _cleanup_free_ char *data = calloc(1, size);
        BuildIdentity identity = {};
        Bytes bytes = { data, size };
        ElfW(Ehdr) header = image_new().header;
        ElfW(Phdr) segment = image_new().segment;
        ElfW(Nhdr) note = { 4, (uint32_t) (n_notes - sizeof(note) - 4), 1 };

        assert_non_null(data);
        header.e_phoff = sizeof(header);
        header.e_phnum = (uint16_t) n;
        segment.p_offset = n_head;
        segment.p_filesz = n_notes;
        memcpy(data, &header, sizeof(header));
        memcpy(data + n_head - sizeof(segment), &segment, sizeof(segment));
        memcpy(data + n_head, &note, sizeof(note));
        return elf_walk_file(read_bytes, &bytes, build_identity_add_note, &identity);
}

static void most_segments_and_notes(void **state)
{
        (void) state;
        assert_int_equal(read_large(ELF_SEGMENTS_MAX, 100), 0);
        assert_int_equal(read_large(ELF_SEGMENTS_MAX + 1, 100), -EBADMSG);
        assert_int_equal(read_large(1, ELF_NOTES_SIZE_MAX), 0);
        assert_int_equal(read_large(1, ELF_NOTES_SIZE_MAX + 1), -EBADMSG);
}

static void longest_texts(void **state)
{
        _cleanup_free_ char *id32 = unit_repeat('\x01', BUILD_ID_BYTES_MAX + 1);
        char data[2 * BUILD_TEXT_SIZE + 2];
        BuildIdentity identity = {};

        (void) state;
        assert_int_equal(build_identity_add_note("GNU", NT_GNU_BUILD_ID, (uint8_t *) id32,
                                                 BUILD_ID_BYTES_MAX, &identity),
                         0);
        assert_int_equal(strlen(identity.id), 64);
        assert_int_equal(build_identity_add_note("GNU", NT_GNU_BUILD_ID, (uint8_t *) id32,
                                                 BUILD_ID_BYTES_MAX + 1, &identity),
                         -EBADMSG);

        memset(data, 'a', sizeof(data));
        data[64] = data[129] = '\0';
        assert_int_equal(build_identity_add_note("sendense", 1, (uint8_t *) data, 130, &identity),
                         0);
        assert_int_equal(strlen(identity.version), 64);
        data[64] = 'a';
        data[65] = '\0';
        assert_int_equal(build_identity_add_note("sendense", 1, (uint8_t *) data, 130, &identity),
                         -EBADMSG);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(own_file),      cmocka_unit_test(version_line),
                cmocka_unit_test(other_files),   cmocka_unit_test(made_image),
                cmocka_unit_test(wrong_headers), cmocka_unit_test(wrong_notes),
                cmocka_unit_test(longest_texts), cmocka_unit_test(most_segments_and_notes),
        };

        return RUN_TESTS(tests);
}
