/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Strict readers of numbers and time spans. Every integer that comes from outside (config, argv,
 * bus, files) goes through here: no sign, no blanks, no leading zeros, no wrap-around.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define USEC_PER_MSEC UINT64_C(1000)
#define USEC_PER_SEC  UINT64_C(1000000)

/* Decimal digits only, min <= value <= max. -EINVAL: not a number; -ERANGE: out of bounds. */
int parse_uint64(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value);

/* 1..65535. Errors as above. */
int parse_port(const char *text, uint16_t *ret_port);

/* "yes", "no" and nothing else. -EINVAL otherwise. */
int parse_bool(const char *text, bool *ret_value);

/* One number with one unit: ms, s, min, h, d; a bare number means seconds, as in systemd's …Sec=
 * settings. The product is checked. Errors as parse_uint64(); bounds are in microseconds. */
int parse_span_usec(const char *text, uint64_t min_usec, uint64_t max_usec, uint64_t *ret_usec);

/* One number of bytes with one unit: K, M, G or T, of 1024 each; a bare number means bytes. The product
 * is checked. Errors as parse_uint64(). */
int parse_size(const char *text, uint64_t min, uint64_t max, uint64_t *ret_bytes);

/* Log level by its syslog name: emerg … debug. -EINVAL otherwise. */
int parse_log_level(const char *text, int *ret_level);
const char *log_level_to_string(int level);
