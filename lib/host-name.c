/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names of hosts (see host-name.h).
 */
#include "host-name.h"

#include <arpa/inet.h>
#include <string.h>

bool host_name_is_valid(const char *host)
{
        struct in6_addr address;
        size_t n;

        if (strchr(host, ':'))
                return inet_pton(AF_INET6, host, &address) == 1;
        n = strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_");
        return n > 0 && n <= HOST_NAME_MAX_LENGTH && host[n] == '\0' && host[0] != '-';
}
