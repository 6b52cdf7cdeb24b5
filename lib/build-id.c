/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Version, commit and build id (see build-id.h). Version and commit stand in an ELF note of our own
 * beside the linker's, so that another program can read both from the file without running it.
 */
#include "build-id.h"

#include "build-config.h"
#include "cleanup.h"
#include "elf-note.h"
#include "version.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define NOTE_OWNER     "sendense"
#define NOTE_TYPE      1
#define NOTE_OWNER_GNU "GNU"

/* clang's address sanitizer puts bytes of its own behind a global, and the section would be no list of
 * notes any more. gcc's leaves globals with a section alone and does not know the attribute here. */
#ifdef __clang__
#define NOTE_ALONE __attribute__((no_sanitize("address")))
#else
#define NOTE_ALONE
#endif

/* "version\0commit\0", as every program of ours carries it. */
NOTE_ALONE static const struct {
        uint32_t n_owner, n_data, type;
        char owner[(sizeof(NOTE_OWNER) + 3) / 4 * 4];
        char data[sizeof(SENDENSE_VERSION "\0" SENDENSE_COMMIT)];
} build_note __attribute__((section(".note.sendense"), used, aligned(4))) = {
        .n_owner = sizeof(NOTE_OWNER),
        .n_data = sizeof(SENDENSE_VERSION "\0" SENDENSE_COMMIT),
        .type = NOTE_TYPE,
        .owner = NOTE_OWNER,
        .data = SENDENSE_VERSION "\0" SENDENSE_COMMIT,
};
_Static_assert(sizeof(SENDENSE_VERSION) <= BUILD_TEXT_SIZE, "the version is too long");
_Static_assert(sizeof(SENDENSE_COMMIT) <= BUILD_TEXT_SIZE, "the commit is too long");
_Static_assert(BUILD_ID_BYTES_MAX * 2 < BUILD_TEXT_SIZE, "the build id would not fit");

/* Copies the text at the start of data, which must end within it and be plain printable ASCII. The
 * number of bytes used, or -EBADMSG. */
static ssize_t take_text(const uint8_t *data, size_t size, char ret_text[static BUILD_TEXT_SIZE])
{
        const uint8_t *end = memchr(data, '\0', size);
        size_t n;

        if (!end || end - data >= BUILD_TEXT_SIZE)
                return -EBADMSG;
        n = (size_t) (end - data);
        for (size_t i = 0; i < n; i++)
                if (data[i] <= ' ' || data[i] > '~')
                        return -EBADMSG;
        memcpy(ret_text, data, n + 1);
        return (ssize_t) n + 1;
}

static int add_our_note(const uint8_t *data, size_t size, BuildIdentity *identity)
{
        ssize_t n, m;

        n = take_text(data, size, identity->version);
        if (n <= 1)
                return -EBADMSG;
        m = take_text(data + n, size - (size_t) n, identity->commit);
        return m <= 1 || (size_t) (n + m) != size ? -EBADMSG : 0;
}

int build_identity_add_note(const char *owner, uint32_t type, const uint8_t *data, size_t size,
                            void *userdata)
{
        static const char digits[] = "0123456789abcdef";
        BuildIdentity *identity = userdata;

        if (strcmp(owner, NOTE_OWNER) == 0 && type == NOTE_TYPE)
                return add_our_note(data, size, identity);
        if (strcmp(owner, NOTE_OWNER_GNU) != 0 || type != NT_GNU_BUILD_ID)
                return 0;

        if (size == 0 || size > BUILD_ID_BYTES_MAX)
                return -EBADMSG;
        for (size_t i = 0; i < size; i++) {
                identity->id[2 * i] = digits[data[i] >> 4];
                identity->id[2 * i + 1] = digits[data[i] & 0x0f];
        }
        identity->id[2 * size] = '\0';
        return 0;
}

static BuildIdentity own_identity;

static int visit_program(struct dl_phdr_info *info, size_t size, void *userdata)
{
        (void) size;
        for (size_t i = 0; i < info->dlpi_phnum; i++) {
                const ElfW(Phdr) *segment = info->dlpi_phdr + i;
                const void *notes = (const void *) (info->dlpi_addr + segment->p_vaddr);

                if (segment->p_type == PT_NOTE)
                        (void) elf_walk_notes(notes, segment->p_memsz, segment->p_align,
                                              build_identity_add_note, userdata);
        }
        return 1; /* the program itself comes first, its libraries do not matter */
}

static void find_own_identity(void)
{
        (void) dl_iterate_phdr(visit_program, &own_identity);
}

const char *build_version(void)
{
        return build_note.data;
}

const char *build_commit(void)
{
        return build_note.data + sizeof(SENDENSE_VERSION);
}

const char *build_id(void)
{
        static pthread_once_t once = PTHREAD_ONCE_INIT;

        (void) pthread_once(&once, find_own_identity);
        return own_identity.id;
}

static int read_at(void *source, uint64_t offset, void *buffer, size_t size)
{
        const int *fd = source;

        while (size > 0) {
                ssize_t n;

                if (offset > INT64_MAX - size)
                        return -ENODATA;
                n = pread(*fd, buffer, size, (off_t) offset);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : -ENODATA;
                buffer = (char *) buffer + n;
                offset += (uint64_t) n;
                size -= (size_t) n;
        }
        return 0;
}

int build_identity_of_file(const char *path, BuildIdentity *ret_identity)
{
        BuildIdentity identity = {};
        _cleanup_close_ int fd = -1;
        int r;

        /* O_NONBLOCK: a FIFO in the way must not hold us up. */
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0)
                return -errno;
        r = elf_walk_file(read_at, &fd, build_identity_add_note, &identity);
        if (r < 0)
                return r;
        if (identity.version[0] == '\0')
                return -ENODATA;

        *ret_identity = identity;
        return 0;
}

int build_write_version(FILE *f, const char *program)
{
        const char *id = build_id();

        if (fprintf(f, "%s %s (commit %s, build-id %s)\n", program, build_version(), build_commit(),
                    *id ? id : "none") < 0)
                return -EIO;
        return 0;
}

void build_print_version(const char *program)
{
        (void) build_write_version(stdout, program);
}
