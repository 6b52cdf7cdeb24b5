/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bundles: what is written is read again, what was changed is refused with a sentence that does not show the token.
 */
#include "unit.h"

#include "bundle.h"
#include "cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KEY   "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHeLQUHyaUwp6d696uBI3CNjDfzd8Bm124qKrmsfRkqo"
#define TOKEN "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
#define HEAD  "[Bundle]\nFormat=1\nNode=edge1\n"
#define PLACE "Hub=hub.example.org\nSshPort=443\n"
#define REST  "HostKey=" KEY "\nReversePort=9081\nPorts=10100-10200\nExpires=2026-11-22T14:00:00Z\n"
#define GOOD  HEAD PLACE REST "Token=" TOKEN "\n"

static int load(const char *text, Bundle *bundle, char **ret_error)
{
        return bundle_read(bundle, "bundle", text, strlen(text), ret_error);
}

static void fill(Bundle *bundle)
{
        bundle->node = strdup("edge1");
        bundle->hub = strdup("hub.example.org");
        bundle->host_key = strdup(KEY);
        bundle->expires = strdup("2026-11-22T14:00:00Z");
        bundle->ssh_port = 443;
        bundle->reverse_port = 9081;
        bundle->ports = (PortRange){ 10100, 10200 };
        for (unsigned i = 0; i < PUBLIC_KEY_SEED_SIZE; i++)
                bundle->seed[i] = (unsigned char) i;
}

static void both_ways(void **state)
{
        CLEANUP(bundle_done) Bundle bundle = {}, again = {};
        _cleanup_free_ char *text = NULL, *error = NULL;

        (void) state;
        fill(&bundle);
        assert_int_equal(bundle_format(&bundle, &text), 0);
        assert_string_equal(
                        text,
                        "# Node \"edge1\" of hub.example.org, valid once and until "
                        "2026-11-22T14:00:00Z. Whoever holds it can be this node: treat it as a "
                        "password.\n" GOOD);
        assert_int_equal(load(text, &again, &error), 0);
        assert_string_equal(again.node, "edge1");
        assert_string_equal(again.hub, "hub.example.org");
        assert_int_equal(again.ssh_port, 443);
        assert_string_equal(again.host_key, KEY);
        assert_int_equal(again.reverse_port, 9081);
        assert_int_equal(again.ports.last, 10200);
        assert_false(again.local);
        assert_memory_equal(again.seed, bundle.seed, PUBLIC_KEY_SEED_SIZE);
}

/* As it is written in node.conf, and without brackets: the port stands in a line of its own. */
static void by_number(void **state)
{
        static const char *const addresses[] = { "fd99::1", "fe80::1%eth0", "192.0.2.7" };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(addresses); i++) {
                CLEANUP(bundle_done) Bundle bundle = {}, again = {};
                _cleanup_free_ char *text = NULL, *error = NULL;

                fill(&bundle);
                free(bundle.hub);
                bundle.hub = strdup(addresses[i]);
                assert_int_equal(bundle_format(&bundle, &text), 0);
                assert_int_equal(load(text, &again, &error), 0);
                assert_string_equal(again.hub, addresses[i]);
                assert_int_equal(again.ssh_port, 443);
        }
}

static void local(void **state)
{
        CLEANUP(bundle_done) Bundle bundle = { .node = strdup("here"), .local = true }, again = {};
        _cleanup_free_ char *text = NULL, *error = NULL;

        (void) state;
        assert_int_equal(bundle_format(&bundle, &text), 0);
        assert_string_equal(text, "# Node \"here\" on the hub's own machine.\n[Bundle]\nFormat=1\n"
                                  "Node=here\nLocal=yes\n");
        assert_int_equal(load(text, &again, &error), 0);
        assert_true(again.local);
}

static void refused(void **state)
{
        static const struct {
                const char *text, *error;
        } bad[] = {
                { "", "Format= or Node= is missing" },
                { HEAD, "[Bundle] Hub= is missing" },
                { HEAD PLACE REST, "[Bundle] Token= is missing" },
                { HEAD PLACE "Token=" TOKEN "\n", "[Bundle] HostKey= is missing" },
                { HEAD "Hub=\nSshPort=443\n" REST "Token=" TOKEN "\n",
                  "Hub= or HostKey= is empty" },
                { HEAD PLACE REST "Token=" TOKEN "x\n", "Token= is cut off or changed" },
                { HEAD PLACE REST "Token=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh\n",
                  "Token= is cut off or changed" },
                { HEAD PLACE REST "Token=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdH+8\n",
                  "Token= is cut off or changed" },
                { HEAD PLACE "HostKey=ssh-rsa AAAA\n", "must be a public key of the form" },
                { HEAD "Hub=hub.example.org:443\n", "without brackets and without a port" },
                { HEAD "Hub=192.0.2.7:443\n", "without brackets and without a port" },
                { HEAD "Hub=[fd99::1]\n", "without brackets and without a port" },
                { HEAD "Hub=fd99::1::2\n", "without brackets and without a port" },
                { HEAD "Hub=fe80::1%\n", "without brackets and without a port" },
                { HEAD "Hub=hub%eth0\n", "without brackets and without a port" },
                { "[Bundle]\nFormat=2\n", "must be 1: is this program as new as the hub?" },
                { "[Bundle]\nFormat=1\nNode=../x\n", "must be a name of a-z, 0-9 and '-'" },
                { HEAD "Local=yes\nToken=" TOKEN "\n", "Local=yes allows no" },
                { GOOD "Also=x\n", "unknown key Also=" },
        };

        (void) state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                CLEANUP(bundle_done) Bundle bundle = {};
                _cleanup_free_ char *error = NULL;

                assert_int_equal(load(bad[i].text, &bundle, &error), -EINVAL);
                if (!strstr(error, bad[i].error))
                        fail_msg("%s", error);
                assert_null(strstr(error, "AAECAwQF"));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(both_ways),
                                            cmocka_unit_test(by_number), cmocka_unit_test(local),
                                            cmocka_unit_test(refused) };

        return RUN_TESTS(tests);
}
