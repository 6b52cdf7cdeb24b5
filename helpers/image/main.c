/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendense-image: the work on the files of a repository, one verb at a time, each in a unit of its own that
 * the hub starts. A spec comes as one JSON object on stdin, the result goes as one JSON object to stdout;
 * nothing else is written there, but by scan a line for each backup before it.
 * Exit status: 0 done, 1 failed (the result says why), 64 wrong command line.
 */
#include "build-id.h"
#include "bus/bus-error.h"
#include "cleanup.h"
#include "failure.h"
#include "log.h"
#include "result-file.h"
#include "spec.h"
#include "verbs.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static const struct {
        const char *name, *what;
        Verb run;
} verbs[] = {
        { "prepare", "look at the repository, make the folders and files of a backup",
          verb_prepare },
        { "create", "make the QCOW2 of one disk in its file", verb_create },
        { "finish", "make one image durable, check it, make its digests", verb_finish },
        { "commit", "seal all disks of a backup and write its record", verb_commit },
        { "undo", "remove what a backup without a record left", verb_undo },
        { "delete", "take a backup out of its chains and remove it", verb_delete },
        { "delete-undo", "end what a killed or cancelled delete began", verb_delete_undo },
        { "health", "look at the repository", verb_health },
        { "record", "tell what the VM of a backup was made of", verb_record },
        { "restore", "write one disk of a backup to a file, device or NBD export", verb_restore },
        { "restore-undo", "remove what a restore that was killed left", verb_restore_undo },
        { "scan", "list all backups of a repository and what is wrong with them", verb_scan },
        { "verify", "read a backup back and compare it with its digests", verb_verify },
};

static void print_help(void)
{
        (void) printf("sendense-image VERB <SPEC >RESULT\n\n"
                      "Works on the files of a repository. SPEC and RESULT are JSON objects.\n\n");
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                (void) printf("  %-12s  %s\n", verbs[i].name, verbs[i].what);
        (void) printf("\n  -h --help     Show this help\n"
                      "     --version  Show version, git commit and build id\n\n"
                      "See sendense-image(8).\n");
}

/* 1: go on with *ret_verb; 0: done; negative: wrong usage, said so. */
static int parse_argv(int argc, char *argv[], Verb *ret_verb)
{
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, 'V' },
                {},
        };
        int c;

        while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0)
                switch (c) {
                case 'h':
                        print_help();
                        return 0;
                case 'V':
                        build_print_version("sendense-image");
                        return 0;
                default:
                        return -1; /* getopt has said what */
                }
        for (size_t i = 0; optind + 1 == argc && i < ELEMENTSOF(verbs); i++)
                if (strcmp(argv[optind], verbs[i].name) == 0) {
                        *ret_verb = verbs[i].run;
                        return 1;
                }
        (void) fprintf(stderr, "sendense-image: one verb is needed, see --help\n");
        return -1;
}

static int read_spec(json_t **ret_spec, Failure *failure)
{
        _cleanup_free_ char *text = malloc(SPEC_SIZE_MAX + 1);
        size_t size = 0;
        int r;

        if (!text)
                return failure_errno(failure, -ENOMEM, "Cannot read the spec");
        for (;;) {
                ssize_t n = read(STDIN_FILENO, text + size, SPEC_SIZE_MAX + 1 - size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return failure_errno(failure, -errno, "Cannot read the spec");
                size += (size_t) n;
                if (n == 0 || size > SPEC_SIZE_MAX)
                        break;
        }
        r = result_parse_within(text, size, SPEC_SIZE_MAX, ret_spec);
        return r < 0 ? failure_set(failure, BUS_ERROR_INVALID_ARGUMENT,
                                   "the spec on stdin is not one JSON object within the limits")
                     : 0;
}

/* In one line, so that scan's lines before it can be told from it. */
static int print_result(const json_t *result)
{
        int r = json_dumpf(result, stdout, JSON_COMPACT | JSON_SORT_KEYS);

        if (r < 0 || putchar('\n') == EOF || fflush(stdout) != 0)
                return -EIO;
        return 0;
}

static int run(Verb verb, json_t **ret_result)
{
        Failure failure = {};
        json_t *spec = NULL;
        int r;

        r = read_spec(&spec, &failure);
        if (r >= 0)
                r = verb(spec, ret_result, &failure);
        json_decref(spec);
        if (r >= 0 && *ret_result &&
            json_object_set_new(*ret_result, "result", json_string("ok")) == 0)
                return 0;
        if (r >= 0)
                r = failure_errno(&failure, -ENOMEM, "Cannot make the result");
        json_decref(*ret_result);
        *ret_result = json_pack("{s:s, s:s, s:s}", "result", "failed", "error_name", failure.name,
                                "error_text", failure.text);
        if (failure.is_unbegun && *ret_result)
                (void) json_object_set_new(*ret_result, "begun", json_false());
        (void) log_error(r, "%s: %s", failure.name, failure.text);
        return r;
}

int main(int argc, char *argv[])
{
        json_t *result = NULL;
        Verb verb;
        int r, printed;

        r = parse_argv(argc, argv, &verb);
        if (r <= 0)
                return r < 0 ? EX_USAGE : EXIT_SUCCESS;
        log_open("sendense-image");

        r = run(verb, &result);
        printed = print_result(result);
        json_decref(result);
        if (printed < 0)
                (void) log_error(printed, "Cannot write the result: %m");
        return r < 0 || printed < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
