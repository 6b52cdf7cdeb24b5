/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The set of files (see made.h).
 */
#include "made.h"

#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdlib.h>
#include <sys/stat.h>

typedef struct MadeFile {
        dev_t device;
        ino_t inode;
} MadeFile;

static int compare(const void *a, const void *b)
{
        const MadeFile *x = a, *y = b;

        if (x->device != y->device)
                return x->device < y->device ? -1 : 1;
        return x->inode == y->inode ? 0 : x->inode < y->inode ? -1 : 1;
}

void made_done(Made *made)
{
        tdestroy(made->files, free);
        made->files = NULL;
}

static int identify(int folder, const char *name, MadeFile *ret_file)
{
        int flags = AT_SYMLINK_NOFOLLOW | (*name ? 0 : AT_EMPTY_PATH);
        struct stat st;

        if (fstatat(folder, name, &st, flags) < 0)
                return -errno;
        *ret_file = (MadeFile){ st.st_dev, st.st_ino };
        return 0;
}

int made_add(Made *made, int folder, const char *name)
{
        MadeFile key, *file, **found;
        int r = identify(folder, name, &key);

        if (r < 0)
                return r;
        found = tsearch(&key, &made->files, compare);
        if (!found)
                return -ENOMEM;
        if (*found != &key)
                return 0; /* it is there */
        file = malloc(sizeof(*file));
        if (!file) {
                (void) tdelete(&key, &made->files, compare);
                return -ENOMEM;
        }
        *file = key;
        *found = file;
        return 0;
}

int made_has(const Made *made, int folder, const char *name)
{
        MadeFile key;
        int r = identify(folder, name, &key);

        return r < 0 ? r : tfind(&key, &made->files, compare) != NULL;
}
