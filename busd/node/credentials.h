/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Gives passwords to the units that may have them, on a socket that PID 1 connects to for LoadCredential=. Who asks is
 * read from the peer: root, and by its address the unit and the credential. A question that is not to be answered gets
 * an empty credential, which every program of ours refuses.
 */
#pragma once

#include <systemd/sd-event.h>

/* Made by sendense-node-credentials.socket (root, 0600). */
#define CREDENTIALS_SOCKET "/run/sendense-node-credentials.sock"
#define CREDENTIAL_VCENTER "vcenter"

typedef struct Credentials Credentials;
typedef struct Secret Secret;

/* What a unit may have (borrowed), or NULL. */
typedef const Secret *(*CredentialsFind)(const char *unit, const char *credential, void *userdata);

/* Takes listen_fd, on failure too. */
int credentials_new(sd_event *event, int listen_fd, CredentialsFind find, void *userdata,
                    Credentials **ret_credentials);
Credentials *credentials_free(Credentials *credentials);

/* Takes a peer's address apart: "\0…/unit/<unit>/<credential>". -EINVAL for any other. Pure. */
int credentials_read_address(const char *path, size_t size, char *ret_unit, size_t unit_size,
                             char *ret_credential, size_t credential_size);
