/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading a QCOW2 header (see qcow2-header.h): big-endian numbers at fixed places.
 */
#include "qcow2-header.h"

#include <errno.h>
#include <string.h>

enum {
        AT_MAGIC = 0,
        AT_VERSION = 4,
        AT_BACKING_OFFSET = 8,
        AT_BACKING_SIZE = 16,
        AT_VIRTUAL_BYTES = 24,
        FIXED_BYTES = 72,
        MAGIC = 0x514649fb, /* "QFI" and 0xfb */
};

static uint64_t number_at(const uint8_t *data, size_t at, size_t n)
{
        uint64_t number = 0;

        for (size_t i = 0; i < n; i++)
                number = number << 8 | data[at + i];
        return number;
}

int qcow2_header_parse(const void *data, size_t size, Qcow2Header *ret_header)
{
        uint64_t offset, length;
        Qcow2Header header = {};

        if (size < FIXED_BYTES || number_at(data, AT_MAGIC, 4) != MAGIC)
                return -EBADMSG;
        header.version = (uint32_t) number_at(data, AT_VERSION, 4);
        if (header.version < 2 || header.version > 3)
                return -EBADMSG;
        header.virtual_bytes = number_at(data, AT_VIRTUAL_BYTES, 8);
        offset = number_at(data, AT_BACKING_OFFSET, 8);
        length = number_at(data, AT_BACKING_SIZE, 4);
        if (offset > 0 && length > 0) {
                if (length >= sizeof(header.backing) || offset > size || length > size - offset)
                        return -EBADMSG;
                memcpy(header.backing, (const uint8_t *) data + offset, length);
                if (strlen(header.backing) != length)
                        return -EBADMSG;
        }
        *ret_header = header;
        return 0;
}
