/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lib/hub-config and lib/config-value: the default of each setting, its bounds and one beyond each, and
 * the settings that must fit each other.
 */
#include "unit.h"

#include "cleanup.h"
#include "hub-config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

static void expect_error(const char *text, const char *want)
{
        CLEANUP(hub_config_done) HubConfig config = {};
        _cleanup_free_ char *error = NULL;

        assert_int_equal(hub_config_load_text(&config, "hub.conf", text, strlen(text), &error),
                         -EINVAL);
        assert_non_null(error);
        assert_string_equal(error, want);
}

static void defaults(void **state)
{
        CLEANUP(hub_config_done) HubConfig config = {};
        _cleanup_free_ char *error = NULL;

        (void) state;
        assert_int_equal(hub_config_load_text(&config, "hub.conf", "", 0, &error), 0);
        assert_null(error);
        assert_int_equal(config.log_level, LOG_INFO);
        assert_string_equal(config.database_socket, "/run/mysqld/mysqld.sock");
        assert_string_equal(config.database_name, "sendense");
        assert_string_equal(config.database_user, "sendense");
        assert_int_equal(config.database_connect_timeout_usec, 2000000);
        assert_int_equal(config.database_query_timeout_usec, 10000000);
        assert_int_equal(config.database_probe_usec, 2000000);
        assert_int_equal(config.export_ports.first, 10100);
        assert_int_equal(config.export_ports.last, 10200);
        assert_int_equal(config.ssh_port, 443);
        assert_int_equal(config.reverse_ports.first, 9081);
        assert_int_equal(config.api_port, 8082);
        for (size_t i = 0; i < hub_config_n_keys; i++) {
                assert_null(config.config.origins[i].file);
                assert_string_equal(config_value(&config.config, i), hub_config_keys[i].fallback);
        }
}

static void errors_of_values(void **state)
{
        (void) state;
        expect_error("[Exports]\nPorts=10200-10100\n",
                     "hub.conf:2: [Exports] Ports=10200-10100 must be two ports FIRST-LAST, FIRST "
                     "not above LAST, 1000 ports at most");
        expect_error("[Exports]\nPorts=10000-11000\n",
                     "hub.conf:2: [Exports] Ports=10000-11000 must be two ports FIRST-LAST, FIRST "
                     "not above LAST, 1000 ports at most");
        expect_error("[Exports]\nPorts=10100\n",
                     "hub.conf:2: [Exports] Ports=10100 must be two ports FIRST-LAST, FIRST not "
                     "above LAST, 1000 ports at most");
        expect_error("[Exports]\nPorts=65000-65536\n",
                     "hub.conf:2: [Exports] Ports=65000-65536 must be two ports FIRST-LAST, FIRST "
                     "not above LAST, 1000 ports at most");
        expect_error("[Tunnel]\nSshPort=0\n",
                     "hub.conf:2: [Tunnel] SshPort=0 must be a port from 1 to 65535");
        expect_error("[Database]\nSocket=run/x\n",
                     "hub.conf:2: [Database] Socket=run/x must be an absolute path without '..', "
                     "107 bytes at most");
        expect_error("[Database]\nSocket=/run/../x\n",
                     "hub.conf:2: [Database] Socket=/run/../x must be an absolute path without "
                     "'..', 107 bytes at most");
        expect_error("[Database]\nSocket=/run/..\n",
                     "hub.conf:2: [Database] Socket=/run/.. must be an absolute path without '..', "
                     "107 bytes at most");
        expect_error("[Database]\nName=a-b\n",
                     "hub.conf:2: [Database] Name=a-b must be a name of a-z, 0-9 and _ that starts "
                     "with a letter, 64 bytes at most");
        expect_error("[Database]\nProbeSec=99ms\n",
                     "hub.conf:2: [Database] ProbeSec=99ms must be a time from 100ms to 60s");
        expect_error("[Database]\nQueryTimeoutSec=11min\n",
                     "hub.conf:2: [Database] QueryTimeoutSec=11min must be a time from 1s to "
                     "10min");
}

static void errors_between_values(void **state)
{
        (void) state;
        expect_error("[Tunnel]\n\nReversePorts=10200-10210\n",
                     "hub.conf:3: [Tunnel] ReversePorts=: 10200-10210 overlaps [Exports] "
                     "Ports=10100-10200, must be outside of it");
        expect_error("[Exports]\nPorts=8000-8100\n",
                     "hub.conf:2: [Exports] Ports=: 8000-8100 overlaps [Api] Port=8082, must be "
                     "outside of it");
        expect_error("[Database]\n\nUser=root\n",
                     "hub.conf:3: [Database] User=: root is an administrator of MariaDB, must be a "
                     "user of the hub's own");
        expect_error("[Database]\nUser=mysql\n", "hub.conf:2: [Database] User=: mysql is an "
                                                 "administrator of MariaDB, must be a "
                                                 "user of the hub's own");
        expect_error("[Api]\nListen=::\nCertificate=/a\n",
                     "hub.conf:2: [Api] Listen=: :: needs [Api] Key=, because beyond this machine "
                     "the API speaks TLS alone");
        expect_error("[Api]\nListen=0.0.0.0\n",
                     "hub.conf:2: [Api] Listen=: 0.0.0.0 needs [Api] Certificate=, because beyond "
                     "this machine the API speaks TLS alone");
        expect_error("[Api]\nListen=localhost\n",
                     "hub.conf:2: [Api] Listen=localhost must be an IPv4 or IPv6 address, or "
                     "nothing");
        expect_error("[Api]\nKey=/a b\n",
                     "hub.conf:2: [Api] Key=/a b must be an absolute path of letters, digits and "
                     "/._+@- without '..', 512 bytes at most");
        expect_error("[Api]\nListen=::1\nCertificate=/a\nKey=/b\nTlsPort=8082\n",
                     "hub.conf:5: [Api] TlsPort=: 8082 overlaps [Api] Port=8082, must be outside "
                     "of it");
        expect_error("[Api]\nPort=443\n", "hub.conf:2: [Api] Port=: 443 overlaps [Tunnel] "
                                          "SshPort=443, must be outside of it");
}

static void load_one(const char *section, const char *key, const char *value, int want)
{
        CLEANUP(hub_config_done) HubConfig config = {};
        _cleanup_free_ char *error = NULL, *text = NULL;

        assert_true(asprintf(&text, "[%s]\n%s=%s\n", section, key, value) > 0);
        assert_int_equal(hub_config_load_text(&config, "hub.conf", text, strlen(text), &error),
                         want);
        assert_int_equal(error != NULL, want < 0);
}

static void limits(void **state)
{
        _cleanup_free_ char *name64 = unit_repeat('a', 64), *name65 = unit_repeat('a', 65);
        _cleanup_free_ char *path107 = unit_repeat('p', 107), *path108 = unit_repeat('p', 108);

        (void) state;
        path107[0] = path108[0] = '/';
        load_one("Database", "Name", name64, 0);
        load_one("Database", "Name", name65, -EINVAL);
        load_one("Database", "User", "root1", 0);
        load_one("Database", "User", "mysqld", 0);
        load_one("Database", "Socket", path107, 0);
        load_one("Database", "Socket", path108, -EINVAL);
        load_one("Exports", "Ports", "10000-10999", 0);
        load_one("Exports", "Ports", "10000-11000", -EINVAL);
        load_one("Exports", "Ports", "65535-65535", 0);
        load_one("Database", "ProbeSec", "100ms", 0);
        load_one("Database", "ProbeSec", "60s", 0);
        load_one("Database", "ProbeSec", "61s", -EINVAL);
        load_one("Exports", "Ports", "000010100-10200", -EINVAL);
        load_one("Exports", "Ports", "10100-10200-10300", -EINVAL);
        load_one("Exports", "ProbeSec", "1s", 0);
        load_one("Exports", "ProbeSec", "999ms", -EINVAL);
        load_one("Exports", "AnswerTimeoutSec", "1h", 0);
        load_one("Exports", "AnswerTimeoutSec", "3601s", -EINVAL);
        load_one("Exports", "MemoryMax", "64M", 0);
        load_one("Exports", "MemoryMax", "65535K", -EINVAL);
        load_one("Exports", "MemoryMax", "64G", 0);
        load_one("Exports", "MemoryMax", "65G", -EINVAL);
        load_one("Exports", "TlsPsk", "yes", 0);
        load_one("Exports", "TlsPsk", "maybe", -EINVAL);
        load_one("Jobs", "Running", "1", 0);
        load_one("Jobs", "Running", "0", -EINVAL);
        load_one("Jobs", "RunningPerRepository", "1000", 0);
        load_one("Jobs", "RunningPerRepository", "1001", -EINVAL);
        load_one("Jobs", "RunningPerNode", "1000", 0);
        load_one("Jobs", "RunningPerNode", "0", -EINVAL);
        load_one("Jobs", "RunningPerHost", "1000", 0);
        load_one("Jobs", "RunningPerHost", "0", -EINVAL);
        load_one("Jobs", "RunningPerHost", "1001", -EINVAL);
        load_one("Jobs", "Retries", "0", 0);
        load_one("Jobs", "Retries", "101", -EINVAL);
        load_one("Jobs", "RetrySec", "1s", 0);
        load_one("Jobs", "RetrySec", "0", -EINVAL);
        load_one("Jobs", "NodeLostSec", "10s", 0);
        load_one("Jobs", "NodeLostSec", "9s", -EINVAL);
        load_one("Jobs", "ReleaseSec", "24h", 0);
        load_one("Jobs", "ReleaseSec", "25h", -EINVAL);
        load_one("Jobs", "Queued", "1000", 0);
        load_one("Jobs", "Queued", "1001", -EINVAL);
        load_one("Repositories", "MinFree", "0", 0);
        load_one("Repositories", "MinFree", "1024T", 0);
        load_one("Repositories", "MinFree", "1025T", -EINVAL);
        load_one("Repositories", "MinFree", "1g", -EINVAL);
        load_one("Repositories", "FirstFullPercent", "0", 0);
        load_one("Repositories", "FirstFullPercent", "100", 0);
        load_one("Repositories", "FirstFullPercent", "101", -EINVAL);
        load_one("Repositories", "StepTimeoutSec", "4s", -EINVAL);
        load_one("Repositories", "StepTimeoutSec", "5s", 0);
        load_one("Repositories", "StepTimeoutSec", "24h", 0);
        load_one("Repositories", "StepTimeoutSec", "25h", -EINVAL);
        load_one("Backup", "AllowSources", "yes", 0);
        load_one("Backup", "AllowSources", "true", -EINVAL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(defaults),
                cmocka_unit_test(errors_of_values),
                cmocka_unit_test(errors_between_values),
                cmocka_unit_test(limits),
        };

        return RUN_TESTS(tests);
}
