/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One GET of a datastore's file, and the judgement of its answer. A range is taken only when the answer says
 * 206 and names exactly that range of a file of exactly that size, and has as many bytes: everything else
 * could be other data. Bytes go straight to where the caller wants them. Knows no sessions and no loop.
 */
#pragma once

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        HTTP_TEXT_SIZE = 200,
        HTTP_TAG_SIZE = 128, /* of an ETag; a longer one is not remembered */
        HTTP_ADDRESS_MAX = 16 * 1024,
        HTTP_WANTS_LOGIN = 1,
};

typedef struct HttpTimeouts {
        long connect_msec;
        long stall_sec; /* without a kilobyte a second */
} HttpTimeouts;

/* What is asked for. */
typedef struct HttpAsk {
        const char *url; /* borrowed until the end */
        void *buffer;
        size_t length; /* of the range; of a whole file the most it may have */
        uint64_t offset;
        bool is_whole; /* no range: the file, which is small */
        uint64_t total; /* of a range: what the file's size must be; 0: any */
        const char *tag; /* what the ETag must be; "": any */
} HttpAsk;

typedef struct HttpRequest {
        CURL *curl;
        HttpAsk ask;
        /* the answer */
        size_t received;
        uint64_t total;
        char tag[HTTP_TAG_SIZE]; /* "": it has none */
        bool is_more; /* a whole file was longer than length */
        /* while it comes in */
        bool is_checked, is_error_page;
        size_t n_swallowed;
        int error;
        char text[HTTP_TEXT_SIZE]; /* why it failed: one printable line */
        char curl_text[CURL_ERROR_SIZE];
} HttpRequest;

/* Makes the handle; what concerns trust is set by the caller, on request->curl. -ENOMEM. */
int http_request_open(HttpRequest *request, const HttpTimeouts *timeouts);
void http_request_close(HttpRequest *request);

/* Prepares the handle for one try; cookie is copied. */
int http_request_prepare(HttpRequest *request, const HttpAsk *ask, const char *cookie);

/* After curl has ended it. 0: all of it is there, right. HTTP_WANTS_LOGIN: 401. Negative errno with text: -EACCES,
 * -ENOENT, -EOPNOTSUPP, -ESTALE will be the same next time, everything else may pass. */
int http_request_judge(HttpRequest *request, CURLcode code);
