/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The text descriptor of a VMDK, read for one question: is this disk one flat file that can be read as
 * raw bytes? Only a plain "yes" is one. Deltas, sparse formats, vSAN and vVol objects, raw mappings,
 * encryption and whatever is not understood are refused with the reason, because a file that is read as
 * raw and is not gives a backup of garbage. Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
        VMDK_DESCRIPTOR_SIZE_MAX = 64 * 1024,
        VMDK_EXTENT_NAME_SIZE = 512,
        VMDK_ERROR_SIZE = 256,
};

typedef struct VmdkDescriptor {
        char extent[VMDK_EXTENT_NAME_SIZE]; /* the flat file: a name in the descriptor's folder */
        uint64_t size_bytes;
} VmdkDescriptor;

/* 0; or with one line of printable text in ret_error, without a dot at its end and fit to follow "the disk
 * cannot be read over HTTPS: ": -EOPNOTSUPP: the disk is of a kind that is not one flat file;
 * -EBADMSG: this is no descriptor, or one that contradicts itself; -ERANGE: it is flat, and not of
 * capacity_bytes. */
int vmdk_descriptor_parse(const char *data, size_t size, uint64_t capacity_bytes,
                          VmdkDescriptor *ret_descriptor, char ret_error[static VMDK_ERROR_SIZE]);
