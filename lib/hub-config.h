/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The hub's settings, /etc/sendense/hub.conf: read by the hub, by sendense-migrate and by whatever
 * derives something from a port. Each setting stands in one place, the table in hub-config.c; the
 * man page sendense-hub.conf(5) is compared with it by a test.
 */
#pragma once

#include "build-config.h"
#include "config-value.h"

#include <stdbool.h>

typedef struct HubConfig {
        int log_level;

        char *database_socket;
        char *database_name;
        char *database_user;
        uint64_t database_connect_timeout_usec;
        uint64_t database_query_timeout_usec;
        uint64_t database_probe_usec;

        PortRange export_ports;
        uint64_t export_probe_usec;
        uint64_t export_answer_timeout_usec;
        uint64_t export_memory_bytes;
        bool export_tls_psk;

        uint64_t jobs_running;
        uint64_t jobs_running_per_repository;
        uint64_t jobs_running_per_node;
        uint64_t jobs_running_per_host;
        uint64_t jobs_queued; /* open ones in all */
        uint64_t jobs_retries; /* of a backup that failed; 0: none */
        uint64_t jobs_retry_usec; /* pause before each */
        uint64_t node_lost_usec; /* a node that copies may be silent for so long */
        uint64_t node_release_usec; /* what a node may take before the job ends without it */

        uint64_t repository_reserve_bytes;
        uint64_t repository_first_full_percent; /* of a disk's capacity, while no full of it was made */
        uint64_t repository_step_usec;
        bool backup_allow_sources;
        char *restore_folders; /* paths, one blank between them */

        GuestAccel files_accel;
        uint64_t files_running; /* jobs that read files, at a time */
        uint64_t verify_running; /* jobs that read backups back, at a time */

        uint16_t ssh_port;
        char *public_address; /* "": the machine's full name */
        PortRange reverse_ports;
        uint64_t node_health_usec;
        uint16_t api_port;
        char *api_listen; /* beyond loopback, with TLS; "": nowhere */
        uint16_t api_tls_port;
        char *api_certificate, *api_key; /* PEM files; "": none */

        Config config; /* where each value came from */
} HubConfig;

#define HUB_CONFIG_FILE SENDENSE_CONFIG_DIR "/hub.conf"

extern const ConfigKey hub_config_keys[];
extern const size_t hub_config_n_keys;

void hub_config_done(HubConfig *config);

/* Reads path (NULL: HUB_CONFIG_FILE) and its drop-ins in `path.d`, then checks that the ports do not
 * overlap and that the database's user is none of its administrators. config must be zeroed. Negative errno with *ret_error set to one line, as config_load(). */
int hub_config_load(HubConfig *config, const char *path, char **ret_error);

/* The same for what an operator named (NULL: nothing): only the file of every day may be missing. */
int hub_config_load_named(HubConfig *config, const char *path, char **ret_error);

/* The same for text in memory. */
int hub_config_load_text(HubConfig *config, const char *name, const char *text, size_t size,
                         char **ret_error);
