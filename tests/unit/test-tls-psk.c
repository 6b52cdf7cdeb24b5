/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Keys shared beforehand: what a name and a key may be, that no two are the same, unless they follow from one master key and one name, and
 * how a program finds its own.
 */
#include "unit.h"

#include "cleanup.h"
#include "secret.h"
#include "tls-psk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void names(void **state)
{
        static const char *const bad[] = { "", "A", "a:b", "a b", "a\n", "#a", "a/b", "ä", "a%41" };
        _cleanup_free_ char *longest = unit_repeat('x', TLS_PSK_NAME_SIZE - 1);
        _cleanup_free_ char *too_long = unit_repeat('x', TLS_PSK_NAME_SIZE);
        char line[TLS_PSK_LINE_SIZE];

        (void) state;
        assert_true(tls_psk_name_is_fine("job7-2000-1-0a1b2c3d"));
        assert_true(tls_psk_name_is_fine(longest));
        assert_false(tls_psk_name_is_fine(too_long));
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                assert_false(tls_psk_name_is_fine(bad[i]));
                assert_int_equal(tls_psk_make_line(bad[i], line), -EINVAL);
        }
        assert_int_equal(tls_psk_make_line(longest, line), 0);
        assert_int_equal(strlen(line), TLS_PSK_LINE_SIZE - 1);
        assert_int_equal(line[TLS_PSK_LINE_SIZE - 2], '\n');
}

static void keys(void **state)
{
        char one[TLS_PSK_LINE_SIZE], other[TLS_PSK_LINE_SIZE];

        (void) state;
        assert_int_equal(tls_psk_make_line("a-1", one), 0);
        assert_int_equal(tls_psk_make_line("a-1", other), 0);
        assert_string_not_equal(one, other);
        assert_int_equal(strncmp(one, "a-1:", 4), 0);
        assert_false(tls_psk_key_is_fine(one + 4)); /* with its line feed */
        one[4 + TLS_PSK_KEY_SIZE - 1] = '\0';
        assert_true(tls_psk_key_is_fine(one + 4));
        assert_false(tls_psk_key_is_fine(one + 5));
        assert_false(tls_psk_key_is_fine(""));
        one[4] = 'A';
        assert_false(tls_psk_key_is_fine(one + 4));
}

/* What an export that is made again is served with, and what another hub, or another export, would be. */
static void derived(void **state)
{
        CLEANUP(secret_free_p) Secret *master = NULL, *other = NULL, *too_short = NULL;
        static const char bytes[] = "eins zwei drei vier fünf sechs sieben";
        char line[TLS_PSK_LINE_SIZE], again[TLS_PSK_LINE_SIZE];

        (void) state;
        assert_int_equal(secret_new(bytes, 32, &master), 0);
        assert_int_equal(secret_new(bytes + 1, 32, &other), 0);
        assert_int_equal(secret_new(bytes, 31, &too_short), 0);
        assert_int_equal(tls_psk_derive_line("job7-2000-1-0a1b2c3d-tls", master, line), 0);
        assert_non_null(tls_psk_line_key(line, strlen(line)));
        assert_int_equal(strncmp(line, "job7-2000-1-0a1b2c3d-tls:", 25), 0);
        assert_int_equal(tls_psk_derive_line("job7-2000-1-0a1b2c3d-tls", master, again), 0);
        assert_string_equal(line, again);
        assert_int_equal(tls_psk_derive_line("job7-2000-1-0a1b2c3d-tls", other, again), 0);
        assert_string_not_equal(line, again);
        assert_int_equal(tls_psk_derive_line("job7-2001-1-0a1b2c3d-tls", master, again), 0);
        assert_memory_not_equal(line + 25, again + 25, TLS_PSK_KEY_SIZE - 1);
        assert_int_equal(tls_psk_derive_line("a:b", master, again), -EINVAL);
        assert_int_equal(tls_psk_derive_line("a", too_short, again), -EINVAL);
}

static void in_a_line(void **state)
{
        static const char *const bad[] = { "", "a", "a:", "a:\n", "a:0\n", ":", "a:0123" };
        char line[TLS_PSK_LINE_SIZE];
        size_t size;

        (void) state;
        assert_int_equal(tls_psk_make_line("a-1", line), 0);
        size = strlen(line);
        assert_ptr_equal(tls_psk_line_key(line, size), line + 4);
        assert_null(tls_psk_line_key(line, size - 1));
        line[5] = 'g';
        assert_null(tls_psk_line_key(line, size));
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_null(tls_psk_line_key(bad[i], strlen(bad[i])));
}

static void write_keys(const char *folder, const char *text)
{
        _cleanup_free_ char *path = NULL;
        FILE *f;

        assert_true(asprintf(&path, "%s/" TLS_PSK_FILE, folder) > 0);
        f = fopen(path, "we");
        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

static void as_a_credential(void **state)
{
        char folder[] = "/tmp/test-tls-psk-XXXXXX", path[TLS_PSK_PATH_SIZE] = "untouched";
        _cleanup_free_ char *file = NULL;

        (void) state;
        (void) unsetenv("CREDENTIALS_DIRECTORY");
        assert_int_equal(tls_psk_find_credential("a-1", path), -ENXIO);
        assert_non_null(mkdtemp(folder));
        assert_int_equal(setenv("CREDENTIALS_DIRECTORY", folder, 1), 0);
        assert_int_equal(tls_psk_find_credential("a-1", path), -ENOENT);
        write_keys(folder, ""); /* what systemd makes of a node that gave none */
        assert_int_equal(tls_psk_find_credential("a-1", path), -ENODATA);
        write_keys(folder, "a-11:00\nxa-1:00\n");
        assert_int_equal(tls_psk_find_credential("a-1", path), -ENOKEY);
        assert_string_equal(path, "untouched");
        write_keys(folder, "a-11:00\na-1:00\n");
        assert_int_equal(tls_psk_find_credential("a-1", path), 0);
        assert_int_equal(tls_psk_find_credential("a-11", path), 0);
        assert_true(asprintf(&file, "%s/" TLS_PSK_FILE, folder) > 0);
        assert_string_equal(path, file);
        assert_int_equal(unlink(file), 0);
        assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(names),           cmocka_unit_test(keys),
                cmocka_unit_test(derived),         cmocka_unit_test(in_a_line),
                cmocka_unit_test(as_a_credential),
        };

        return RUN_TESTS(tests);
}
