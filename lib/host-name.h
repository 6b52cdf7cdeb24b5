/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What may stand where a host is named: in requests, in specs and in the address of a URL. Pure.
 */
#pragma once

#include <stdbool.h>

enum {
        HOST_NAME_MAX_LENGTH = 253,
};

#define HOST_NAME_MUST "a name or an address, without brackets and without a port"

/* A name, an IPv4 or an IPv6 address: nothing that could end the host's part of a URL, and no option of a program. What has a
 * colon is an IPv6 address and nothing else: no name with a port. */
bool host_name_is_valid(const char *host);
