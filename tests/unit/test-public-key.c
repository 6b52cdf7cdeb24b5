/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Public keys as text, against what ssh-keygen made and showed.
 */
#include "unit.h"

#include "public-key.h"

#include <errno.h>
#include <string.h>

#define TEXT  "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHeLQUHyaUwp6d696uBI3CNjDfzd8Bm124qKrmsfRkqo"
#define SHOWN "SHA256:t0GfMtcX9JJi6b3sxLX9Zu14f2vdmgEG2K14Ytm1ay4"

static const unsigned char bytes[] =
                "\x77\x8b\x41\x41\xf2\x69\x4c\x29\xe9\xde\xbd\xea\xe0\x48\xdc\x23"
                "\x63\x0d\xfc\xdd\xf0\x19\xb5\xdb\x8a\x8a\xae\x6b\x1f\x46\x4a\xa8";
static const unsigned char seed[] =
                "\xae\xe1\x8a\xea\x4c\xdb\x02\xa5\xd8\xc5\xfa\xaa\x35\x4c\xd8\xad"
                "\xbf\xd1\x1f\xaa\xee\x44\x43\xc5\x84\xcf\x30\x58\x8b\xf8\x12\xff";

static void both_ways(void **state)
{
        char text[PUBLIC_KEY_TEXT_SIZE], shown[PUBLIC_KEY_FINGERPRINT_SIZE];
        PublicKey key;

        (void) state;
        assert_int_equal(public_key_parse(TEXT, &key), 0);
        assert_memory_equal(key.bytes, bytes, PUBLIC_KEY_SIZE);
        public_key_format(&key, text);
        assert_string_equal(text, TEXT);
        public_key_fingerprint(&key, shown);
        assert_string_equal(shown, SHOWN);
}

static void seeds(void **state)
{
        PublicKey key;

        (void) state;
        assert_int_equal(public_key_of_seed(seed, &key), 0);
        assert_memory_equal(key.bytes, bytes, PUBLIC_KEY_SIZE);
}

static void refused(void **state)
{
        static const char *const bad[] = {
                "",
                "ssh-ed25519",
                "ssh-ed25519 ",
                TEXT " ",
                TEXT "\n",
                TEXT " comment",
                (" " TEXT),
                "ssh-ed25519  AAAAC3NzaC1lZDI1NTE5AAAAIHeLQUHyaUwp6d696uBI3CNjDfzd8Bm124qKrmsfRkq",
                "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHeLQUHyaUwp6d696uBI3CNjDfzd8Bm124qKrmsfRk=o",
                "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIXeLQUHyaUwp6d696uBI3CNjDfzd8Bm124qKrmsfRkqo",
                "ssh-ed25519 AAAAC3NzaC1lZDI1NTE4AAAAIHeLQUHyaUwp6d696uBI3CNjDfzd8Bm124qKrmsfRkqo",
                "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHeLQUHyaUwp6d696uBI3CNjDfzd8Bm124qKrmsfRk==",
                "ssh-ed25518 AAAAC3NzaC1lZDI1NTE5AAAAIHeLQUHyaUwp6d696uBI3CNjDfzd8Bm124qKrmsfRkqo",
        };
        PublicKey key;

        (void) state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                assert_int_equal(public_key_parse(bad[i], &key), -EINVAL);
}

static void files(void **state)
{
        PublicKey key;

        (void) state;
        assert_int_equal(public_key_parse_file(TEXT, &key), 0);
        assert_int_equal(public_key_parse_file(TEXT "\n", &key), 0);
        assert_int_equal(public_key_parse_file(TEXT " sendense-hub of x\n", &key), 0);
        assert_memory_equal(key.bytes, bytes, PUBLIC_KEY_SIZE);
        assert_int_equal(public_key_parse_file("", &key), -EINVAL);
        assert_int_equal(public_key_parse_file("ssh-ed25519\n" TEXT, &key), -EINVAL);
        assert_int_equal(public_key_parse_file(TEXT "A x\n", &key), -EINVAL);
        assert_int_equal(public_key_parse_file("# " TEXT "\n", &key), -EINVAL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(both_ways),
                cmocka_unit_test(seeds),
                cmocka_unit_test(refused),
                cmocka_unit_test(files),
        };

        return RUN_TESTS(tests);
}
