/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendense-backup-client: moves the disks of a VM from where they are to the exports that were made for them. Started by
 * sendense-node as sendense-copy-<job>.service, or by hand. Here is the choice of the verb only.
 * Exit status: 0 all is done and durable; 1 it is not, and the result says why; 64 wrong command line.
 */
#include "build-id.h"
#include "cleanup.h"
#include "core-dump.h"
#include "verbs.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

typedef struct Verb {
        const char *name;
        int (*run)(int argc, char *argv[]);
        const char *help;
} Verb;

static const Verb verbs[] = {
        { "copy", verb_copy, "Copy disks: a JSON object on standard input says which" },
        { "check", verb_check, "Say whether disks can be read over HTTPS: a JSON object, too" },
        { "migrate", verb_migrate, "Snapshot, copy and release a VM; see migrate --help" },
};

static int print_help(void)
{
        (void) printf("sendense-backup-client VERB <SPEC\n\n"
                      "Copies disks of a VM to the exports that were made for them.\n\n");
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                (void) printf("  %-12s %s\n", verbs[i].name, verbs[i].help);
        (void) printf("\n  -h --help     Show this help\n"
                      "     --version  Show version, git commit and build id\n\n"
                      "See sendense-backup-client(8).\n");
        return EXIT_SUCCESS;
}

int main(int argc, char *argv[])
{
        const char *word = argc > 1 ? argv[1] : "";

        if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
                return print_help();
        if (strcmp(word, "--version") == 0) {
                build_print_version("sendense-backup-client");
                return EXIT_SUCCESS;
        }
        core_dump_never(); /* a password passes through libcurl's memory, and through nbdkit's */
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                if (strcmp(word, verbs[i].name) == 0)
                        return verbs[i].run(argc - 1, argv + 1);
        (void) fprintf(stderr, "sendense-backup-client: %s%s%s; see --help\n",
                       *word ? "unknown verb '" : "a verb is missing", word, *word ? "'" : "");
        return EX_USAGE;
}
