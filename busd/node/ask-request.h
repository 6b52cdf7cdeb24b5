/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A question about a vCenter, read strictly: the JSON of POST /api/v1/vcenter/…, as what sendense-vsphere is told. Pure.
 */
#pragma once

#include "request.h"

#include <jansson.h>

typedef enum AskKind {
        ASK_CERTIFICATE,
        ASK_TEST,
        ASK_DISCOVER,
        ASK_KIND_MAX,
        ASK_KIND_INVALID = -22,
} AskKind;

/* The words are also the verbs of sendense-vsphere. */
const char *ask_kind_to_string(AskKind kind);
AskKind ask_kind_from_string(const char *text);

typedef struct AskRequest {
        json_t *spec; /* for sendense-vsphere; without the password */
        Secret *password; /* NULL: a certificate is shown to everybody */
} AskRequest;

/* 0, or -EBADMSG with one line that says what is wrong; -ENOMEM. transport: how disks would be read. */
int ask_request_read(AskKind kind, const char *text, size_t size, const char *transport,
                     AskRequest *ret_request, char ret_error[static REQUEST_ERROR_SIZE]);
void ask_request_done(AskRequest *request);
