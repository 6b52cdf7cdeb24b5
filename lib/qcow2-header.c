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
        AT_CLUSTER_BITS = 20,
        AT_VIRTUAL_BYTES = 24,
        AT_ENCRYPTION = 32,
        AT_N_TABLES = 36,
        AT_TABLES_OFFSET = 40,
        AT_SNAPSHOTS = 60,
        FIXED_BYTES = 72, /* all of version 2 */
        AT_FEATURES = 72,
        AT_HEADER_BYTES = 100,
        FIXED_BYTES_3 = 104,
        EXTENSION_HEAD_BYTES = 8, /* type and length; what follows is a multiple of this */
        MAGIC = 0x514649fb, /* "QFI" and 0xfb */
        EXTENSION_END = 0,
};

#define EXTENSION_BACKING_FORMAT UINT64_C(0xe2792aca)

static uint64_t number_at(const uint8_t *data, size_t at, size_t n)
{
        uint64_t number = 0;

        for (size_t i = 0; i < n; i++)
                number = number << 8 | data[at + i];
        return number;
}

/* What stands in version 3 alone. */
static int read_version_3(const uint8_t *data, size_t size, Qcow2Header *header,
                          uint64_t *ret_header_bytes)
{
        if (size < FIXED_BYTES_3)
                return -EBADMSG;
        header->features = number_at(data, AT_FEATURES, 8);
        *ret_header_bytes = number_at(data, AT_HEADER_BYTES, 4);
        return *ret_header_bytes < FIXED_BYTES_3 ? -EBADMSG : 0;
}

static void keep_format(Qcow2Header *header, const uint8_t *data, size_t length)
{
        if (length >= sizeof(header->backing_format))
                length = sizeof(header->backing_format) - 1;
        memcpy(header->backing_format, data, length);
        header->backing_format[length] = '\0';
}

static int read_extensions(const uint8_t *data, size_t size, uint64_t at, Qcow2Header *header)
{
        for (;;) {
                uint64_t type, length;

                if (at > size || size - at < EXTENSION_HEAD_BYTES)
                        return -EBADMSG;
                type = number_at(data, at, 4);
                length = number_at(data, at + 4, 4);
                at += EXTENSION_HEAD_BYTES;
                if (type == EXTENSION_END)
                        return 0;
                if (length > size - at)
                        return -EBADMSG;
                if (type == EXTENSION_BACKING_FORMAT)
                        keep_format(header, data + at, length);
                at += (length + EXTENSION_HEAD_BYTES - 1) / EXTENSION_HEAD_BYTES *
                      EXTENSION_HEAD_BYTES;
        }
}

int qcow2_header_parse(const void *data, size_t size, Qcow2Header *ret_header)
{
        uint64_t offset, length, header_bytes = FIXED_BYTES;
        Qcow2Header header = {};
        int r = 0;

        if (size < FIXED_BYTES || number_at(data, AT_MAGIC, 4) != MAGIC)
                return -EBADMSG;
        header.version = (uint32_t) number_at(data, AT_VERSION, 4);
        if (header.version < 2 || header.version > 3)
                return -EBADMSG;
        header.virtual_bytes = number_at(data, AT_VIRTUAL_BYTES, 8);
        header.encryption = (uint32_t) number_at(data, AT_ENCRYPTION, 4);
        header.n_snapshots = (uint32_t) number_at(data, AT_SNAPSHOTS, 4);
        header.cluster_bits = (uint32_t) number_at(data, AT_CLUSTER_BITS, 4);
        header.n_tables = (uint32_t) number_at(data, AT_N_TABLES, 4);
        header.tables_offset = number_at(data, AT_TABLES_OFFSET, 8);
        if (header.version == 3)
                r = read_version_3(data, size, &header, &header_bytes);
        if (r >= 0)
                r = read_extensions(data, size, header_bytes, &header);
        if (r < 0)
                return r;
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
