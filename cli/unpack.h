/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A tar stream of a guest's files, unpacked below a folder and nowhere else: no name leads out of it, no link is followed, nothing that is
 * there is touched, and what a file system of a stranger should not make here (device nodes, programs that run as somebody else) is left
 * out unless it was asked for by somebody who may.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct Unpack {
        int folder; /* the top; borrowed */
        bool devices; /* make these too */
        bool is_root; /* owners are kept, too */
        uint64_t files, bytes;
        uint64_t refused; /* each was complained about */
        uint64_t devices_left_out;
} Unpack;

/* All that comes from fd. 0, or a negative errno for a stream that is none or is over too early. */
int unpack_stream(Unpack *unpack, int fd);
