/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One POST to /sdk and its answer, handed on as it comes, over one kept connection. Limits of time only for connecting and
 * for a transfer that stands still; a descriptor that becomes readable ends any of them.
 */
#pragma once

#include "vsphere/error.h"
#include "vsphere/tls.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        TRANSPORT_CONNECT_SEC = 30,
        TRANSPORT_PATIENCE_SEC = 5, /* after which an impatient end is better than none */
        TRANSPORT_STALL_SEC = 600, /* a vCenter may think for long over a big disk */
        TRANSPORT_HASTE_CONNECT_SEC = 5,
        TRANSPORT_HASTE_STALL_SEC = 10,
        TRANSPORT_SIZE_MAX = 32 * 1024 * 1024,
};

typedef struct Transport {
        CURL *curl;
        struct curl_slist *headers;
        char *host; /* as for people */
        unsigned stall_sec;
        int cancel_fd; /* > 0: readable means stop */
        bool is_patient; /* not at once: what is under way brings something that must be given back */
        uint64_t cancelled_usec; /* since when, of the request under way; 0: it is not */
        VSphereTls tls;
        char message[CURL_ERROR_SIZE];
} Transport;

typedef struct TransportRequest {
        const char *body;
        size_t size;
        bool once; /* must not be sent twice, not even by libcurl when a kept connection turns out to be dead */
        void (*take)(void *userdata, const char *data, size_t size); /* a piece of the answer */
        void *userdata;
} TransportRequest;

/* To be closed in any case. host is a name or an address, without brackets. */
int transport_open(Transport *transport, const char *host, uint16_t port, unsigned stall_sec,
                   int cancel_fd, VSphereError *error);
void transport_close(Transport *transport);

/* From now on an answer is not waited for long, or again as long as usual: of calls that nothing depends on. */
void transport_set_haste(Transport *transport, bool is_hasty);

/* A number for the people of the other side: sessions of one transport have the same user agent. */
int transport_name(Transport *transport, const char *user_agent);

/* ret_may_have_arrived is set in any case: whether the peer may have acted on it. ret_status is HTTP's. -ECANCELED, or an error
 * with is_transient or is_too_large; then what was taken is a beginning of nothing. */
int transport_post(Transport *transport, const TransportRequest *request,
                   bool *ret_may_have_arrived, long *ret_status, VSphereError *error);

/* Waits, unless it is cancelled: -ECANCELED. */
int transport_wait(const Transport *transport, unsigned msec, VSphereError *error);

/* The session's cookie as NAME=VALUE, verbatim, or -ENOENT; and its end. */
int transport_cookie(const Transport *transport, char **ret_cookie);
void transport_forget_cookies(Transport *transport);
