/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendense-hub: the program. Reads the command line and the config, then lives as a Manager until a
 * signal ends it. Started by systemd (units/sendense-hub.service) or by hand on a bus of one's own.
 * Exit status: 0 after SIGTERM or SIGINT, 64 for a wrong command line, 78 for a wrong config
 * (systemd does not try again), 1 for anything else.
 */
#include "cleanup.h"
#include "hub-config.h"
#include "json-wipe.h"
#include "log.h"
#include "manager.h"
#include "names.h"
#include "program.h"
#include "refusal.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum {
        /* A message of the bus's size limit must go back to the system when it is answered; without
         * a fixed threshold malloc() would raise its own and keep the pages. */
        MMAP_THRESHOLD_BYTES = 128 * 1024,
};

static const Program program = {
        .name = "sendense-hub",
        .help = "sendense-hub [OPTIONS...]\n\n"
                "Keeps backups and owns their jobs; answers on the message bus as " HUB_BUS_NAME
                ".\n\n"
                "  -h --help         Show this help\n"
                "     --version      Show version, git commit and build id\n"
                "     --config=FILE  Read FILE and FILE.d/*.conf instead of\n"
                "                    " HUB_CONFIG_FILE "\n\n"
                "See sendense-hub(8) and sendense-hub.conf(5).\n",
};

static int load_config(HubConfig *config, const char *path)
{
        _cleanup_free_ char *error = NULL;
        int r;

        r = hub_config_load_named(config, path, &error);
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
        const char *path = NULL;
        int r;

        json_wipe_freed(); /* requests to nodes hold passwords */
        r = program_parse(&program, argc, argv, &path);
        if (r <= 0)
                return r < 0 ? EX_USAGE : EXIT_SUCCESS;

        log_open(program.name);
        (void) mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES);

        r = load_config(&config, path);
        if (r == -ENOMEM)
                return EXIT_FAILURE;
        if (r < 0) {
                refusal_tell("its settings are wrong, 'sendensectl config check' names the line");
                return EX_CONFIG;
        }
        log_set_level(config.log_level);

        return run(&config);
}
