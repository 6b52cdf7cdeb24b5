/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendensectl: the operator's command. Options, help and the table of verbs; each verb group has a room
 * of its own. Holds no logic: what it does is a call on the bus, or reading files. The man page and the
 * completion are compared with this table by tests/unit/ctl-words.sh.
 */
#include "build-id.h"
#include "bus/bus-error.h"
#include "cleanup.h"
#include "ctl.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <string.h>

bool arg_json = false;
const char *arg_root = "";

static const Verb verbs[] = {
        { "status", "", 0, 0, "Show the state of the hub and its database",
          "Asks the hub on the bus; does not start it. The right com.sendense.hub.inspect is "
          "needed.\n"
          "Exit status 3 when it is not in the state \"running\".",
          verb_status },
        { "version", "", 0, 0, "Compare all programs, the running hub and the database schema",
          "Compares version and commit of all installed programs, the build id of the running hub\n"
          "with that of its file, and the schema of the database with the one the hub was built "
          "for.\n"
          "Does not start the hub. Exit status 3 and a line for each thing that differs.",
          verb_version },
        { "config check", "[FILE]", 0, 1, "Check the hub's settings",
          "Reads FILE (default: the hub's own) and its drop-ins as the hub does. Exit status 78 "
          "and the\n"
          "line that the hub would end with when something is wrong.",
          verb_config_check },
        { "config show", "[FILE]", 0, 1, "Show each setting, its value and where it comes from",
          "Shows what is in the files now; the running hub read them when it started.",
          verb_config_show },
        { "log-level", "LEVEL", 1, 1, "Set how much the running hub logs",
          "LEVEL is one of emerg, alert, crit, err, warning, notice, info, debug. It holds until "
          "the hub\n"
          "ends; LogLevel= in its settings holds longer. The right com.sendense.hub.manage is "
          "needed.",
          verb_log_level },
        { "database probe", "", 0, 0, "Let the hub try its database now",
          "Shows the state after one try, instead of waiting for the hub's next one. The right\n"
          "com.sendense.hub.manage is needed. Exit status 3 when the state is not \"ready\".",
          verb_database_probe },
};

ExitStatus complain(ExitStatus status, const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        (void) fputs("sendensectl: ", stderr);
        (void) vfprintf(stderr, format, ap);
        (void) fputc('\n', stderr);
        va_end(ap);
        return status;
}

static void print_help(void)
{
        (void) printf("Usage: sendensectl [OPTIONS...] VERB [ARGUMENTS...]\n\n"
                      "Looks at and steers the Sendense hub.\n\n"
                      "Verbs:\n");
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                (void) printf("  %s%s%-*s %s\n", verbs[i].name, *verbs[i].arguments ? " " : "",
                              23 - (int) strlen(verbs[i].name) - (*verbs[i].arguments ? 1 : 0),
                              verbs[i].arguments, verbs[i].summary);
        (void) printf("\nOptions:\n"
                      "  -h --help               Show this help, or that of a verb\n"
                      "     --version            Show version, commit and build id of this "
                      "program\n"
                      "     --json               Print one JSON value\n"
                      "     --root=DIR           With version: look at the programs below DIR\n"
                      "\nSee sendensectl(1).\n");
}

static void print_verb_help(const Verb *verb)
{
        (void) printf("Usage: sendensectl [OPTIONS...] %s%s%s\n\n%s.\n\n%s\n", verb->name,
                      *verb->arguments ? " " : "", verb->arguments, verb->summary, verb->help);
}

/* The verb that the words begin with, *ret_n words of them. */
static const Verb *find_verb(int argc, char *argv[], int *ret_n)
{
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++) {
                const char *name = verbs[i].name, *space = strchr(name, ' ');
                size_t n = space ? (size_t) (space - name) : strlen(name);

                if (strncmp(argv[0], name, n) != 0 || argv[0][n] != '\0')
                        continue;
                if (space && (argc < 2 || strcmp(argv[1], space + 1) != 0))
                        continue;
                *ret_n = space ? 2 : 1;
                return verbs + i;
        }
        return NULL;
}

/* "config" alone, or with a wrong second word. */
static ExitStatus complain_verb(int argc, char *argv[])
{
        size_t n = strlen(argv[0]);

        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                if (strncmp(verbs[i].name, argv[0], n) == 0 && verbs[i].name[n] == ' ')
                        return complain(CTL_USAGE,
                                        "'%s%s%s' is no verb; did you mean '%s'? See "
                                        "sendensectl --help",
                                        argv[0], argc > 1 ? " " : "", argc > 1 ? argv[1] : "",
                                        verbs[i].name);
        return complain(CTL_USAGE, "'%s' is no verb; see sendensectl --help", argv[0]);
}

static ExitStatus run_verb(int argc, char *argv[], bool help)
{
        const Verb *verb;
        int n;

        verb = find_verb(argc, argv, &n);
        if (!verb)
                return complain_verb(argc, argv);
        if (help) {
                print_verb_help(verb);
                return CTL_OK;
        }
        argc -= n;
        argv += n;
        if (argc < verb->min_arguments)
                return complain(CTL_USAGE, "%s needs %s; see sendensectl %s --help", verb->name,
                                verb->arguments, verb->name);
        if (argc > verb->max_arguments)
                return complain(CTL_USAGE, "%s does not take '%s'; see sendensectl %s --help",
                                verb->name, argv[verb->max_arguments], verb->name);
        return verb->run(argc, argv);
}

static ExitStatus run(int argc, char *argv[])
{
        enum {
                ARG_VERSION = 256,
                ARG_JSON,
                ARG_ROOT,
        };
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, ARG_VERSION },
                { "json", no_argument, NULL, ARG_JSON },
                { "root", required_argument, NULL, ARG_ROOT },
                {},
        };
        bool help = false;
        int c;

        while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0)
                switch (c) {
                case 'h':
                        help = true;
                        break;
                case ARG_VERSION:
                        build_print_version("sendensectl");
                        return CTL_OK;
                case ARG_JSON:
                        arg_json = true;
                        break;
                case ARG_ROOT:
                        arg_root = optarg;
                        break;
                default:
                        return CTL_USAGE; /* getopt has said what */
                }

        if (optind < argc)
                return run_verb(argc - optind, argv + optind, help);
        if (!help)
                return complain(CTL_USAGE, "a verb is needed; see sendensectl --help");
        print_help();
        return CTL_OK;
}

int main(int argc, char *argv[])
{
        ExitStatus status;
        int r;

        r = bus_error_register();
        if (r < 0)
                return (int) complain(CTL_FAILED, "Cannot start: %s", strerror(-r));

        status = run(argc, argv);
        /* A full disk behind a redirection is a failure, not a short answer. */
        if ((fflush(stdout) != 0 || ferror(stdout)) && status == CTL_OK)
                status = complain(CTL_FAILED, "Cannot write the output: %s", strerror(errno));
        return (int) status;
}
