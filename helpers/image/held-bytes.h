/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The bytes that layers hold (see held.h): read, compared with those of another image, or written into it. Nothing else of
 * the disk is touched. Used by merges.
 */
#pragma once

#include "held.h"

/* What is read of `from` is what its begun runs (held_begin()) are. */

/* Reads the runs in blocks of block_bytes that are not set in `left_out`, so that what cannot be read is known. NULL: all. */
int held_read(Held *from, uint64_t block_bytes, const bool *left_out, Failure *failure);

/* 1: `to` reads otherwise, at *ret_offset for one. */
int held_compare(Held *from, Held *to, uint64_t *ret_offset, Failure *failure);

/* Writes them into `to`; zeroes become zeroes that take no room. */
int held_write(Held *from, Held *to, Failure *failure);
