/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The first line of a request to an HTTP API, of any bytes: a method, a path and a query's value, a line each. What matches has names that are
 * text of their bounds without a slash or a control character, whatever was escaped.
 */
#include "fuzz.h"

#include "http/http-route.h"
#include "utf8.h"

#include <string.h>

enum {
        PARTS = 3,
};

static const HttpRoute routes[] = {
        { "GET", "/api/v1/backups", NULL, false },
        { "POST", "/api/v1/backups", NULL, false },
        { "GET", "/api/v1/backups/{backup_id}", NULL, false },
        { "POST", "/api/v1/backups/{backup_id}/verify", NULL, false },
        { "DELETE", "/api/v1/jobs/{id}", NULL, false },
        { "GET", "/api/v1/jobs/{id}/events", NULL, false },
        { "GET", "/a/{a}/{b}/{c}/{d}", NULL, true },
};

static void check_value(const char *value)
{
        MUST(*value && strlen(value) <= HTTP_PATH_PARAM_MAX);
        MUST(!strchr(value, '/') && utf8_is_line(value));
}

static void check_match(const char *method, const char *path)
{
        const size_t n_routes = sizeof(routes) / sizeof(routes[0]);
        char allow[HTTP_ALLOW_MAX] = "";
        const HttpRoute *route = NULL;
        HttpPathParams params = {};

        switch (http_route_find(routes, n_routes, method, path, &route, &params, allow)) {
        case HTTP_MATCH_FOUND:
                MUST(route >= routes && route < routes + n_routes);
                MUST(strcmp(route->method, method) == 0 || strcmp(method, "HEAD") == 0);
                MUST(params.n <= HTTP_PATH_PARAMS_MAX);
                for (unsigned i = 0; i < params.n; i++)
                        check_value(params.values[i]);
                MUST((http_path_param(&params, "id") != NULL) ==
                     (strstr(route->path, "{id}") != NULL));
                break;
        case HTTP_MATCH_NO_METHOD:
                MUST(*allow && memchr(allow, '\0', sizeof(allow)));
                break;
        case HTTP_MATCH_NO_PATH:
        default:
                break;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char *text = malloc(size + 1), *parts[PARTS] = {}, *rest;
        char value[HTTP_PATH_PARAM_MAX + 1] = "";

        if (!text)
                return 0;
        memcpy(text, data, size);
        text[size] = '\0';
        rest = text;
        for (unsigned i = 0; i < PARTS && rest; i++)
                parts[i] = strsep(&rest, "\n");
        if (parts[0] && parts[1])
                check_match(parts[0], parts[1]);
        if (parts[2] && http_text_decode(parts[2], strlen(parts[2]), value))
                check_value(value);
        free(text);
        return 0;
}
