/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the rooms of sendensectl share: options, exit statuses, the shape of a verb. A verb does what it
 * says, prints, complains itself, and returns an exit status.
 */
#pragma once

#include <stdbool.h>

typedef enum ExitStatus {
        CTL_OK = 0,
        CTL_FAILED = 1, /* refused or broken; a message says why */
        CTL_NOT_WELL = 3, /* answered, but something is not as it should be */
        CTL_USAGE = 64, /* sysexits.h: EX_USAGE */
        CTL_UNAVAILABLE = 69, /* EX_UNAVAILABLE: no bus, or no hub on it */
        CTL_DENIED = 77, /* EX_NOPERM */
        CTL_CONFIG = 78, /* EX_CONFIG, as the daemons end with */
} ExitStatus;

typedef struct Verb {
        const char *name; /* "config check" */
        const char *arguments; /* "[FILE]", for the usage line; empty when there are none */
        int min_arguments, max_arguments;
        const char *summary; /* one line for --help */
        const char *help; /* the rest of VERB --help */
        ExitStatus (*run)(int argc, char *argv[]); /* the arguments alone */
} Verb;

extern bool arg_json;
extern const char *arg_root;

/* "sendensectl: TEXT" to stderr. Returns status, so that it can be returned. */
ExitStatus complain(ExitStatus status, const char *format, ...)
                __attribute__((format(printf, 2, 3)));

ExitStatus verb_status(int argc, char *argv[]);
ExitStatus verb_version(int argc, char *argv[]);
ExitStatus verb_config_check(int argc, char *argv[]);
ExitStatus verb_config_show(int argc, char *argv[]);
ExitStatus verb_log_level(int argc, char *argv[]);
ExitStatus verb_database_probe(int argc, char *argv[]);
