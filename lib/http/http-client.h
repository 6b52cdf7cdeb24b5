/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Requests of a daemon to an HTTP API, in its sd-event loop, by libcurl: plain HTTP to an address on loopback, a bearer token,
 * JSON there and back, a limit of size and time. Nothing is retried and nothing is followed; the caller judges the status.
 * A connection is used once, so that the peer can end when it is idle.
 */
#pragma once

#include "cleanup.h"

#include <jansson.h>
#include <stdint.h>
#include <systemd/sd-event.h>

enum {
        HTTP_CLIENT_ANSWER_MAX = 4 * 1024 * 1024,
        HTTP_CLIENT_CALLS_MAX = 64, /* under way */
};

typedef struct HttpClient HttpClient;
typedef struct HttpCall HttpCall;

typedef struct HttpAnswer {
        int error; /* negative errno: there was no answer, or none that can be read */
        const char *why; /* then: one line; "" otherwise */
        unsigned status; /* of HTTP, when there was an answer */
        const json_t *body; /* NULL: none; borrowed until the callback returns */
} HttpAnswer;

typedef void (*HttpAnswered)(const HttpAnswer *answer, void *userdata);

typedef struct HttpAsked {
        const char *method;
        uint16_t port; /* on 127.0.0.1 */
        const char *path; /* with its query, encoded */
        const char *token; /* NULL: none */
        const json_t *body; /* NULL: none */
        uint64_t timeout_usec; /* for all of it */
        HttpAnswered done; /* once, later, unless it is cancelled before */
        void *userdata;
} HttpAsked;

int http_client_new(sd_event *event, HttpClient **ret_client);

/* Cancels what is under way. NULL in, NULL out. */
HttpClient *http_client_free(HttpClient *client);
DEFINE_CLEANUP(HttpClient *, http_client_free)

/* Everything in asked is copied. -EBUSY: too many are under way. */
int http_client_ask(HttpClient *client, const HttpAsked *asked, HttpCall **ret_call);

/* Its callback is not called any more. NULL in, NULL out. */
HttpCall *http_call_cancel(HttpCall *call);
