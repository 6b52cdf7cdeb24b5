/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rules out of settings: each port where its setting says, and none that this machine does not have. What nft makes of them is
 * the business of tests/tunnel/firewall.sh.
 */
#include "unit.h"

#include "cleanup.h"
#include "rules.h"

#include <stdlib.h>
#include <string.h>

static void expect(const char *text, const char *want)
{
        if (!strstr(text, want))
                fail_msg("no '%s' in:\n%s", want, text);
}

static char *of_hub(const char *settings)
{
        CLEANUP(hub_config_done) HubConfig config = {};
        _cleanup_free_ char *error = NULL;
        char *text = NULL;
        size_t size;
        FILE *file = open_memstream(&text, &size);

        assert_non_null(file);
        assert_int_equal(hub_config_load_text(&config, "x", settings, strlen(settings), &error), 0);
        rules_print_hub(file, &config);
        assert_int_equal(fclose(file), 0);
        return text;
}

static char *of_node(const char *settings)
{
        CLEANUP(node_config_done) NodeConfig config = {};
        _cleanup_free_ char *error = NULL;
        char *text = NULL;
        size_t size;
        FILE *file = open_memstream(&text, &size);

        assert_non_null(file);
        assert_int_equal(node_config_load_text(&config, "x", settings, strlen(settings), &error),
                         0);
        rules_print_node(file, &config);
        assert_int_equal(fclose(file), 0);
        return text;
}

static void hub(void **state)
{
        _cleanup_free_ char *usual = of_hub("");
        _cleanup_free_ char *other = of_hub("[Exports]\nPorts=20000-20000\n"
                                            "[Tunnel]\nReversePorts=65535-65535\n");

        (void) state;
        expect(usual, "table inet sendense-hub\ndelete table inet sendense-hub\n");
        expect(usual, "tcp dport 10100-10200 meta skuid { \"root\", \"sendense\", "
                      "\"sendense-tunnel\", \"sendense-copy\" } accept\n");
        expect(usual, "tcp dport 10100-10200 counter reject with tcp reset");
        expect(usual, "tcp dport 9081-9180 meta skuid { \"root\", \"sendense\" } accept\n");
        expect(usual, "tcp dport 9081-9180 counter reject with tcp reset");
        /* nft takes no range of one. */
        expect(other, "tcp dport 20000 meta");
        expect(other, "tcp dport 20000 counter reject");
        expect(other, "tcp dport 65535 counter reject");
        assert_null(strstr(other, "10100"));
        assert_null(strstr(other, "9081"));
}

static void node(void **state)
{
        _cleanup_free_ char *local = of_node("");
        _cleanup_free_ char *remote = of_node("[Tunnel]\nHub=hub\nPorts=30000-30001\n");

        (void) state;
        assert_null(strstr(local, "10100"));
        expect(local, "tcp dport 8081 meta skuid { \"root\", \"sendense\", \"sendense-tunnel\" } "
                      "accept\n");
        expect(local, "tcp dport 8081 counter reject with tcp reset");
        expect(remote, "tcp dport 30000-30001 meta skuid { \"root\", \"sendense-copy\" } accept\n");
        expect(remote, "tcp dport 30000-30001 counter reject with tcp reset");
        expect(remote, "tcp dport 8081 counter reject with tcp reset");
}

static void none(void **state)
{
        _cleanup_free_ char *text = NULL;
        size_t size;
        FILE *file = open_memstream(&text, &size);

        (void) state;
        assert_non_null(file);
        rules_print_none(file, "node");
        assert_int_equal(fclose(file), 0);
        assert_string_equal(text, "table inet sendense-node\ndelete table inet sendense-node\n");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(hub),
                cmocka_unit_test(node),
                cmocka_unit_test(none),
        };

        return RUN_TESTS(tests);
}
