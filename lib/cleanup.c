/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The two destructors of cleanup.h that are too long for a header. They keep errno: they run on the
 * way out of functions that are about to report it.
 */
#include "cleanup.h"

#include <errno.h>

void cleanup_close_p(const int *fd)
{
        int saved = errno;

        if (*fd >= 0)
                (void) close(*fd);
        errno = saved;
}

void cleanup_fclose_p(FILE **f)
{
        int saved = errno;

        if (*f)
                (void) fclose(*f);
        errno = saved;
}
