/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which handler a method and a path belong to, and what else the path would allow. Pure: the table is the
 * program's, the server (http-server.h) asks.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum {
        HTTP_PATH_MAX = 512,
        HTTP_PATH_PARAMS_MAX = 4,
        HTTP_PATH_PARAM_MAX = 128, /* bytes of one, decoded */
        HTTP_ALLOW_MAX = 64,
};

typedef struct HttpRequest HttpRequest;

typedef struct HttpRoute {
        const char *method; /* GET also stands for HEAD */
        const char *path; /* "/api/v1/backup/{id}": a name in braces takes one segment */
        void (*handle)(HttpRequest *request, void *userdata);
        bool is_open; /* answers without a token */
} HttpRoute;

typedef struct HttpPathParams {
        const char *names
                        [HTTP_PATH_PARAMS_MAX]; /* borrowed from the route, up to the closing brace */
        char values[HTTP_PATH_PARAMS_MAX][HTTP_PATH_PARAM_MAX + 1]; /* percent-decoded */
        unsigned n;
} HttpPathParams;

typedef enum HttpMatch {
        HTTP_MATCH_FOUND, /* *ret_route and *ret_params are set */
        HTTP_MATCH_NO_PATH, /* 404 */
        HTTP_MATCH_NO_METHOD, /* 405; ret_allow lists what the path would take: "GET, HEAD, DELETE" */
} HttpMatch;

/* A segment that does not decode to text without a slash or a control character matches nothing. */
HttpMatch http_route_find(const HttpRoute *routes, size_t n_routes, const char *method,
                          const char *path, const HttpRoute **ret_route, HttpPathParams *ret_params,
                          char ret_allow[static HTTP_ALLOW_MAX]);

/* Percent-decodes size bytes of a segment or of a query's value. false: empty, too long, or no text without a slash
 * and control characters. */
bool http_text_decode(const char *text, size_t size,
                      char ret_value[static HTTP_PATH_PARAM_MAX + 1]);

/* NULL when the path has no such name. */
const char *http_path_param(const HttpPathParams *params, const char *name);
