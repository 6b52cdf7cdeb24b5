/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lib/http/http-route: which handler a path belongs to, what it takes, and names with every strange character.
 */
#include "unit.h"

#include "cleanup.h"
#include "http/http-route.h"

#include <string.h>

static void handle_a(HttpRequest *request, void *userdata)
{
        (void) request;
        (void) userdata;
}

static const HttpRoute routes[] = {
        { "POST", "/api/v1/backup/start", handle_a, false },
        { "GET", "/api/v1/backup/{id}", handle_a, false },
        { "DELETE", "/api/v1/backup/{id}", handle_a, false },
        { "GET", "/api/v1/backup/{id}/disks/{key}", handle_a, false },
};

static HttpMatch find(const char *method, const char *path, const HttpRoute **ret_route,
                      HttpPathParams *ret_params, char allow[static HTTP_ALLOW_MAX])
{
        return http_route_find(routes, ELEMENTSOF(routes), method, path, ret_route, ret_params,
                               allow);
}

static void found(void **state)
{
        const HttpRoute *route = NULL;
        char allow[HTTP_ALLOW_MAX];
        HttpPathParams params;

        (void) state;
        assert_int_equal(find("GET", "/api/v1/backup/7", &route, &params, allow), HTTP_MATCH_FOUND);
        assert_ptr_equal(route, &routes[1]);
        assert_string_equal(http_path_param(&params, "id"), "7");
        assert_null(http_path_param(&params, "i"));
        assert_null(http_path_param(&params, "idx"));
        assert_int_equal(find("HEAD", "/api/v1/backup/7", &route, &params, allow),
                         HTTP_MATCH_FOUND);
        assert_int_equal(find("DELETE", "/api/v1/backup/7", &route, &params, allow),
                         HTTP_MATCH_FOUND);
        assert_ptr_equal(route, &routes[2]);
        assert_int_equal(find("GET", "/api/v1/backup/7/disks/2000", &route, &params, allow),
                         HTTP_MATCH_FOUND);
        assert_string_equal(http_path_param(&params, "id"), "7");
        assert_string_equal(http_path_param(&params, "key"), "2000");
}

static void not_found(void **state)
{
        static const char *const paths[] = {
                "",
                "/",
                "/api/v1/backup",
                "/api/v1/backup/",
                "/api/v1/backup/7/",
                "api",
                "//",
                "/api/v1/backup/7/x",
                "/api/v1/backup/%2f",
                "/api/v1/backup/a%2fb",
                "/api/v1/backup/%",
                "/api/v1/backup/%4",
                "/api/v1/backup/%zz",
                "/api/v1/backup/%00",
                "/api/v1/backup/%0a",
                "/api/v1/backup/%ff",
                "/api/v1/backup/7/disks/",
                "/api/v1/backup/7%",
        };
        const HttpRoute *route = NULL;
        char allow[HTTP_ALLOW_MAX];
        HttpPathParams params;

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
                assert_int_equal(find("GET", paths[i], &route, &params, allow), HTTP_MATCH_NO_PATH);
                assert_null(route);
        }
}

static void methods(void **state)
{
        const HttpRoute *route = NULL;
        char allow[HTTP_ALLOW_MAX];
        HttpPathParams params;

        (void) state;
        assert_int_equal(find("POST", "/api/v1/backup/7", &route, &params, allow),
                         HTTP_MATCH_NO_METHOD);
        assert_string_equal(allow, "GET, HEAD, DELETE");
        assert_int_equal(find("GET", "/api/v1/backup/start", &route, &params, allow),
                         HTTP_MATCH_NO_METHOD);
        assert_string_equal(allow, "POST");
        assert_int_equal(find("get", "/api/v1/backup/7", &route, &params, allow),
                         HTTP_MATCH_NO_METHOD);
}

static void limits(void **state)
{
        _cleanup_free_ char *most = unit_repeat('a', HTTP_PATH_PARAM_MAX);
        _cleanup_free_ char *more = unit_repeat('a', HTTP_PATH_PARAM_MAX + 1);
        char value[HTTP_PATH_PARAM_MAX + 1];

        (void) state;
        assert_true(http_text_decode(most, HTTP_PATH_PARAM_MAX, value));
        assert_string_equal(value, most);
        assert_false(http_text_decode(more, HTTP_PATH_PARAM_MAX + 1, value));
        assert_false(http_text_decode("", 0, value));
        assert_true(http_text_decode("%C3%BC%20%26", 12, value));
        assert_string_equal(value, "\xc3\xbc &");
        /* What stands behind the size does not count. */
        assert_false(http_text_decode("%41", 2, value));
        assert_false(http_text_decode("%41", 1, value));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(found),
                cmocka_unit_test(not_found),
                cmocka_unit_test(methods),
                cmocka_unit_test(limits),
        };

        return RUN_TESTS(tests);
}
