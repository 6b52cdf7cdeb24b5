/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The node API's list of tokens: lines that are none, and which token belongs to whom.
 */
#include "unit.h"

#include "tokens.h"

#include <errno.h>
#include <string.h>

#define A8    "aaaaaaaa"
#define TOKEN A8 A8 A8 A8
#define OTHER A8 A8 A8 "aaaaaaab"

static char digest[65];

static void good(void **state)
{
        CLEANUP(tokens_free_p) Tokens *tokens = NULL;
        char text[256];
        unsigned line = 0;

        (void) state;
        token_digest(TOKEN, digest);
        /* printf aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa | sha256sum */
        assert_memory_equal(digest, "3ba3f5f43b926026", 16);
        (void) snprintf(text, sizeof(text), "# hubs\n\nhub-1 %s\nother\t%064d", digest, 0);
        assert_int_equal(tokens_parse(text, strlen(text), &tokens, &line), 0);
        assert_int_equal(tokens_count(tokens), 2);
        assert_string_equal(tokens_find(tokens, TOKEN), "hub-1");
        assert_null(tokens_find(tokens, OTHER));
        assert_null(tokens_find(tokens, ""));
}

static void none(void **state)
{
        CLEANUP(tokens_free_p) Tokens *tokens = NULL;
        unsigned line = 0;

        (void) state;
        assert_int_equal(tokens_parse("", 0, &tokens, &line), 0);
        assert_int_equal(tokens_count(tokens), 0);
        assert_null(tokens_find(tokens, TOKEN));
}

static void wrong_lines(void **state)
{
        static const char *const lines[] = {
                "hub", "hub ", " 00", "hub 00", "hub zz", "h\xc3\xbc 0", "hub  extra words",
        };
        Tokens *tokens = NULL;
        char text[256];

        (void) state;
        for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
                unsigned line = 0;

                (void) snprintf(text, sizeof(text), "# first\n%s\n", lines[i]);
                assert_int_equal(tokens_parse(text, strlen(text), &tokens, &line), -EBADMSG);
                assert_int_equal(line, 2);
                assert_null(tokens);
        }
        for (int extra = -1; extra <= 1; extra += 2) {
                unsigned line = 0;

                (void) snprintf(text, sizeof(text), "hub %0*d", 64 + extra, 0);
                assert_int_equal(tokens_parse(text, strlen(text), &tokens, &line), -EBADMSG);
        }
}

static void most(void **state)
{
        char text[(TOKENS_MAX + 1) * 70];
        CLEANUP(tokens_free_p) Tokens *tokens = NULL;
        unsigned line = 0;
        size_t n = 0;

        (void) state;
        for (int i = 0; i <= TOKENS_MAX; i++)
                n += (size_t) snprintf(text + n, sizeof(text) - n, "a %064d\n", i);
        assert_int_equal(tokens_parse(text, n, &tokens, &line), -E2BIG);
        assert_int_equal(tokens_parse(text, n - 67, &tokens, &line), 0);
        assert_int_equal(tokens_count(tokens), TOKENS_MAX);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(good),
                cmocka_unit_test(none),
                cmocka_unit_test(wrong_lines),
                cmocka_unit_test(most),
        };

        return RUN_TESTS(tests);
}
