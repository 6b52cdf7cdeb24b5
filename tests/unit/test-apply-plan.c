/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What "config apply" asks of systemd: each setting concerns what reads it; what runs by the old settings is touched, in an order
 * in which it comes up, and nothing else.
 */
#include "apply-plan.h"

#include "cleanup.h"
#include "hub-config.h"
#include "node-config.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

enum {
        FILES_USEC = 1000,
        BEFORE = 500,
        SINCE = 1500,
};

/* All run by older files, API by TLS and tunnel included. */
static ApplyNow all_old(void)
{
        ApplyNow now = {
                .hub_usec = FILES_USEC, .node_usec = FILES_USEC, .has_tls = true, .has_hub = true
        };

        for (size_t i = 0; i < APPLY_UNIT_MAX; i++)
                now.units[i] = (SystemdUnit){ .is_loaded = true,
                                              .is_wanted = true,
                                              .begun_usec = BEFORE,
                                              .changed_usec = BEFORE };
        return now;
}

/* The steps in a line: "RestartUnit sendense-hub.service; …", without "sendense-", "Unit" and ".service". */
static const char *steps_of(const ApplyNow *now, unsigned concerns, ApplyPlan *plan)
{
        static char line[1024];
        size_t used = 0;

        apply_plan(now, concerns, plan);
        assert_true(plan->n_steps <= APPLY_STEPS_MAX);
        line[0] = '\0';
        for (size_t i = 0; i < plan->n_steps; i++) {
                const char *unit = apply_unit_name(plan->steps[i].unit);

                if (strncmp(unit, "sendense-", 9) == 0)
                        unit += 9;
                used += (size_t) snprintf(line + used, sizeof(line) - used, "%s%s %s",
                                          i > 0 ? "; " : "", plan->steps[i].method, unit);
        }
        return line;
}

static void each_setting(void **state)
{
        static const struct {
                bool is_node;
                const char *section, *key;
                unsigned concerns;
        } cases[] = {
                { false, "Hub", "LogLevel", APPLY_HUB },
                { false, "Jobs", "Running", APPLY_HUB },
                { false, "Exports", "TlsPsk", APPLY_HUB },
                { false, "Exports", "Ports", APPLY_HUB | APPLY_SSHD },
                { false, "Tunnel", "ReversePorts", APPLY_HUB | APPLY_SSHD },
                { false, "Tunnel", "HealthSec", APPLY_HUB },
                { false, "Tunnel", "SshPort", APPLY_SSHD_PORT },
                { false, "Tunnel", "PublicAddress", 0 },
                { false, "Api", "Port", APPLY_API_SOCKETS },
                { false, "Api", "Listen", APPLY_API_SOCKETS },
                { false, "Api", "TlsPort", APPLY_API_SOCKETS },
                { false, "Api", "Certificate", APPLY_API },
                { false, "Api", "Key", APPLY_API },
                { true, "Node", "LogLevel", APPLY_NODE },
                { true, "Copy", "Transport", APPLY_NODE },
                { true, "Tunnel", "Hub", APPLY_TUNNEL_HUB },
                { true, "Tunnel", "Ports", APPLY_TUNNEL_SOCKETS },
                { true, "Tunnel", "SshPort", APPLY_TUNNEL },
                { true, "Tunnel", "ReversePort", APPLY_TUNNEL },
                { true, "Tunnel", "HoldSec", APPLY_TUNNEL },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                assert_int_equal(apply_concerns(cases[i].is_node, cases[i].section, cases[i].key),
                                 cases[i].concerns);
}

/* A setting that somebody adds concerns something, or stands above. */
static void every_setting(void **state)
{
        (void) state;
        for (size_t i = 0; i < hub_config_n_keys; i++)
                assert_true(apply_concerns(false, hub_config_keys[i].section,
                                           hub_config_keys[i].name) != 0 ||
                            strcmp(hub_config_keys[i].name, "PublicAddress") == 0);
        for (size_t i = 0; i < node_config_n_keys; i++)
                assert_true(apply_concerns(true, node_config_keys[i].section,
                                           node_config_keys[i].name) != 0);
}

static void nothing_changed(void **state)
{
        ApplyNow now = all_old();
        ApplyPlan plan;

        (void) state;
        assert_string_equal(steps_of(&now, 0, &plan), "");
        assert_int_equal(plan.not_running | plan.has_read, 0);
}

static void one_concern(void **state)
{
        static const struct {
                unsigned concerns;
                const char *steps;
        } cases[] = {
                { APPLY_HUB, "RestartUnit hub.service" },
                { APPLY_SSHD, "ReloadOrRestartUnit sshd.service" },
                { APPLY_SSHD_PORT, "RestartUnit sshd.service" },
                { APPLY_SSHD | APPLY_SSHD_PORT, "RestartUnit sshd.service" },
                { APPLY_HUB | APPLY_SSHD,
                  "ReloadOrRestartUnit sshd.service; RestartUnit hub.service" },
                { APPLY_API, "Reload systemd; RestartUnit hub-api.service" },
                { APPLY_API_SOCKETS,
                  "StopUnit hub-api-tls.socket; StopUnit hub-api.socket; StopUnit hub-api.service; "
                  "Reload systemd; StartUnit hub-api.socket; StartUnit hub-api-tls.socket" },
                { APPLY_NODE, "RestartUnit node.service" },
                { APPLY_TUNNEL, "RestartUnit tunnel.service" },
                { APPLY_TUNNEL_SOCKETS,
                  "StopUnit tunnel.socket; StopUnit tunnel.service; Reload systemd; StartUnit "
                  "tunnel.socket; StartUnit tunnel.service" },
        };
        ApplyNow now = all_old();
        ApplyPlan plan;

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                assert_string_equal(steps_of(&now, cases[i].concerns, &plan), cases[i].steps);
        /* What moves a socket starts its service anew anyway. */
        assert_string_equal(steps_of(&now, APPLY_TUNNEL | APPLY_TUNNEL_SOCKETS, &plan),
                            "StopUnit tunnel.socket; StopUnit tunnel.service; Reload systemd; "
                            "StartUnit tunnel.socket; StartUnit tunnel.service");
        assert_string_equal(steps_of(&now, APPLY_API | APPLY_API_SOCKETS, &plan), cases[6].steps);
}

/* All of it at once, as where nothing is known: stopped first, read anew once, up again. */
static void everything(void **state)
{
        ApplyNow now = all_old();
        ApplyPlan plan;

        (void) state;
        assert_string_equal(
                        steps_of(&now, apply_all_concerns(false) | apply_all_concerns(true), &plan),
                        "StopUnit tunnel.socket; StopUnit tunnel.service; StopUnit "
                        "hub-api-tls.socket; StopUnit hub-api.socket; StopUnit hub-api.service; "
                        "Reload systemd; StartUnit hub-api.socket; StartUnit hub-api-tls.socket; "
                        "ReloadOrRestartUnit sshd.service; RestartUnit hub.service; RestartUnit "
                        "node.service; StartUnit tunnel.socket; StartUnit tunnel.service");
}

static void what_has_begun_since_stays(void **state)
{
        ApplyNow now = all_old();
        ApplyPlan plan;

        (void) state;
        now.units[APPLY_UNIT_HUB].begun_usec = SINCE;
        assert_string_equal(steps_of(&now, APPLY_HUB | APPLY_SSHD, &plan),
                            "ReloadOrRestartUnit sshd.service");
        assert_int_equal(plan.has_read, 1U << APPLY_UNIT_HUB);
        /* A reload is no start; for another port it is not enough. */
        now.units[APPLY_UNIT_SSHD].changed_usec = SINCE;
        assert_string_equal(steps_of(&now, APPLY_HUB | APPLY_SSHD, &plan), "");
        assert_int_equal(plan.has_read, 1U << APPLY_UNIT_HUB | 1U << APPLY_UNIT_SSHD);
        assert_string_equal(steps_of(&now, APPLY_SSHD_PORT, &plan), "RestartUnit sshd.service");
        /* The same moment is not later. */
        now.units[APPLY_UNIT_HUB].begun_usec = FILES_USEC;
        assert_string_equal(steps_of(&now, APPLY_HUB, &plan), "RestartUnit hub.service");
        now.units[APPLY_UNIT_TUNNEL_SOCKET].begun_usec = SINCE;
        assert_string_equal(steps_of(&now, APPLY_TUNNEL_SOCKETS, &plan), "Reload systemd");
        /* Of each the files that it reads. */
        now.hub_usec = 10;
        assert_string_equal(steps_of(&now, APPLY_HUB | APPLY_NODE, &plan),
                            "RestartUnit node.service");
}

static void what_does_not_run_stays(void **state)
{
        ApplyNow now = all_old();
        ApplyPlan plan;

        (void) state;
        for (size_t i = 0; i < APPLY_UNIT_MAX; i++)
                now.units[i].is_wanted = false;
        assert_string_equal(
                        steps_of(&now, apply_all_concerns(false) | apply_all_concerns(true), &plan),
                        "Reload systemd");
        assert_int_equal(plan.not_running, 1U << APPLY_UNIT_HUB | 1U << APPLY_UNIT_SSHD |
                                                           1U << APPLY_UNIT_API_SOCKET |
                                                           1U << APPLY_UNIT_NODE |
                                                           1U << APPLY_UNIT_TUNNEL_SOCKET);
        /* An idle API is started by its socket, with what systemd knows of it. */
        assert_string_equal(steps_of(&now, APPLY_API, &plan), "Reload systemd");
}

static void tunnel_comes_and_goes(void **state)
{
        ApplyNow now = all_old();
        ApplyPlan plan;

        (void) state;
        now.units[APPLY_UNIT_TUNNEL_SOCKET] = now.units[APPLY_UNIT_TUNNEL] = (SystemdUnit){};
        assert_string_equal(steps_of(&now, APPLY_TUNNEL_HUB, &plan),
                            "Reload systemd; StartUnit tunnel.socket; StartUnit tunnel.service");
        assert_int_equal(plan.not_running, 0);
        /* Other settings start nothing that was stopped. */
        assert_string_equal(steps_of(&now, APPLY_TUNNEL | APPLY_TUNNEL_SOCKETS, &plan),
                            "Reload systemd");
        /* Nobody knows what was before: one that was never made is new, one that was stopped or masked is not. */
        assert_string_equal(steps_of(&now, apply_all_concerns(true), &plan),
                            "Reload systemd; RestartUnit node.service");
        now.units[APPLY_UNIT_TUNNEL_SOCKET].is_missing = true;
        assert_string_equal(steps_of(&now, apply_all_concerns(true), &plan),
                            "Reload systemd; RestartUnit node.service; StartUnit tunnel.socket; "
                            "StartUnit tunnel.service");
        now.units[APPLY_UNIT_TUNNEL_SOCKET] = (SystemdUnit){ .is_loaded = true };
        assert_string_equal(steps_of(&now, apply_all_concerns(true), &plan),
                            "Reload systemd; RestartUnit node.service");
        now.units[APPLY_UNIT_TUNNEL_SOCKET] = (SystemdUnit){ .is_missing = true };
        now.has_hub = false;
        assert_string_equal(steps_of(&now, apply_all_concerns(true), &plan),
                            "Reload systemd; RestartUnit node.service");
        now = all_old();
        now.has_hub = false;
        assert_string_equal(steps_of(&now, APPLY_TUNNEL_HUB | APPLY_TUNNEL, &plan),
                            "StopUnit tunnel.socket; StopUnit tunnel.service; Reload systemd; "
                            "ReloadOrTryRestartUnit firewall@node.service");
}

static void tls_comes_and_goes(void **state)
{
        ApplyNow now = all_old();
        ApplyPlan plan;

        (void) state;
        now.units[APPLY_UNIT_API_TLS_SOCKET].is_wanted = false;
        now.units[APPLY_UNIT_API].is_wanted = false;
        assert_string_equal(steps_of(&now, APPLY_API_SOCKETS, &plan),
                            "StopUnit hub-api.socket; Reload systemd; StartUnit hub-api.socket; "
                            "StartUnit hub-api-tls.socket");
        now = all_old();
        now.has_tls = false;
        assert_string_equal(steps_of(&now, APPLY_API_SOCKETS, &plan),
                            "StopUnit hub-api-tls.socket; StopUnit hub-api.socket; StopUnit "
                            "hub-api.service; Reload systemd; StartUnit hub-api.socket");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_setting),
                cmocka_unit_test(every_setting),
                cmocka_unit_test(nothing_changed),
                cmocka_unit_test(one_concern),
                cmocka_unit_test(everything),
                cmocka_unit_test(what_has_begun_since_stays),
                cmocka_unit_test(what_does_not_run_stays),
                cmocka_unit_test(tunnel_comes_and_goes),
                cmocka_unit_test(tls_comes_and_goes),
        };

        return RUN_TESTS(tests);
}
