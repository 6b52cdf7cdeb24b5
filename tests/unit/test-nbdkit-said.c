/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The last words of nbdkit: which line is kept, in pieces of any size, and what must not get through: the password,
 * control characters, lines without an end.
 */
#include "unit.h"

#include "cleanup.h"
#include "nbdkit-said.h"
#include "secret.h"

#include <string.h>

#define PASSWORD "p<&'ü\"x"

DEFINE_CLEANUP(NbdkitSaid *, nbdkit_said_free)

static NbdkitSaid *said_new(const char *password)
{
        CLEANUP(secret_free_p) Secret *secret = NULL;
        NbdkitSaid *said = NULL;

        if (password)
                assert_int_equal(secret_new(password, strlen(password), &secret), 0);
        assert_int_equal(nbdkit_said_new(secret, &said), 0);
        return said;
}

static void kept(void **state)
{
        static const struct {
                const char *text, *kept;
        } texts[] = {
                { "", "" },
                { "\n\n", "" },
                { "nbdkit: one\n", "one" },
                { "nbdkit: error: one\nnbdkit: two\n", "error: one" },
                { "nbdkit: vddk[1]: error: one\nnbdkit: vddk[1]: error: two\nbye",
                  "vddk[1]: error: two" },
                { "no end", "no end" },
                { "a" PASSWORD "b " PASSWORD "\n", "a***b ***" },
                { "error: \033[2J" PASSWORD "\x9b\n", "error:  [2J***?" },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                for (size_t step = 1; step < 20; step++) {
                        CLEANUP(nbdkit_said_free_p) NbdkitSaid *said = said_new(PASSWORD);
                        size_t n = strlen(texts[i].text);

                        for (size_t at = 0; at < n; at += step)
                                nbdkit_said_add(said, texts[i].text + at,
                                                n - at < step ? n - at : step);
                        nbdkit_said_add(said, NULL, 0);
                        assert_string_equal(nbdkit_said_last(said), texts[i].kept);
                }
}

/* However long the line is, the password at any place of it is not seen, not even a part that is cut. */
static void long_lines(void **state)
{
        (void) state;
        for (size_t before = 0; before < 20000;
             before += before < 300 || before > 18400 ? 1 : 500) {
                CLEANUP(nbdkit_said_free_p) NbdkitSaid *said = said_new(PASSWORD);
                _cleanup_free_ char *text = unit_repeat('\b', before);

                nbdkit_said_add(said, text, before);
                nbdkit_said_add(said, PASSWORD "\n", strlen(PASSWORD) + 1);
                assert_null(strstr(nbdkit_said_last(said), "p<"));
                assert_null(strchr(nbdkit_said_last(said), '\b'));
        }
}

static void short_passwords(void **state)
{
        CLEANUP(nbdkit_said_free_p) NbdkitSaid *one = said_new("a"), *none = said_new(NULL);

        (void) state;
        nbdkit_said_add(one, "banana\n", 7);
        assert_string_equal(nbdkit_said_last(one), "b*n*n*");
        nbdkit_said_add(none, "banana\n", 7);
        assert_string_equal(nbdkit_said_last(none), "banana");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(kept),
                cmocka_unit_test(long_lines),
                cmocka_unit_test(short_passwords),
        };

        return RUN_TESTS(tests);
}
