/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The node's settings, /etc/sendense/node.conf, read by sendense-node. Each stands in one place, the table in
 * node-config.c; the man page sendense-node.conf(5) is compared with it by a test.
 */
#pragma once

#include "build-config.h"
#include "config-value.h"

typedef struct NodeConfig {
        int log_level;

        uint64_t snapshot_hold_usec;
        char *snapshot_quiesce;
        bool snapshot_tracking;
        uint64_t snapshot_datastore_max;

        char *copy_transport;
        uint64_t copy_connections;
        uint64_t copy_host_connections_max;
        uint64_t copy_memory_bytes;
        bool copy_digests;

        /* "": as nbdkit and VMware's library have it. */
        char *vddk_nbdkit, *vddk_plugin, *vddk_libdir, *vddk_config, *vddk_transports,
                        *vddk_compression;

        uint64_t vsphere_ask_usec;

        char *tunnel_hub; /* "": none is wanted */
        uint16_t tunnel_port;
        uint16_t tunnel_reverse_port;
        PortRange tunnel_ports;
        uint64_t tunnel_sessions;
        uint64_t tunnel_hold_usec;

        Config config; /* where each value came from */
} NodeConfig;

enum {
        NODE_API_PORT = 8081, /* on loopback: sendense-node-api.socket */
};

#define NODE_CONFIG_FILE SENDENSE_CONFIG_DIR "/node.conf"

extern const ConfigKey node_config_keys[];
extern const size_t node_config_n_keys;

void node_config_done(NodeConfig *config);

/* Reads path (NULL: NODE_CONFIG_FILE, which may be missing) and its drop-ins in `path.d`. config must be zeroed. Negative
 * errno with *ret_error set to one line, as config_load(). */
int node_config_load(NodeConfig *config, const char *path, char **ret_error);

/* The same for text in memory. */
int node_config_load_text(NodeConfig *config, const char *name, const char *text, size_t size,
                          char **ret_error);
