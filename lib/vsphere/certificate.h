/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The certificate that a host shows, looked at without a login, for a person who is about to pin it.
 */
#pragma once

#include "vsphere/error.h"
#include "vsphere/tls.h"

#include <jansson.h>
#include <stdint.h>

/* *ret is an object: subject, issuer, names (array), not_before, not_after, sha256, sha1, verified, why. Texts
 * are clean. ca_file: NULL for the system's. */
int certificate_get(const char *host, uint16_t port, const char *ca_file, int cancel_fd,
                    json_t **ret, VSphereError *error);
