/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendense-hub: the program. Reads the command line and the config, then lives as a Manager until a
 * signal ends it. Started by systemd (units/sendense-hub.service) or by hand on a bus of one's own.
 * Exit status: 0 after SIGTERM or SIGINT, 64 for a wrong command line, 78 for a wrong config
 * (systemd does not try again), 1 for anything else.
 */
#include "build-id.h"
#include "cleanup.h"
#include "log.h"
#include "manager.h"
#include "names.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum {
        ARG_VERSION = 256,
        ARG_CONFIG,
        /* A message of the bus's size limit must go back to the system when it is answered; without
         * a fixed threshold malloc() would raise its own and keep the pages. */
        MMAP_THRESHOLD_BYTES = 128 * 1024,
};

static const char *arg_config = NULL;

static void print_help(void)
{
        (void) printf("sendense-hub [OPTIONS...]\n\n"
                      "Keeps backups and owns their jobs; answers on the message bus as %s.\n\n"
                      "  -h --help         Show this help\n"
                      "     --version      Show version, git commit and build id\n"
                      "     --config=FILE  Read FILE and FILE.d/*.conf instead of\n"
                      "                    %s\n\n"
                      "See sendense-hub(8) and sendense-hub.conf(5).\n",
                      HUB_BUS_NAME, HUB_CONFIG_FILE);
}

/* 1: go on; 0: done; negative: wrong usage, said so. */
static int parse_argv(int argc, char *argv[])
{
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, ARG_VERSION },
                { "config", required_argument, NULL, ARG_CONFIG },
                {},
        };
        int c;

        while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0)
                switch (c) {
                case 'h':
                        print_help();
                        return 0;
                case ARG_VERSION:
                        build_print_version("sendense-hub");
                        return 0;
                case ARG_CONFIG:
                        arg_config = optarg;
                        break;
                default:
                        return -1; /* getopt has said what */
                }

        if (optind < argc) {
                (void) fprintf(stderr, "sendense-hub: takes no arguments, got '%s'\n",
                               argv[optind]);
                return -1;
        }
        return 1;
}

/* Only the file of every day may be missing; one that was asked for by name may not. */
static int load_config(HubConfig *config)
{
        _cleanup_free_ char *error = NULL;
        int r;

        if (arg_config && faccessat(AT_FDCWD, arg_config, R_OK, AT_EACCESS) < 0)
                return log_event(LOG_ERR, -errno, NULL, MESSAGE_CONFIG_INVALID,
                                 "%s: %m; --config= must name a file that this user can read",
                                 arg_config);

        r = hub_config_load(config, arg_config, &error);
        if (r < 0)
                return log_event(LOG_ERR, r, NULL, MESSAGE_CONFIG_INVALID, "%s",
                                 error ?: strerror(-r));
        return 0;
}

static int run(const HubConfig *config)
{
        Manager *manager = NULL;
        int status;

        if (manager_new(config, &manager) < 0)
                return EXIT_FAILURE;
        status = manager_run(manager);
        manager_free(manager);
        return status;
}

int main(int argc, char *argv[])
{
        CLEANUP(hub_config_done) HubConfig config = {};
        int r;

        r = parse_argv(argc, argv);
        if (r <= 0)
                return r < 0 ? EX_USAGE : EXIT_SUCCESS;

        log_open("sendense-hub");
        (void) mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES);

        r = load_config(&config);
        if (r < 0)
                return r == -ENOMEM ? EXIT_FAILURE : EX_CONFIG;
        log_set_level(config.log_level);

        return run(&config);
}
