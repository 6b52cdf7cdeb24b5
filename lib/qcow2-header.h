/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The few fields of a QCOW2 header that tell whether a layer is linked as its manifest says. Only looks;
 * everything else about an image is qemu's to say. Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
        QCOW2_HEADER_BYTES =
                        4096, /* enough to hold what is read here of any image that qemu makes */
        QCOW2_BACKING_SIZE = 1024, /* qemu allows 1023 bytes */
        QCOW2_FORMAT_SIZE = 16,
};

/* Features that a reader must know, or leave the image alone. */
#define QCOW2_FEATURE_DIRTY         (UINT64_C(1) << 0)
#define QCOW2_FEATURE_CORRUPT       (UINT64_C(1) << 1)
#define QCOW2_FEATURE_EXTERNAL_DATA (UINT64_C(1) << 2)
#define QCOW2_FEATURE_EXTENDED_L2   (UINT64_C(1) << 4)

typedef struct Qcow2Header {
        uint32_t version;
        uint64_t virtual_bytes;
        uint64_t features; /* incompatible ones */
        uint32_t encryption, n_snapshots; /* 0: none */
        uint32_t cluster_bits, n_tables; /* and where the list of them lies; not judged */
        uint64_t tables_offset;
        char backing[QCOW2_BACKING_SIZE]; /* empty: none */
        char backing_format[QCOW2_FORMAT_SIZE]; /* empty: not told; cut when it is longer */
} Qcow2Header;

/* -EBADMSG: it is no QCOW2 of version 2 or 3, or its link or its extensions lie beyond the bytes given. */
int qcow2_header_parse(const void *data, size_t size, Qcow2Header *ret_header);
