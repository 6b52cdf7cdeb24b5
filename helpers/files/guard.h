/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What must not last: an appliance that does not start, a file system that never answers, a reader that takes nothing. Whoever
 * begins such a thing says until when it must be over and what it was; when that passes, the program ends with that as its result.
 */
#pragma once

/* The result goes to this descriptor. Once, at the start. */
void guard_init(int result_fd);

/* From now on seconds are left, and then it failed for this reason: a name of the bus and one line, which are kept as text. */
void guard_set(unsigned seconds, const char *name, const char *format, ...)
                __attribute__((format(printf, 3, 4)));

/* The same seconds once more: it has come further. */
void guard_again(void);

void guard_clear(void);
