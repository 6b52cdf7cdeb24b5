/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Matching by segments (see http-route.h).
 */
#include "http/http-route.h"

#include "cleanup.h"
#include "utf8.h"

#include <stdio.h>
#include <string.h>

static int hex_digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -1;
}

/* The byte that text, of which size bytes are left, begins with, and how long it was: 1, or 3 for %xx, or 0 for
 * a broken one. */
static size_t decode_byte(const char *text, size_t size, char *ret_byte)
{
        int high, low;

        if (text[0] != '%') {
                *ret_byte = text[0];
                return 1;
        }
        if (size < 3)
                return 0;
        high = hex_digit(text[1]);
        low = hex_digit(text[2]);
        if (high < 0 || low < 0)
                return 0;
        *ret_byte = (char) (high * 16 + low);
        return 3;
}

bool http_text_decode(const char *text, size_t size, char ret_value[static HTTP_PATH_PARAM_MAX + 1])
{
        size_t n = 0;

        while (size > 0) {
                size_t length;
                char c = '\0';

                length = decode_byte(text, size, &c);
                if (length == 0 || n == HTTP_PATH_PARAM_MAX || c == '/' || c == 0x7f ||
                    (unsigned char) c < 0x20)
                        return false;
                ret_value[n++] = c;
                text += length;
                size -= length;
        }
        ret_value[n] = '\0';
        return n > 0 && utf8_is_valid(ret_value);
}

/* Both begin with a slash. */
static bool path_matches(const char *pattern, const char *path, HttpPathParams *params)
{
        params->n = 0;
        while (*pattern == '/' && *path == '/') {
                size_t n_pattern, n_path;

                pattern++, path++;
                n_pattern = strcspn(pattern, "/");
                n_path = strcspn(path, "/");
                if (pattern[0] == '{') {
                        if (params->n == HTTP_PATH_PARAMS_MAX ||
                            !http_text_decode(path, n_path, params->values[params->n]))
                                return false;
                        params->names[params->n++] = pattern + 1;
                } else if (n_pattern != n_path || strncmp(pattern, path, n_path) != 0)
                        return false;
                pattern += n_pattern;
                path += n_path;
        }
        return *pattern == '\0' && *path == '\0';
}

static bool method_matches(const char *route, const char *method)
{
        return strcmp(route, method) == 0 ||
               (strcmp(route, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

static void allow_method(char allow[static HTTP_ALLOW_MAX], const char *method)
{
        size_t n = strlen(allow);

        (void) snprintf(allow + n, HTTP_ALLOW_MAX - n, "%s%s%s", n > 0 ? ", " : "", method,
                        strcmp(method, "GET") == 0 ? ", HEAD" : "");
}

/* A path that a route spells out is never a value in another's braces. */
static bool path_is_literal(const HttpRoute *routes, size_t n_routes, const char *path)
{
        HttpPathParams params;

        for (size_t i = 0; i < n_routes; i++)
                if (path_matches(routes[i].path, path, &params) && params.n == 0)
                        return true;
        return false;
}

HttpMatch http_route_find(const HttpRoute *routes, size_t n_routes, const char *method,
                          const char *path, const HttpRoute **ret_route, HttpPathParams *ret_params,
                          char ret_allow[static HTTP_ALLOW_MAX])
{
        HttpPathParams params;
        bool is_literal;

        ret_allow[0] = '\0';
        if (strlen(path) > HTTP_PATH_MAX)
                return HTTP_MATCH_NO_PATH;
        is_literal = path_is_literal(routes, n_routes, path);
        for (size_t i = 0; i < n_routes; i++) {
                if (!path_matches(routes[i].path, path, &params) || (is_literal && params.n > 0))
                        continue;
                if (method_matches(routes[i].method, method)) {
                        *ret_route = &routes[i];
                        *ret_params = params;
                        return HTTP_MATCH_FOUND;
                }
                allow_method(ret_allow, routes[i].method);
        }
        return ret_allow[0] != '\0' ? HTTP_MATCH_NO_METHOD : HTTP_MATCH_NO_PATH;
}

const char *http_path_param(const HttpPathParams *params, const char *name)
{
        size_t size = strlen(name);

        for (unsigned i = 0; i < params->n; i++)
                if (strncmp(params->names[i], name, size) == 0 && params->names[i][size] == '}')
                        return params->values[i];
        return NULL;
}
