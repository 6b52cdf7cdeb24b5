/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendensectl: the operator's command. Finds the verb, shows help, complains; each verb group has a
 * room of its own. Holds no logic: what it does is a call on the bus, or reading files.
 */
#include "build-id.h"
#include "bus/bus-error.h"
#include "cleanup.h"
#include "ctl.h"
#include "options.h"
#include "output.h"
#include "text.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

bool arg_json = false;
const char *arg_root = "";

ExitStatus complain(ExitStatus status, const char *format, ...)
{
        _cleanup_free_ char *text = NULL;
        va_list ap;

        va_start(ap, format);
        text = text_vformat(format, ap);
        va_end(ap);
        (void) fflush(stdout); /* so that both are read in their order */
        (void) fputs("sendensectl: ", stderr);
        output_text(stderr, text ?: "Out of memory", COMPLAINT_LETTERS_MAX);
        (void) fputc('\n', stderr);
        return status;
}

static void print_help(void)
{
        (void) printf("Usage: sendensectl [OPTIONS...] VERB [ARGUMENTS...]\n\n"
                      "Looks at and steers the Sendense hub.\n\n"
                      "Verbs:\n");
        for (const Verb *verb = verbs; verb->name; verb++)
                (void) printf("  %s%s%-*s %s\n", verb->name, *verb->arguments ? " " : "",
                              25 - (int) strlen(verb->name) - (*verb->arguments ? 1 : 0),
                              verb->arguments, verb->summary);
        (void) printf("\nOptions:\n");
        options_print(NULL);
        (void) printf("\nsendensectl VERB --help says which of them a verb knows. See "
                      "sendensectl(1).\n");
}

static void print_verb_help(const Verb *verb)
{
        (void) printf("Usage: sendensectl [OPTIONS...] %s%s%s\n\n%s.\n\n%s\n\nOptions:\n",
                      verb->name, *verb->arguments ? " " : "", verb->arguments, verb->summary,
                      verb->help);
        options_print(verb);
}

/* How many words of argv the name is; 0 when they are others. */
static int match_verb(const char *name, int argc, char *argv[])
{
        for (int i = 0; i < argc; i++) {
                size_t n = strcspn(name, " ");

                if (strlen(argv[i]) != n || strncmp(argv[i], name, n) != 0)
                        return 0;
                if (!name[n])
                        return i + 1;
                name += n + 1;
        }
        return 0;
}

/* The verb that the words begin with, *ret_n words of them. */
static const Verb *find_verb(int argc, char *argv[], int *ret_n)
{
        for (const Verb *verb = verbs; verb->name; verb++) {
                *ret_n = match_verb(verb->name, argc, argv);
                if (*ret_n > 0)
                        return verb;
        }
        return NULL;
}

/* "config" alone, or with a wrong second word. */
static ExitStatus complain_verb(int argc, char *argv[])
{
        size_t n = strlen(argv[0]);

        for (const Verb *verb = verbs; verb->name; verb++)
                if (strncmp(verb->name, argv[0], n) == 0 && verb->name[n] == ' ')
                        return complain(CTL_USAGE,
                                        "'%s%s%s' is no verb; did you mean '%s'? See "
                                        "sendensectl --help",
                                        argv[0], argc > 1 ? " " : "", argc > 1 ? argv[1] : "",
                                        verb->name);
        return complain(CTL_USAGE, "'%s' is no verb; see sendensectl --help", argv[0]);
}

static ExitStatus run_verb(int argc, char *argv[])
{
        const Verb *verb;
        ExitStatus s;
        int n;

        verb = find_verb(argc, argv, &n);
        if (!verb)
                return complain_verb(argc, argv);
        if (option_is_given(OPTION_HELP)) {
                print_verb_help(verb);
                return CTL_OK;
        }
        s = options_check(verb);
        if (s != CTL_OK)
                return s;
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
        ExitStatus s;
        int first;

        s = options_parse(argc, argv, &first);
        if (s != CTL_OK)
                return s;
        if (option_is_given(OPTION_VERSION)) {
                build_print_version("sendensectl");
                return CTL_OK;
        }
        arg_json = option_is_given(OPTION_JSON);
        arg_root = option_value(OPTION_ROOT) ?: "";
        if (first < argc)
                return run_verb(argc - first, argv + first);
        if (!option_is_given(OPTION_HELP))
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
