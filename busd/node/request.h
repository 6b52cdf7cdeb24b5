/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the hub asks a node for, read strictly: the JSON of POST /api/v1/backup/start. Pure.
 */
#pragma once

#include "json-fields.h"
#include "secret.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        REQUEST_SIZE_MAX = 256 * 1024,
        REQUEST_DISKS_MAX = 60,
        REQUEST_ERROR_SIZE = 256,
        REQUEST_DIGEST_SIZE = 65,
};

/* Members are borrowed from public. */
typedef struct Request {
        json_t *public; /* everything but the secrets */
        Secret *password;
        Secret *keys; /* of exports by TLS, as a credential has them (tls-psk.h); NULL: there are none */
        uint64_t job, attempt;
        char digest[REQUEST_DIGEST_SIZE]; /* of public: two requests with the same one ask for the same */
} Request;

/* 0, or -EBADMSG with one line that says what is wrong; -ENOMEM. */
int request_read(const char *text, size_t size, Request *ret_request,
                 char ret_error[static REQUEST_ERROR_SIZE]);
void request_done(Request *request);

/* A login alone, and which jobs it is for (none: all of that vCenter): {"vcenter_host", "vcenter_user", "vcenter_password",
 * "vcenter_port"?, "pin_sha256"?, "job_ids"?}. More members are not looked at. */
typedef struct Login {
        json_t *place; /* where and who: those of the members that a request has, too, and that were given */
        const char *host, *user; /* borrowed from it */
        Secret *password;
        uint64_t *jobs;
        size_t n_jobs;
} Login;

/* The defaults, for what a caller knows already, may be NULL: then the member must be there. */
int login_read(const char *text, size_t size, const char *default_host, const char *default_user,
               Login *ret_login, char ret_error[static REQUEST_ERROR_SIZE]);
void login_done(Login *login);

/* ── For the other readers of requests ── */

/* In lower case, as vCenter writes them. */
bool request_is_uuid(const char *text);

/* One object within the limits; errors as request_read(). */
int request_parse(const char *text, size_t size, json_t **ret_object,
                  char ret_error[static REQUEST_ERROR_SIZE]);

/* Moves "vcenter_password" out of object; it must be there. */
int request_take_password(json_t *object, Secret **ret_password,
                          char ret_error[static REQUEST_ERROR_SIZE]);

/* Each disk by the table, whose first field is its key; and none twice. */
int request_check_disks(const json_t *disks, const JsonField *fields, size_t n_fields,
                        char ret_error[static REQUEST_ERROR_SIZE]);

/* Digest, job and attempt, out of what was checked. */
int request_complete(Request *request);

/* restore-request.c: the same of POST /api/v1/restore/start. */
int restore_request_read(const char *text, size_t size, Request *ret_request,
                         char ret_error[static REQUEST_ERROR_SIZE]);
