/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendense-node: the program. Reads the command line and the config, then lives as a Node until a signal ends it. Exit
 * status: 0 after SIGTERM or SIGINT, 64 for a wrong command line, 78 for a wrong config (systemd does not try again), 1 for
 * anything else.
 */
#include "node.h"

#include "cleanup.h"
#include "core-dump.h"
#include "json-wipe.h"
#include "log.h"
#include "names.h"
#include "program.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum {
        /* As in the hub: what a large message needed goes back to the system when it is answered. */
        MMAP_THRESHOLD_BYTES = 128 * 1024,
};

#define ENROLL SENDENSE_LIBEXEC_DIR "/sendense-enroll"

static const Program program = {
        .name = "sendense-node",
        .help = "sendense-node [OPTIONS...]\n"
                "sendense-node enroll [OPTIONS...] BUNDLE\n\n"
                "Takes snapshots of virtual machines and has their disks copied to the hub; "
                "answers on\n"
                "the message bus as " NODE_BUS_NAME ".\n\n"
                "  -h --help         Show this help\n"
                "     --version      Show version, git commit and build id\n"
                "     --config=FILE  Read FILE and FILE.d/*.conf instead of\n"
                "                    " NODE_CONFIG_FILE "\n\n"
                "enroll makes this machine a node: see sendense-node enroll --help.\n"
                "See sendense-node(8) and sendense-node.conf(5).\n",
};

/* Making a machine a node is another program's work, which is not a daemon's. */
static int enroll(char *argv[])
{
        (void) execv(ENROLL, argv);
        (void) log_error(-errno, "Cannot run " ENROLL ": %m");
        return EXIT_FAILURE;
}

int main(int argc, char *argv[])
{
        CLEANUP(node_config_done) NodeConfig config = {};
        _cleanup_free_ char *error = NULL;
        const char *path = NULL;
        Node *node = NULL;
        int r;

        if (argc > 1 && strcmp(argv[1], "enroll") == 0)
                return enroll(argv + 1);
        json_wipe_freed();
        core_dump_never();
        (void) mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES);
        r = program_parse(&program, argc, argv, &path);
        if (r <= 0)
                return r < 0 ? EX_USAGE : EXIT_SUCCESS;

        log_open(program.name);
        r = node_config_load(&config, path, &error);
        if (r < 0) {
                (void) log_event(LOG_ERR, r, NULL, MESSAGE_CONFIG_INVALID, "%s",
                                 error ?: strerror(-r));
                return r == -ENOMEM ? EXIT_FAILURE : EX_CONFIG;
        }
        log_set_level(config.log_level);

        if (node_new(&config, &node) < 0)
                return EXIT_FAILURE;
        r = node_run(node);
        node_free(node);
        return r;
}
