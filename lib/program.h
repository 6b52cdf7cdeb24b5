/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The command line that our daemons and their helpers have in common: --help, --version, --config=FILE
 * and switches; no arguments. sendensectl, which has verbs, has its own.
 */
#pragma once

#include <stdbool.h>

enum {
        PROGRAM_SWITCHES_MAX = 8,
};

/* --name, which sets *flag. */
typedef struct ProgramSwitch {
        const char *name;
        bool *flag;
} ProgramSwitch;

typedef struct Program {
        const char *name;
        const char *help; /* what --help prints */
        const ProgramSwitch *switches; /* may be NULL; the last has no name */
} Program;

/* Sets *ret_config when there is a --config=. 1: go on; 0: done, it has printed; -EINVAL: wrong usage, said
 * so on stderr. */
int program_parse(const Program *program, int argc, char *argv[], const char **ret_config);
