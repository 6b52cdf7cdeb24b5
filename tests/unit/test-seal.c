/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lib/seal: what is sealed comes back with its key alone, and every bit of it counts.
 */
#include "unit.h"

#include "cleanup.h"
#include "seal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static Secret *make(const char *data, size_t size)
{
        Secret *secret = NULL;

        assert_int_equal(secret_new(data, size, &secret), 0);
        return secret;
}

static Secret *key_of(char first)
{
        char data[SEAL_KEY_SIZE] = { first, 1, 2, 3 };

        return make(data, sizeof(data));
}

static void there_and_back(void **state)
{
        CLEANUP(secret_free_p)
        Secret *key = key_of('k'), *plain = make("a token\n\0x", 10), *back = NULL;
        _cleanup_free_ char *once = NULL, *again = NULL;

        (void) state;
        assert_int_equal(seal(key, plain, &once), 0);
        assert_int_equal(seal(key, plain, &again), 0);
        assert_int_equal(strlen(once), (10 + SEAL_EXTRA_SIZE) * 2);
        assert_string_not_equal(once, again);
        assert_int_equal(unseal(key, once, &back), 0);
        assert_true(secret_equal(plain, back));
}

static void sizes(void **state)
{
        _cleanup_free_ char *text = unit_repeat('s', SEAL_MAX + 1);
        CLEANUP(secret_free_p)
        Secret *key = key_of('k'), *largest = make(text, SEAL_MAX),
               *beyond = make(text, SEAL_MAX + 1), *back = NULL,
               *short_key = make(text, SEAL_KEY_SIZE - 1);
        _cleanup_free_ char *hex = NULL;

        (void) state;
        assert_int_equal(seal(key, beyond, &hex), -EFBIG);
        assert_int_equal(seal(short_key, largest, &hex), -EINVAL);
        assert_null(hex);
        assert_int_equal(seal(key, largest, &hex), 0);
        assert_int_equal(unseal(short_key, hex, &back), -EINVAL);
        assert_int_equal(unseal(key, hex, &back), 0);
        assert_true(secret_equal(largest, back));
}

static void another_key(void **state)
{
        CLEANUP(secret_free_p)
        Secret *key = key_of('k'), *other = key_of('l'), *plain = make("a token", 7), *back = NULL;
        _cleanup_free_ char *hex = NULL;

        (void) state;
        assert_int_equal(seal(key, plain, &hex), 0);
        assert_int_equal(unseal(other, hex, &back), -EKEYREJECTED);
        assert_null(back);
}

/* Each digit, so each nibble of nonce, authenticator and content. */
static void damaged(void **state)
{
        CLEANUP(secret_free_p) Secret *key = key_of('k'), *plain = make("a token", 7), *back = NULL;
        _cleanup_free_ char *hex = NULL;

        (void) state;
        assert_int_equal(seal(key, plain, &hex), 0);
        for (size_t i = 0; hex[i]; i++) {
                char was = hex[i];

                hex[i] = was == '0' ? '1' : '0';
                assert_int_equal(unseal(key, hex, &back), -EKEYREJECTED);
                hex[i] = was;
        }
        hex[strlen(hex) - 2] = '\0';
        assert_int_equal(unseal(key, hex, &back), -EKEYREJECTED);
        assert_null(back);
}

static void never_sealed(void **state)
{
        _cleanup_free_ char *longest = unit_repeat('0',
                                                   (size_t) (SEAL_EXTRA_SIZE + SEAL_MAX + 1) * 2),
                            *shortest = unit_repeat('0', (size_t) SEAL_EXTRA_SIZE * 2),
                            *odd = unit_repeat('0', (size_t) SEAL_EXTRA_SIZE * 2 + 3),
                            *words = unit_repeat('x', (size_t) SEAL_EXTRA_SIZE * 2 + 2);
        CLEANUP(secret_free_p) Secret *key = key_of('k'), *back = NULL;

        (void) state;
        assert_int_equal(unseal(key, "", &back), -EBADMSG);
        assert_int_equal(unseal(key, longest, &back), -EBADMSG);
        assert_int_equal(unseal(key, shortest, &back), -EBADMSG);
        assert_int_equal(unseal(key, odd, &back), -EBADMSG);
        assert_int_equal(unseal(key, words, &back), -EBADMSG);
        assert_null(back);
}

/* The key as systemd hands it over. */
static int read_key(const char *folder, const char *data, size_t size, Secret **ret_key)
{
        _cleanup_free_ char *path = unit_path(folder, "key");

        unit_write(path, data, size, 0600);
        return seal_key_read("key", ret_key);
}

static void key_from_credential(void **state)
{
        static const char good[SEAL_KEY_SIZE + 1] = "0123456789abcdef0123456789abcdefX", zeroes[33];
        _cleanup_free_ char *folder = unit_folder();
        CLEANUP(secret_free_p) Secret *key = NULL;

        (void) state;
        assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
        assert_int_equal(seal_key_read("key", &key), -ENXIO);
        assert_int_equal(setenv("CREDENTIALS_DIRECTORY", folder, 1), 0);
        assert_int_equal(seal_key_read("key", &key), -ENOENT);
        assert_int_equal(read_key(folder, good, 0, &key), -ENODATA);
        assert_int_equal(read_key(folder, SEAL_KEY_NONE, strlen(SEAL_KEY_NONE), &key), -ENOENT);
        assert_int_equal(read_key(folder, good, SEAL_KEY_SIZE - 1, &key), -EBADMSG);
        assert_int_equal(read_key(folder, good, SEAL_KEY_SIZE + 1, &key), -EBADMSG);
        assert_int_equal(read_key(folder, zeroes, SEAL_KEY_SIZE, &key), -EBADMSG);
        assert_null(key);
        assert_int_equal(read_key(folder, good, SEAL_KEY_SIZE, &key), 0);
        assert_memory_equal(secret_data(key), good, SEAL_KEY_SIZE);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(there_and_back), cmocka_unit_test(sizes),
                cmocka_unit_test(another_key),    cmocka_unit_test(damaged),
                cmocka_unit_test(never_sealed),   cmocka_unit_test(key_from_credential),
        };

        return RUN_TESTS(tests);
}
