/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names of files as text: in a guest a name is bytes, and may hold a newline, an escape code of a terminal or no UTF-8; on the bus, in
 * JSON and on a terminal it must be a harmless line. '\' begins \\, \n, \t or \xHH; all else stands for itself. What one shows the
 * other takes. Pure.
 */
#pragma once

/* For free(); NULL when out of memory. */
char *path_text_from_bytes(const char *bytes);

/* -EINVAL: a '\' begins something else, or stands for a NUL; -ENOMEM. *ret_bytes is the caller's. */
int path_text_to_bytes(const char *text, char **ret_bytes);
