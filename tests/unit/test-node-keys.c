/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which node a key belongs to. A file that is not understood in full lets nobody in.
 */
#include "unit.h"

#include "node-keys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GOOD "site1 9081 ssh-ed25519 AAAAC3one\n"

static int found(const char *text, const char *type, const char *key, NodeKey *ret_node)
{
        char path[] = "/tmp/sendense-node-keys-XXXXXX";
        int fd = mkstemp(path), r;

        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
        assert_int_equal(close(fd), 0);
        r = node_keys_find(path, type, key, ret_node);
        assert_int_equal(unlink(path), 0);
        return r;
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

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(nodes), cmocka_unit_test(nobody) };

        return RUN_TESTS(tests);
}
