/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A second file with the content of a first one, for a merge that must not touch the first: sharing its blocks where
 * the file system can, else a copy that keeps holes.
 */
#pragma once

#include <stdint.h>

/* Makes the file `to` in a folder, mode 0600, in place of one that is there, from `from`. Not synced. *ret_fd is the
 * caller's. */
int clone_file(int folder, const char *from, const char *to, int *ret_fd);
