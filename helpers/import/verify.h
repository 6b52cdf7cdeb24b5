/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * After the copy of one disk: the target is still the same server instance, and, unless told
 * otherwise, every byte of it is read back and compared with the source, because a server can lose a
 * write and report success (bench/README.md has one that does). A process of its own beside the
 * copies of other disks; it ends with its parent.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct VerifyRequest {
        const char *source;
        const char *target;
        uint64_t capacity_bytes;
        const char *invocation_id;
        bool compare;
        int progress_fd; /* gets lines "N/100", as nbdcopy writes them */
} VerifyRequest;

/* 0 when they are alike; otherwise a negative errno, and one line on stderr says why. */
int verify_run(const VerifyRequest *request);
