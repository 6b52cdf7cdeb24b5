/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lib/nbd-uri: the forms that are read, and everything near them that is not.
 */
#include "unit.h"

#include "cleanup.h"
#include "nbd-uri.h"

#include <errno.h>
#include <string.h>

static void check(const char *text, const char *host, const char *port, const char *socket,
                  const char *export_name)
{
        NbdUri uri;

        if (nbd_uri_parse(text, &uri) < 0)
                fail_msg("%s was refused", text);
        assert_string_equal(uri.host, host);
        assert_string_equal(uri.port, port);
        assert_string_equal(uri.socket, socket);
        assert_string_equal(uri.export_name, export_name);
}

static void good(void **state)
{
        (void) state;
        check("nbd://127.0.0.1:10100/job-7-2000-abc", "127.0.0.1", "10100", "", "job-7-2000-abc");
        check("nbd://localhost/", "localhost", "10809", "", "");
        check("nbd://[::1]:1/x", "::1", "1", "", "x");
        check("nbd://a-b.example:65535/a%20b%2fc", "a-b.example", "65535", "", "a b/c");
        check("nbd+unix:///?socket=/run/x.sock", "", "", "/run/x.sock", "");
        check("nbd+unix:///B%C3%BCro?socket=/a%20b", "", "", "/a b", "Büro");
}

static void bad(void **state)
{
        static const char *const texts[] = {
                "",
                "nbd:",
                "nbd://",
                "nbd:///x",
                "nbd://host",
                "nbd://host:0/x",
                "nbd://host:65536/x",
                "nbd://host:+1/x",
                "nbd://host:01/x",
                "nbd://host:/x",
                "nbd://user@host/x",
                "nbd://-host/x",
                "nbd://ho st/x",
                "nbd://[::1/x",
                "nbd://[::1]x/x",
                "nbd://[::g]/x",
                "nbd://[127.0.0.1]/x",
                "nbd://host/x?tls-certificates=/",
                "nbd://host/x#y",
                "nbd://host/a b",
                "nbd://host/%",
                "nbd://host/%0",
                "nbd://host/%0a",
                "nbd://host/%00",
                "nbd://host/%7f",
                "nbd://host/%gg",
                "nbd://host/%ff",
                "nbd://host/\xff",
                "nbds://host/x",
                "NBD://host/x",
                "nbd+unix:///x",
                "nbd+unix://x/?socket=/a",
                "nbd+unix:///x?socket=",
                "nbd+unix:///x?socket=relative",
                "nbd+unix:///x?socket=/a&b=c",
                "nbd+unix:///x?Socket=/a",
                "file:///etc/passwd",
                "/dev/sda",
        };
        NbdUri uri = { .host = "untouched" };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                if (nbd_uri_parse(texts[i], &uri) != -EINVAL)
                        fail_msg("'%s' was taken", texts[i]);
        assert_string_equal(uri.host, "untouched");
}

/* By TLS, for those who ask for it by that call. */
static void with_tls(void **state)
{
        static const char *const wrong[] = {
                "nbds://host/x",
                "nbds://@host/x",
                "nbds://Name@host/x",
                "nbds://a:b@host/x",
                "nbds://a@b@host/x",
                "nbds://a%2d@host/x",
                "nbds://a@host",
                "nbds://a@host/x?tls-psk-file=/x",
                "nbds+unix://a@/x?socket=/a",
        };
        NbdUri uri = { .host = "untouched" }, other;

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(wrong); i++)
                if (nbd_uri_parse_tls(wrong[i], &uri) != -EINVAL)
                        fail_msg("'%s' was taken", wrong[i]);
        assert_int_equal(nbd_uri_parse("nbds://a-1@127.0.0.1:10100/b", &uri), -EINVAL);
        assert_string_equal(uri.host, "untouched");
        assert_int_equal(nbd_uri_parse_tls("nbds://a-1@127.0.0.1:10100/b", &uri), 0);
        assert_string_equal(uri.tls_name, "a-1");
        assert_string_equal(uri.host, "127.0.0.1");
        assert_string_equal(uri.port, "10100");
        assert_string_equal(uri.export_name, "b");
        assert_int_equal(nbd_uri_parse_tls("nbd://127.0.0.1:10100/b", &other), 0);
        assert_string_equal(other.tls_name, "");
        assert_true(nbd_uri_is_same(&uri, &other)); /* one image, and two who would write it */
        assert_int_equal(nbd_uri_parse_tls("nbds://a-1@127.0.0.1:10101/b", &other), 0);
        assert_false(nbd_uri_is_same(&uri, &other));
}

static int parse_long(const char *head, size_t n)
{
        _cleanup_free_ char *tail = unit_repeat('a', n), *text = NULL;
        NbdUri uri;

        assert_true(asprintf(&text, "%s%s", head, tail) > 0);
        return nbd_uri_parse(text, &uri);
}

static void long_ones(void **state)
{
        (void) state;
        assert_int_equal(parse_long("nbd://h/", 256), 0);
        assert_int_equal(parse_long("nbd://h/", 257), -EINVAL);
        assert_int_equal(parse_long("nbd+unix:///?socket=/", 106), 0);
        assert_int_equal(parse_long("nbd+unix:///?socket=/", 107), -EINVAL);
        assert_int_equal(parse_long("nbd://", 2000), -EINVAL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(good),
                cmocka_unit_test(bad),
                cmocka_unit_test(with_tls),
                cmocka_unit_test(long_ones),
        };

        return RUN_TESTS(tests);
}
