/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendense-sshd-config: what sendense-sshd.service asks for, and what cuts its sessions. It reads files that the hub writes, so
 * that tunnels come back while hub and database are down.
 */
#include "verbs.h"

#include "build-id.h"
#include "hub-config.h"
#include "log.h"
#include "node-keys.h"
#include "notes.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static const char help[] = PROGRAM
                " [--config=FILE] config\n" PROGRAM
                " [--keys=FILE] [--tokens=FILE] [--notes=FOLDER] keys USER TYPE KEY\n" PROGRAM
                " [--keys=FILE] [--tokens=FILE] [--notes=FOLDER] sweep\n\n"
                "Prints what sendense-sshd.service needs, and ends its sessions.\n\n"
                "  config               The sshd_config of this hub\n"
                "  keys USER TYPE KEY   The line of the node, or of the open token, that\n"
                "                       has this public key and may log in as USER\n"
                "  sweep                End the sessions of keys that stand in no file\n"
                "                       any more\n\n"
                "  -h --help            Show this help\n"
                "     --version         Show version, git commit and build id\n"
                "     --config=FILE     Read FILE instead of " HUB_CONFIG_FILE "\n"
                "     --keys=FILE       Read FILE instead of " NODE_KEYS_FILE "\n"
                "     --tokens=FILE     Read FILE instead of " NODE_TOKENS_FILE "\n"
                "     --notes=FOLDER    Keep the notes of who asked in FOLDER instead of\n"
                "                       " NOTES_FOLDER "\n\n"
                "See sendense-sshd-config(8).\n";

static int run(const Files *files, int argc, char *argv[])
{
        if (argc == 1 && strcmp(argv[0], "config") == 0)
                return verb_config(files);
        if (argc == 4 && strcmp(argv[0], "keys") == 0)
                return verb_keys(files, argv[1], argv[2], argv[3]);
        if (argc == 1 && strcmp(argv[0], "sweep") == 0)
                return verb_sweep(files);
        (void) fputs(help, stderr);
        return EX_USAGE;
}

int main(int argc, char *argv[])
{
        static const struct option options[] = { { "help", no_argument, NULL, 'h' },
                                                 { "config", required_argument, NULL, 'c' },
                                                 { "keys", required_argument, NULL, 'k' },
                                                 { "tokens", required_argument, NULL, 't' },
                                                 { "notes", required_argument, NULL, 'n' },
                                                 { "version", no_argument, NULL, 'v' },
                                                 {} };
        Files files = { .keys = NODE_KEYS_FILE, .tokens = NODE_TOKENS_FILE, .notes = NOTES_FOLDER };
        int c;

        log_open(PROGRAM);
        while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0)
                if (c == 'h')
                        return fputs(help, stdout) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
                else if (c == 'v')
                        return build_print_version(PROGRAM), EXIT_SUCCESS;
                else if (c == 'c')
                        files.config = optarg;
                else if (c == 'k')
                        files.keys = optarg;
                else if (c == 't')
                        files.tokens = optarg;
                else if (c == 'n')
                        files.notes = optarg;
                else
                        return EX_USAGE;
        return run(&files, argc - optind, argv + optind);
}
