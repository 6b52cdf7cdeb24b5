/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The lines of a guest's /etc/fstab. Pure: what comes in is the guest's, and whatever it is gives lines or none.
 */
#pragma once

#include <stdbool.h>

/* Fields as bytes, their octal escapes undone; they lie in the text that was given. */
typedef struct FstabLine {
        const char *device, *place, *type, *options;
} FstabLine;

/* The next line that mounts something somewhere. Moves *text on and writes into it; false at its end. */
bool fstab_next(char **text, FstabLine *ret_line);

/* Undoes \040 and the like, in place; without slashes at the end. */
void fstab_unescape(char *field);

/* It is mounted by itself when the guest starts, at a place below "/", and lies on a disk. */
bool fstab_line_is_disk(const FstabLine *line);

/* Among the options, which commas separate. */
bool fstab_line_has_option(const FstabLine *line, const char *option);
