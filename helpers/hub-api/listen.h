/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the program is given to listen on: whether a socket reaches beyond this machine, and the certificate for those that do.
 */
#pragma once

#include "secret.h"

#include <stdbool.h>

/* FileDescriptorName= of the socket that sendense-hub-generator makes. */
#define LISTEN_TLS_NAME "tls"

/* Anything but a unix socket and loopback; also what cannot be found out. */
bool listen_is_beyond(int fd);

/* The two credentials of the service, both or none. */
int listen_read_tls(Secret **ret_certificate, Secret **ret_key);
