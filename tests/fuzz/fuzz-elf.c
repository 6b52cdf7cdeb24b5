/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The reader of ELF notes under any file: what it finds is short printable text, or it refuses.
 */
#include "fuzz.h"

#include "build-id.h"
#include "elf-note.h"

#include <errno.h>
#include <string.h>

typedef struct Bytes {
        const uint8_t *data;
        size_t size;
} Bytes;

static int read_bytes(void *source, uint64_t offset, void *buffer, size_t size)
{
        const Bytes *bytes = source;

        if (offset > bytes->size || size > bytes->size - offset)
                return -ENODATA;
        memcpy(buffer, bytes->data + offset, size);
        return 0;
}

static void check_text(const char *text)
{
        MUST(strnlen(text, BUILD_TEXT_SIZE) < BUILD_TEXT_SIZE);
        for (; *text; text++)
                MUST(*text > ' ' && *text <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        BuildIdentity identity = {};
        Bytes bytes = { data, size };
        int r;

        r = elf_walk_file(read_bytes, &bytes, build_identity_add_note, &identity);
        MUST(r == 0 || r == -ENOEXEC || r == -EBADMSG);
        if (r == 0) {
                check_text(identity.version);
                check_text(identity.commit);
                check_text(identity.id);
                MUST((identity.version[0] == '\0') == (identity.commit[0] == '\0'));
        }
        (void) elf_walk_notes(data, size, 8, build_identity_add_note, &identity);
        return 0;
}
