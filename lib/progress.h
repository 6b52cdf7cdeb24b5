/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How far the copy of one disk is, as one datagram of JSON from a copy unit to its daemon. Counters are
 * absolute, so that a lost datagram costs nothing. Copiers make them, daemons read them; the reader
 * trusts nothing. Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
        PROGRESS_TEXT_SIZE = 160, /* of any datagram that is made, with its NUL */
        PROGRESS_SIZE_MAX = 256, /* a longer datagram is none of ours */
};

#define PROGRESS_BYTES_MAX ((uint64_t) INT64_MAX)

typedef struct Progress {
        uint64_t job; /* 1..JOB_NUMBER_MAX */
        uint32_t disk_key; /* 1..DISK_KEY_MAX */
        uint64_t bytes_done; /* 0..bytes_total */
        uint64_t bytes_total; /* 0..PROGRESS_BYTES_MAX */
} Progress;

/* The text of a datagram. -EINVAL when a member is out of its bounds, so that the reader would refuse
 * it. */
int progress_make(const Progress *progress, char ret_text[static PROGRESS_TEXT_SIZE]);

/* Exactly one JSON object with exactly the four members, integers within their bounds. -EMSGSIZE when
 * it is too long, -EBADMSG for everything else. */
int progress_parse(const char *data, size_t size, Progress *ret_progress);
