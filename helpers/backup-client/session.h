/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The login at vCenter that all sources of a task share. SOAP waits, so it is spoken in a thread of its own; the
 * copy engine's thread asks here and never waits. One login serves all disks, is kept alive while the copy runs,
 * is made anew when a source has found it dead, and is ended with the last user.
 */
#pragma once

#include "failure.h"

#include <curl/curl.h>
#include <jansson.h>
#include <stdint.h>

#include "cleanup.h"

typedef struct LoginSpec LoginSpec;
typedef struct Secret Secret;
typedef struct SessionUser SessionUser;
typedef struct VSphere VSphere;

enum {
        SESSION_ERROR_SIZE = 400,
};

/* A person has named a file with the password: it is read instead of the credential. Before the first join. */
void session_set_password_file(const char *path);
const char *session_password_file(void); /* NULL: the credential */

/* Joins the task's session, made of the spec's "vcenter" by the first who comes. Nothing is sent yet. -EINVAL
 * with failure set when there is no such object or its password cannot be read. */
int session_join(const json_t *vcenter, SessionUser **ret_user, Failure *failure);

/* The login of whoever asked vCenter before the copy: the first who joins takes it over, with its session. Both are taken.
 * session_drop() ends it when nobody has joined. */
void session_lend(const json_t *vcenter, LoginSpec *login, VSphere *vsphere);
void session_drop(void);

/* The last one logs out. NULL in, NULL out. */
SessionUser *session_leave(SessionUser *user);
DEFINE_CLEANUP(SessionUser *, session_leave)

/* Readable when there is news for session_login(): an eventfd, to be read by who polls it. */
int session_fd(const SessionUser *user);

/* A login newer than that of the generation (0: any). 1: *ret_generation and *ret_cookie, the value of the header
 * Cookie, for explicit_bzero() and free(); 0: it is being made, session_fd() tells. Negative: it failed, with a
 * line in ret_error; -EACCES: for good, user, password or certificate are wrong. After a failure the
 * next call tries again. */
int session_login(SessionUser *user, uint64_t generation, uint64_t *ret_generation,
                  char **ret_cookie, char ret_error[static SESSION_ERROR_SIZE]);

/* The word of lib/bus/bus-error.h for the last failure of a login, NULL when it has none. */
const char *session_error_name(SessionUser *user);

/* Whether a snapshot is there still, asked when no task about snapshots of the VM runs any more; such a task may be its
 * removal. 1: it is; 0: that is being asked, session_fd() tells. -ENOENT: it is gone. Any other negative: it cannot be asked,
 * with a line in ret_error, and the next call asks again. */
int session_has_snapshot(SessionUser *user, const char *vm, const char *snapshot,
                         char ret_error[static SESSION_ERROR_SIZE]);

/* Makes a handle trust whom the login trusts. The user outlives it. */
void session_trust(SessionUser *user, CURL *curl);

/* For programs that log in themselves. Borrowed. The thumbprint is the SHA-1 of the certificate that the login was
 * made with, as VDDK wants it; "" before. */
const char *session_host(const SessionUser *user);
uint16_t session_port(const SessionUser *user);
const char *session_name(const SessionUser *user);
const Secret *session_password(const SessionUser *user);
const char *session_thumbprint(SessionUser *user);
