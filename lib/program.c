/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The common command line (see program.h).
 */
#include "program.h"

#include "build-id.h"
#include "cleanup.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>

enum {
        ARG_VERSION = 256,
        ARG_CONFIG,
        ARG_SWITCH, /* and those behind it */

        OPTIONS_COMMON = 3,
};

/* What getopt calls the program's own switches, behind the common ones. */
static void add_switches(const Program *program,
                         struct option options[static OPTIONS_COMMON + PROGRAM_SWITCHES_MAX + 1])
{
        const ProgramSwitch *one = program->switches;

        for (int i = 0; one && one[i].name && i < PROGRAM_SWITCHES_MAX; i++)
                options[OPTIONS_COMMON + i] =
                                (struct option){ one[i].name, no_argument, NULL, ARG_SWITCH + i };
}

int program_parse(const Program *program, int argc, char *argv[], const char **ret_config)
{
        struct option options[OPTIONS_COMMON + PROGRAM_SWITCHES_MAX + 1] = {
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, ARG_VERSION },
                { "config", required_argument, NULL, ARG_CONFIG },
        };
        int c;

        add_switches(program, options);
        while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0)
                switch (c) {
                case 'h':
                        (void) fputs(program->help, stdout);
                        return 0;
                case ARG_VERSION:
                        build_print_version(program->name);
                        return 0;
                case ARG_CONFIG:
                        *ret_config = optarg;
                        break;
                case '?':
                        return -EINVAL; /* getopt has said what */
                default:
                        *program->switches[c - ARG_SWITCH].flag = true;
                }

        if (optind < argc) {
                (void) fprintf(stderr, "%s: takes no arguments, got '%s'\n", program->name,
                               argv[optind]);
                return -EINVAL;
        }
        return 1;
}
