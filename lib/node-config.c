/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of the node's settings (see node-config.h). Adding one means a line here, a field there, and a paragraph
 * in docs/man/sendense-node.conf.5.
 */
#include "node-config.h"

#include "cleanup.h"
#include "parse.h"
#include "text.h"
#include "utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define FIELD(name) offsetof(NodeConfig, name)

static const char *const quiesce_words[] = { "auto", "required", "no", NULL };
static const char *const transport_words[] = { "https", "vddk", NULL };

static int parse_choice(const char *const *words, const ConfigKey *key, const char *value,
                        void *field)
{
        for (; *words; words++)
                if (strcmp(*words, value) == 0)
                        return config_parse_word(key, value, field);
        return -EINVAL;
}

static int parse_quiesce(const ConfigKey *key, const char *value, void *field)
{
        return parse_choice(quiesce_words, key, value, field);
}

static int parse_transport(const ConfigKey *key, const char *value, void *field)
{
        return parse_choice(transport_words, key, value, field);
}

/* What nbdkit gets as it is; nothing: its own default. */
static int parse_vddk(const ConfigKey *key, const char *value, void *field)
{
        char **text = field, *copy;

        if (strlen(value) > key->max || !utf8_is_line(value) ||
            (key->min > 0 && *value && *value != '/'))
                return -EINVAL;
        copy = strdup(value);
        if (!copy)
                return -ENOMEM;
        free(*text);
        *text = copy;
        return 0;
}

const ConfigKey node_config_keys[] = {
        { "Node", "LogLevel", config_parse_level, FIELD(log_level), 0, 0, "info",
          "one of emerg, alert, crit, err, warning, notice, info, debug" },

        { "Snapshot", "HoldMaxSec", config_parse_span, FIELD(snapshot_hold_usec), USEC_PER_SEC,
          UINT64_C(7) * 86400 * USEC_PER_SEC, "1h", "a time from 1s to 7d" },
        { "Snapshot", "Quiesce", parse_quiesce, FIELD(snapshot_quiesce), 0, 16, "auto",
          "one of auto, required, no" },
        { "Snapshot", "EnableTracking", config_parse_bool, FIELD(snapshot_tracking), 0, 0, "yes",
          "yes or no" },
        { "Snapshot", "DatastoreMax", config_parse_number, FIELD(snapshot_datastore_max), 1, 64,
          "4", "a number from 1 to 64" },

        { "Copy", "Transport", parse_transport, FIELD(copy_transport), 0, 16, "https",
          "one of https, vddk" },
        { "Copy", "Connections", config_parse_number, FIELD(copy_connections), 1, 64, "8",
          "a number from 1 to 64" },
        { "Copy", "HostConnectionsMax", config_parse_number, FIELD(copy_host_connections_max), 1,
          256, "24", "a number from 1 to 256" },
        { "Copy", "Memory", config_parse_size, FIELD(copy_memory_bytes), UINT64_C(16) << 20,
          UINT64_C(1) << 30, "64M", "a size from 16M to 1G" },
        { "Copy", "Digests", config_parse_bool, FIELD(copy_digests), 0, 0, "yes", "yes or no" },

        { "Vddk", "Plugin", parse_vddk, FIELD(vddk_plugin), 0, 1024, "",
          "a text for nbdkit\'s vddk plugin" },
        { "Vddk", "LibDir", parse_vddk, FIELD(vddk_libdir), 1, 1024, "",
          "an absolute path, or nothing" },
        { "Vddk", "Nbdkit", parse_vddk, FIELD(vddk_nbdkit), 1, 1024, "",
          "an absolute path, or nothing" },
        { "Vddk", "Config", parse_vddk, FIELD(vddk_config), 1, 1024, "",
          "an absolute path, or nothing" },
        { "Vddk", "Transports", parse_vddk, FIELD(vddk_transports), 0, 1024, "",
          "a text for nbdkit\'s vddk plugin" },
        { "Vddk", "Compression", parse_vddk, FIELD(vddk_compression), 0, 1024, "",
          "a text for nbdkit\'s vddk plugin" },

        { "Vsphere", "AskSec", config_parse_span, FIELD(vsphere_ask_usec), USEC_PER_SEC,
          120 * USEC_PER_SEC, "60s", "a time from 1s to 2min" },

        { "Tunnel", "Hub", config_parse_host, FIELD(tunnel_hub), 0, 253, "",
          "a host name or an IP address, without brackets and without a port; nothing for no "
          "tunnel" },
        { "Tunnel", "SshPort", config_parse_port, FIELD(tunnel_port), 0, 0, "443",
          "a port from 1 to 65535" },
        { "Tunnel", "ReversePort", config_parse_port, FIELD(tunnel_reverse_port), 0, 0, "9081",
          "a port from 1 to 65535" },
        { "Tunnel", "Ports", config_parse_port_range, FIELD(tunnel_ports), 0, 1000, "10100-10200",
          "two ports FIRST-LAST, FIRST not above LAST, 1000 ports at most" },
        { "Tunnel", "Sessions", config_parse_number, FIELD(tunnel_sessions), 1, 16, "4",
          "a number from 1 to 16" },
        { "Tunnel", "HoldSec", config_parse_span, FIELD(tunnel_hold_usec), USEC_PER_SEC,
          600 * USEC_PER_SEC, "10s", "a time from 1s to 10min" },
};
const size_t node_config_n_keys = ELEMENTSOF(node_config_keys);

void node_config_done(NodeConfig *config)
{
        free(config->snapshot_quiesce);
        free(config->copy_transport);
        free(config->vddk_nbdkit);
        free(config->vddk_plugin);
        free(config->vddk_libdir);
        free(config->vddk_config);
        free(config->vddk_transports);
        free(config->vddk_compression);
        free(config->tunnel_hub);
        config_done(&config->config);
        *config = (NodeConfig){};
}

int node_config_load(NodeConfig *config, const char *path, char **ret_error)
{
        _cleanup_free_ char *folder = NULL;

        if (path && faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) < 0) {
                int r = -errno;

                *ret_error = text_format("%s: %s; must be a file that this user can read", path,
                                         strerror(-r));
                return *ret_error ? r : -ENOMEM;
        }
        path = path ?: NODE_CONFIG_FILE;
        folder = text_format("%s.d", path);
        if (!folder)
                return -ENOMEM;
        return config_load(&config->config, node_config_keys, node_config_n_keys, path, folder,
                           config, ret_error);
}

int node_config_load_text(NodeConfig *config, const char *name, const char *text, size_t size,
                          char **ret_error)
{
        return config_load_text(&config->config, node_config_keys, node_config_n_keys, name, text,
                                size, config, ret_error);
}
