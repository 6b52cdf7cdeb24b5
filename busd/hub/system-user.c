/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads /etc/passwd (see system-user.h).
 */
#include "system-user.h"

#include "cleanup.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>

bool system_user_find(const char *name, uint32_t *ret_uid)
{
        _cleanup_fclose_ FILE *file = fopen("/etc/passwd", "re");
        const struct passwd *user;

        while (file && (user = fgetpwent(file)))
                if (strcmp(user->pw_name, name) == 0) {
                        *ret_uid = user->pw_uid;
                        return true;
                }
        return false;
}
