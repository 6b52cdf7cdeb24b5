/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which node, or which token, a key belongs to. A file that is not understood in full lets nobody in.
 */
#include "unit.h"

#include "cleanup.h"
#include "node-keys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define GOOD "site1 9081 ssh-ed25519 AAAAC3one\n"

static char *make_file(const char *text)
{
        _cleanup_free_ char *folder = unit_folder();
        char *path = unit_path(folder, "keys");

        unit_write(path, text, strlen(text), 0644);
        return path;
}

static int found(const char *text, const char *type, const char *key, NodeKey *ret_node)
{
        _cleanup_free_ char *path = make_file(text);

        return node_keys_find(path, type, key, ret_node);
}

static int found_token(const char *text, const char *key, NodeToken *ret_token)
{
        _cleanup_free_ char *path = make_file(text);

        return node_tokens_find(path, "ssh-ed25519", key, ret_token);
}

static void nodes(void **state)
{
        static const char two[] = "# nodes\n\n" GOOD "site-2 9082 ssh-ed25519 AAAAC3two\n";
        NodeKey node;

        (void) state;
        assert_int_equal(found(two, "ssh-ed25519", "AAAAC3one", &node), 0);
        assert_string_equal(node.name, "site1");
        assert_int_equal(node.reverse_port, 9081);
        assert_int_equal(found(two, "ssh-ed25519", "AAAAC3two", &node), 0);
        assert_string_equal(node.name, "site-2");
        assert_int_equal(node.reverse_port, 9082);
        assert_int_equal(found(two, "ssh-ed25519", "AAAAC3", &node), -ENOENT);
        assert_int_equal(found(two, "ssh-rsa", "AAAAC3one", &node), -ENOENT);
        assert_int_equal(found("", "ssh-ed25519", "AAAAC3one", &node), -ENOENT);
        assert_int_equal(node_keys_find("/nonexistent/keys", "a", "b", &node), -ENOENT);
}

static void nobody(void **state)
{
        static const char *const bad[] = {
                GOOD "site2 9082 ssh-ed25519\n", /* no key */
                GOOD "site2 9082 ssh-ed25519 AAAA more\n",
                GOOD "site2 0 ssh-ed25519 AAAA\n",
                GOOD "site2 65536 ssh-ed25519 AAAA\n",
                GOOD "site2 908x ssh-ed25519 AAAA\n",
                GOOD "Site2 9082 ssh-ed25519 AAAA\n",
                GOOD "si\"te 9082 ssh-ed25519 AAAA\n", /* would end an option of sshd's */
                GOOD "-site 9082 ssh-ed25519 AAAA\n",
                GOOD " 9082 ssh-ed25519 AAAA\n",
                GOOD "site2 9082 ssh-ed25519 AAAA", /* cut off */
        };
        NodeKey node;

        (void) state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                assert_int_equal(found(bad[i], "ssh-ed25519", "AAAAC3one", &node), -EBADMSG);
}

static void tokens(void **state)
{
        static const char two[] = "# tokens\n\nsite1 1795000000 ssh-ed25519 AAAAC3one\n"
                                  "site-2 9223372036854775807 ssh-ed25519 AAAAC3two\n";
        NodeToken token;

        (void) state;
        assert_int_equal(found_token(two, "AAAAC3one", &token), 0);
        assert_string_equal(token.name, "site1");
        assert_int_equal(token.expires_unix, 1795000000);
        assert_int_equal(found_token(two, "AAAAC3two", &token), 0);
        assert_string_equal(token.name, "site-2");
        assert_int_equal(token.expires_unix, INT64_MAX);
        assert_int_equal(found_token(two, "AAAAC3", &token), -ENOENT);
        assert_int_equal(found_token("site1 -5 ssh-ed25519 AAAA\n", "AAAA", &token), -EBADMSG);
        assert_int_equal(node_tokens_find("/nonexistent/tokens", "a", "b", &token), -ENOENT);
}

/* ── What the hub writes ── */

#define HEAD  "# Written by sendense-hub.service; a change here is lost.\n"
#define ONE   "AAAAC3NzaC1lZDI1NTE5AAAAIHeLQUHyaUwp6d696uBI3CNjDfzd8Bm124qKrmsfRkqo"
#define TWO   "AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define TYPED "ssh-ed25519 "

static void written(void **state)
{
        static const char *const public_keys[] = { TYPED ONE, TYPED TWO };
        static const NodeKey nodes_two[] = { { "site1", 9081 }, { "site-2", 65535 } };
        static const NodeToken tokens_two[] = { { "site1", 1 }, { "site-2", INT64_MAX } };
        NodeToken token;
        NodeKey node;
        char *text;

        (void) state;
        assert_int_equal(node_keys_format(NULL, NULL, 0, &text), 0);
        assert_string_equal(text, HEAD);
        free(text);
        assert_int_equal(node_keys_format(nodes_two, public_keys, 2, &text), 0);
        assert_string_equal(text, HEAD "site1 9081 " TYPED ONE "\nsite-2 65535 " TYPED TWO "\n");
        assert_int_equal(found(text, "ssh-ed25519", TWO, &node), 0);
        assert_int_equal(node.reverse_port, 65535);
        free(text);

        assert_int_equal(node_tokens_format(tokens_two, public_keys, 2, &text), 0);
        assert_string_equal(text, HEAD "site1 1 " TYPED ONE
                                       "\nsite-2 9223372036854775807 " TYPED TWO "\n");
        assert_int_equal(found_token(text, TWO, &token), 0);
        assert_string_equal(token.name, "site-2");
        free(text);
}

static void not_written(void **state)
{
        static const char *const good[] = { TYPED ONE }, *const bad[] = { TYPED ONE "\nx" };
        static const NodeKey nodes_bad[] = {
                { "", 9081 }, { "a b", 9081 }, { "a\nb", 9081 }, { "a", 0 }
        };
        static const NodeKey node = { "a", 1 };
        static const NodeToken token = { "a", 1 },
                               tokens_bad[] = { { "-a", 1 }, { "a", 0 }, { "a", UINT64_MAX } };
        char *text = NULL;

        (void) state;
        for (size_t i = 0; i < sizeof(nodes_bad) / sizeof(nodes_bad[0]); i++)
                assert_int_equal(node_keys_format(nodes_bad + i, good, 1, &text), -EINVAL);
        for (size_t i = 0; i < sizeof(tokens_bad) / sizeof(tokens_bad[0]); i++)
                assert_int_equal(node_tokens_format(tokens_bad + i, good, 1, &text), -EINVAL);
        assert_int_equal(node_keys_format(&node, bad, 1, &text), -EINVAL);
        assert_int_equal(node_tokens_format(&token, bad, 1, &text), -EINVAL);
        assert_null(text);
}

static void names(void **state)
{
        char *longest = unit_repeat('a', 64), *longer = unit_repeat('a', 65);

        (void) state;
        assert_true(node_name_is_valid(longest));
        assert_false(node_name_is_valid(longer));
        assert_true(node_name_is_valid("0-a"));
        assert_false(node_name_is_valid(""));
        assert_false(node_name_is_valid("-a"));
        assert_false(node_name_is_valid("A"));
        assert_false(node_name_is_valid("a.b"));
        free(longest);
        free(longer);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(nodes),   cmocka_unit_test(nobody),      cmocka_unit_test(tokens),
                cmocka_unit_test(written), cmocka_unit_test(not_written), cmocka_unit_test(names),
        };

        return RUN_TESTS(tests);
}
