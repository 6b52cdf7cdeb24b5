/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What one run of unpacking has made, by device and inode: only that may be linked to or changed later.
 */
#pragma once

typedef struct Made {
        void *files; /* a tree */
} Made;

void made_done(Made *made);

/* Of a name in a folder; an empty one is what folder itself has open. made_has() gives 1, 0 or a negative errno. */
int made_add(Made *made, int folder, const char *name);
int made_has(const Made *made, int folder, const char *name);
