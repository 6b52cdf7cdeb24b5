/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of the hub's settings and the checks between them (see hub-config.h). Adding a setting
 * means a line here, a field there, and a paragraph in docs/man/sendense-hub.conf.5.
 */
#include "hub-config.h"

#include "cleanup.h"
#include "parse.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define FIELD(name) offsetof(HubConfig, name)

const ConfigKey hub_config_keys[] = {
        { "Hub", "LogLevel", config_parse_level, FIELD(log_level), 0, 0, "info",
          "one of emerg, alert, crit, err, warning, notice, info, debug" },

        { "Database", "Socket", config_parse_path, FIELD(database_socket), 0, 107,
          "/run/mysqld/mysqld.sock", "an absolute path without '..', 107 bytes at most" },
        { "Database", "Name", config_parse_word, FIELD(database_name), 0, 64, "sendense",
          "a name of a-z, 0-9 and _ that starts with a letter, 64 bytes at most" },
        { "Database", "User", config_parse_word, FIELD(database_user), 0, 32, "sendense",
          "a name of a-z, 0-9 and _ that starts with a letter, 32 bytes at most" },
        { "Database", "ConnectTimeoutSec", config_parse_span, FIELD(database_connect_timeout_usec),
          USEC_PER_SEC, 8 * USEC_PER_SEC, "2s", "a time from 1s to 8s" },
        { "Database", "QueryTimeoutSec", config_parse_span, FIELD(database_query_timeout_usec),
          USEC_PER_SEC, 600 * USEC_PER_SEC, "10s", "a time from 1s to 10min" },
        { "Database", "ProbeSec", config_parse_span, FIELD(database_probe_usec),
          100 * USEC_PER_MSEC, 60 * USEC_PER_SEC, "2s", "a time from 100ms to 60s" },

        { "Exports", "Ports", config_parse_port_range, FIELD(export_ports), 0, 1000, "10100-10200",
          "two ports FIRST-LAST, FIRST not above LAST, 1000 ports at most" },
        { "Exports", "ProbeSec", config_parse_span, FIELD(export_probe_usec), USEC_PER_SEC,
          3600 * USEC_PER_SEC, "10s", "a time from 1s to 1h" },
        { "Exports", "AnswerTimeoutSec", config_parse_span, FIELD(export_answer_timeout_usec),
          USEC_PER_SEC, 3600 * USEC_PER_SEC, "30s", "a time from 1s to 1h" },
        { "Exports", "MemoryMax", config_parse_size, FIELD(export_memory_bytes), UINT64_C(64) << 20,
          UINT64_C(64) << 30, "512M", "a size from 64M to 64G" },
        { "Exports", "TlsPsk", config_parse_bool, FIELD(export_tls_psk), 0, 0, "no", "yes or no" },

        { "Jobs", "Running", config_parse_number, FIELD(jobs_running), 1, 1000, "8",
          "a number from 1 to 1000" },
        { "Jobs", "RunningPerRepository", config_parse_number, FIELD(jobs_running_per_repository),
          1, 1000, "4", "a number from 1 to 1000" },
        { "Jobs", "RunningPerNode", config_parse_number, FIELD(jobs_running_per_node), 1, 1000, "4",
          "a number from 1 to 1000" },
        { "Jobs", "RunningPerHost", config_parse_number, FIELD(jobs_running_per_host), 1, 1000, "4",
          "a number from 1 to 1000" },
        { "Jobs", "Queued", config_parse_number, FIELD(jobs_queued), 1, 1000, "200",
          "a number from 1 to 1000" },
        { "Jobs", "Retries", config_parse_number, FIELD(jobs_retries), 0, 100, "2",
          "a number from 0 to 100" },
        { "Jobs", "RetrySec", config_parse_span, FIELD(jobs_retry_usec), USEC_PER_SEC,
          86400 * USEC_PER_SEC, "5min", "a time from 1s to 24h" },
        { "Jobs", "NodeLostSec", config_parse_span, FIELD(node_lost_usec), 10 * USEC_PER_SEC,
          86400 * USEC_PER_SEC, "30min", "a time from 10s to 24h" },
        { "Jobs", "ReleaseSec", config_parse_span, FIELD(node_release_usec), USEC_PER_SEC,
          86400 * USEC_PER_SEC, "10min", "a time from 1s to 24h" },

        { "Repositories", "MinFree", config_parse_size, FIELD(repository_reserve_bytes), 0,
          UINT64_C(1) << 50, "1G", "a size from 0 to 1024T, such as 500M" },
        { "Repositories", "FirstFullPercent", config_parse_number,
          FIELD(repository_first_full_percent), 0, 100, "50", "a number from 0 to 100" },
        { "Repositories", "StepTimeoutSec", config_parse_span, FIELD(repository_step_usec),
          5 * USEC_PER_SEC, 86400 * USEC_PER_SEC, "5min", "a time from 5s to 24h" },

        { "Backup", "AllowSources", config_parse_bool, FIELD(backup_allow_sources), 0, 0, "no",
          "yes or no" },

        { "Restore", "Folders", config_parse_paths, FIELD(restore_folders), 0, 2048,
          "/var/lib/sendense/restore",
          "absolute paths without '..', one blank between them, 2048 bytes at most" },

        { "Files", "GuestfsAccel", config_parse_accel, FIELD(files_accel), 0, 0, "auto",
          "auto, kvm or tcg" },
        { "Files", "Running", config_parse_number, FIELD(files_running), 1, 100, "2",
          "a number from 1 to 100" },

        { "Verify", "Running", config_parse_number, FIELD(verify_running), 1, 100, "1",
          "a number from 1 to 100" },

        { "Tunnel", "SshPort", config_parse_port, FIELD(ssh_port), 0, 0, "443",
          "a port from 1 to 65535" },
        { "Tunnel", "PublicAddress", config_parse_host, FIELD(public_address), 0, 253, "",
          "a host name or an IP address, without brackets and without a port; nothing for this "
          "machine's full name" },
        { "Tunnel", "ReversePorts", config_parse_port_range, FIELD(reverse_ports), 0, 1000,
          "9081-9180", "two ports FIRST-LAST, FIRST not above LAST, 1000 ports at most" },
        { "Tunnel", "HealthSec", config_parse_span, FIELD(node_health_usec), USEC_PER_SEC,
          600 * USEC_PER_SEC, "15s", "a time from 1s to 10min" },

        { "Api", "Port", config_parse_port, FIELD(api_port), 0, 0, "8082",
          "a port from 1 to 65535" },
        { "Api", "Listen", config_parse_address, FIELD(api_listen), 0, 0, "",
          "an IPv4 or IPv6 address, or nothing" },
        { "Api", "TlsPort", config_parse_port, FIELD(api_tls_port), 0, 0, "8443",
          "a port from 1 to 65535" },
        { "Api", "Certificate", config_parse_plain_path, FIELD(api_certificate), 0, 512, "",
          "an absolute path of letters, digits and /._+@- without '..', 512 bytes at most" },
        { "Api", "Key", config_parse_plain_path, FIELD(api_key), 0, 512, "",
          "an absolute path of letters, digits and /._+@- without '..', 512 bytes at most" },
};
const size_t hub_config_n_keys = ELEMENTSOF(hub_config_keys);

void hub_config_done(HubConfig *config)
{
        free(config->database_socket);
        free(config->database_name);
        free(config->database_user);
        free(config->public_address);
        free(config->restore_folders);
        free(config->api_listen);
        free(config->api_certificate);
        free(config->api_key);
        config_done(&config->config);
        *config = (HubConfig){};
}

typedef struct PortUse {
        const char *section, *name;
        PortRange range;
} PortUse;

enum {
        PORTS_TEXT_SIZE = sizeof("65535-65535"),
};

/* As the operator writes it: one port, or FIRST-LAST. */
static const char *ports_to_text(PortRange range, char text[static PORTS_TEXT_SIZE])
{
        if (range.first == range.last)
                (void) snprintf(text, PORTS_TEXT_SIZE, "%" PRIu16, range.first);
        else
                (void) snprintf(text, PORTS_TEXT_SIZE, "%" PRIu16 "-%" PRIu16, range.first,
                                range.last);
        return text;
}

/* The line to mend is one in a file: two settings overlap, and one of them may be a default. */
static int complain_overlap(const Config *config, const PortUse *use, const PortUse *other,
                            char **ret_error)
{
        char ports[PORTS_TEXT_SIZE], other_ports[PORTS_TEXT_SIZE];

        if (!config_is_set(config, use->section, use->name)) {
                const PortUse *swapped = use;

                use = other;
                other = swapped;
        }
        *ret_error = config_complain(config, use->section, use->name,
                                     "%s overlaps [%s] %s=%s, must be outside of it",
                                     ports_to_text(use->range, ports), other->section, other->name,
                                     ports_to_text(other->range, other_ports));
        return *ret_error ? -EINVAL : -ENOMEM;
}

/* Every port that the hub listens on or hands out must be its own. */
static int check_ports(const HubConfig *config, char **ret_error)
{
        const PortUse uses[] = {
                { "Exports", "Ports", config->export_ports },
                { "Tunnel", "ReversePorts", config->reverse_ports },
                { "Tunnel", "SshPort", { config->ssh_port, config->ssh_port } },
                { "Api", "Port", { config->api_port, config->api_port } },
                { "Api", "TlsPort", { config->api_tls_port, config->api_tls_port } },
        };
        /* Nobody listens on the last one unless he is told where. */
        size_t n = ELEMENTSOF(uses) - (*config->api_listen == '\0');

        for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < i; j++)
                        if (uses[i].range.first <= uses[j].range.last &&
                            uses[j].range.first <= uses[i].range.last)
                                return complain_overlap(&config->config, uses + i, uses + j,
                                                        ret_error);
        return 0;
}

/* sendense-migrate sets the rights of the user to what the hub needs, which is less than these have. */
static int check_user(const HubConfig *config, char **ret_error)
{
        if (strcmp(config->database_user, "root") != 0 &&
            strcmp(config->database_user, "mysql") != 0)
                return 0;
        *ret_error = config_complain(&config->config, "Database", "User",
                                     "%s is an administrator of MariaDB, must be a user of the "
                                     "hub's own",
                                     config->database_user);
        return *ret_error ? -EINVAL : -ENOMEM;
}

/* Tokens go no further than this machine in the clear. */
static int check_api(const HubConfig *config, char **ret_error)
{
        if (*config->api_listen == '\0' || (*config->api_certificate && *config->api_key))
                return 0;
        *ret_error = config_complain(&config->config, "Api", "Listen",
                                     "%s needs [Api] %s=, because beyond this machine the API "
                                     "speaks TLS alone",
                                     config->api_listen,
                                     *config->api_certificate ? "Key" : "Certificate");
        return *ret_error ? -EINVAL : -ENOMEM;
}

static int check(const HubConfig *config, char **ret_error)
{
        int r = check_user(config, ret_error);

        if (r >= 0)
                r = check_api(config, ret_error);
        return r < 0 ? r : check_ports(config, ret_error);
}

int hub_config_load(HubConfig *config, const char *path, char **ret_error)
{
        _cleanup_free_ char *folder = NULL;
        int r;

        if (!path)
                path = HUB_CONFIG_FILE;
        folder = text_format("%s.d", path);
        if (!folder)
                return -ENOMEM;

        r = config_load(&config->config, hub_config_keys, hub_config_n_keys, path, folder, config,
                        ret_error);
        return r < 0 ? r : check(config, ret_error);
}

int hub_config_load_named(HubConfig *config, const char *path, char **ret_error)
{
        int r;

        if (path && faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) < 0) {
                r = -errno;
                *ret_error = text_format("%s: %s; must be a file that this user can read", path,
                                         strerror(-r));
                return *ret_error ? r : -ENOMEM;
        }
        return hub_config_load(config, path, ret_error);
}

int hub_config_load_text(HubConfig *config, const char *name, const char *text, size_t size,
                         char **ret_error)
{
        int r;

        r = config_load_text(&config->config, hub_config_keys, hub_config_n_keys, name, text, size,
                             config, ret_error);
        return r < 0 ? r : check(config, ret_error);
}
