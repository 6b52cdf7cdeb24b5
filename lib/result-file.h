/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a copy or image unit leaves behind when it ends: one JSON object in a durable file, which its
 * owner stores before it stops the unit. The reader trusts nothing: a helper may be another version,
 * or broken.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

enum {
        RESULT_SIZE_MAX = 256 * 1024,
        RESULT_COPY_MAX = 16 * 1024 * 1024, /* of a copy: digests of 60 disks */
        RESULT_DEPTH_MAX = 8, /* objects and arrays within each other */
};

/* Writes an object durably (see small_file_write()), mode 0640. -EINVAL when it is none; -EFBIG or
 * -ELOOP when it would pass a limit, because nobody could read it. */
int result_file_write(const char *path, const json_t *result);

/* Reads one. -EBADMSG when it is not exactly one JSON object without repeated keys; -EFBIG and -ELOOP
 * beyond a limit; others from the file. *ret_result is the caller's reference. */
int result_file_read(const char *path, json_t **ret_result);

/* The same for text in memory. */
int result_parse(const char *text, size_t size, json_t **ret_result);

/* The same with another limit than RESULT_SIZE_MAX, for other files that hold one object. */
int result_parse_within(const char *text, size_t size, size_t max_size, json_t **ret_result);
