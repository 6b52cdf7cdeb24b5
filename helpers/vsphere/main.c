/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendense-vsphere: one verb at one vCenter, in a unit of its own and without privileges, because it reads what
 * a stranger answers. A spec comes as one JSON object on stdin, the result goes as one JSON object to stdout.
 * Exit status: 0 done, 1 failed (the result says why), 64 wrong command line.
 */
#include "build-id.h"
#include "bus/bus-error.h"
#include "cleanup.h"
#include "core-dump.h"
#include "log.h"
#include "result-file.h"
#include "verbs.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sysexits.h>

static const struct {
        const char *name, *what;
        Verb run;
} verbs[] = {
        { "certificate", "show the certificate of a host, without a login", verb_certificate },
        { "test", "log in, say what it is, log out", verb_test },
        { "discover", "list VMs, their disks, and what can be backed up", verb_discover },
        { "prepare", "look at a VM and its disks before a snapshot", verb_prepare },
        { "snapshot", "take the one snapshot of a backup", verb_snapshot },
        { "release", "remove the snapshot of a backup", verb_release },
        { "import", "make a VM anew and upload its disks", verb_import },
        { "import-end", "keep the VM of an import, or remove it", verb_import_end },
        { "in-place-look", "look which disks of a VM a restore exchanges", verb_in_place_look },
        { "in-place-swap", "exchange them for those of an import", verb_in_place_swap },
        { "in-place-end", "keep what was exchanged, or take it back", verb_in_place_end },
};

static const char *arg_password_file = NULL;

static void print_help(void)
{
        (void) printf("sendense-vsphere [OPTIONS...] VERB <SPEC >RESULT\n\n"
                      "Works at a vCenter. SPEC and RESULT are JSON objects.\n\n");
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                (void) printf("  %-13s  %s\n", verbs[i].name, verbs[i].what);
        (void) printf("\n  -h --help                Show this help\n"
                      "     --version             Show version, git commit and build id\n"
                      "     --password-file=FILE  Take the password from a private file, not from "
                      "a\n"
                      "                           credential\n\n"
                      "See sendense-vsphere(8).\n");
}

/* 1: go on with *ret_verb; 0: done; negative: wrong usage, said so. */
static int parse_argv(int argc, char *argv[], Verb *ret_verb)
{
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, 'V' },
                { "password-file", required_argument, NULL, 'p' },
                {},
        };
        int c;

        while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0)
                switch (c) {
                case 'h':
                        print_help();
                        return 0;
                case 'V':
                        build_print_version("sendense-vsphere");
                        return 0;
                case 'p':
                        arg_password_file = optarg;
                        break;
                default:
                        return -1; /* getopt has said what */
                }
        for (size_t i = 0; optind + 1 == argc && i < ELEMENTSOF(verbs); i++)
                if (strcmp(argv[optind], verbs[i].name) == 0) {
                        *ret_verb = verbs[i].run;
                        return 1;
                }
        (void) fprintf(stderr, "sendense-vsphere: one verb is needed, see --help\n");
        return -1;
}

/* A person who types may be slow, or go away. */
static int read_text(int cancel_fd, char **ret_text, size_t *ret_size)
{
        _cleanup_free_ char *text = malloc(RESULT_SIZE_MAX + 1);
        size_t size = 0;

        if (!text)
                return -ENOMEM;
        for (;;) {
                struct pollfd fds[] = {
                        { .fd = STDIN_FILENO, .events = POLLIN },
                        { .fd = cancel_fd, .events = POLLIN },
                };
                ssize_t n;

                if (poll(fds, ELEMENTSOF(fds), -1) < 0 && errno != EINTR)
                        return -errno;
                if (fds[1].revents)
                        return -ECANCELED;
                n = read(STDIN_FILENO, text + size, RESULT_SIZE_MAX + 1 - size);
                if (n < 0 && errno != EINTR && errno != EAGAIN)
                        return -errno;
                size += n > 0 ? (size_t) n : 0;
                if (n == 0 || size > RESULT_SIZE_MAX)
                        break;
        }
        *ret_text = TAKE(text);
        *ret_size = size;
        return 0;
}

static int read_spec(int cancel_fd, json_t **ret_spec, VSphereError *error)
{
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        int r;

        r = read_text(cancel_fd, &text, &size);
        if (r < 0)
                return vsphere_error_errno(error, r, "Cannot read the spec");
        r = result_parse(text, size, ret_spec);
        return r < 0 ? vsphere_error_set(
                                       error, BUS_ERROR_INVALID_ARGUMENT,
                                       "the spec on stdin is not one JSON object within the limits")
                     : 0;
}

static int block_signals(int *ret_fd)
{
        sigset_t signals;
        int fd;

        (void) sigemptyset(&signals);
        (void) sigaddset(&signals, SIGTERM);
        (void) sigaddset(&signals, SIGINT);
        (void) sigaddset(&signals, SIGHUP);
        if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
                return -errno;
        fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
        if (fd < 0)
                return -errno;
        *ret_fd = fd;
        return 0;
}

static int run(Verb verb, json_t **ret_result)
{
        _cleanup_close_ int cancel_fd = -1;
        VSphereError error = {};
        json_t *spec = NULL;
        int r;

        r = block_signals(&cancel_fd);
        if (r < 0)
                r = vsphere_error_errno(&error, r, "Cannot wait for signals");
        else
                r = read_spec(cancel_fd, &spec, &error);
        if (r >= 0)
                r = verb(&(Task){ .spec = spec,
                                  .password_file = arg_password_file,
                                  .cancel_fd = cancel_fd },
                         ret_result, &error);
        json_decref(spec);
        if (r >= 0 && *ret_result &&
            json_object_set_new(*ret_result, "result", json_string("ok")) == 0)
                return 0;
        if (r >= 0)
                r = vsphere_error_errno(&error, -ENOMEM, "Cannot make the result");
        json_decref(*ret_result);
        *ret_result = json_pack("{s:s, s:s, s:s}", "result", "failed", "error_name", error.name,
                                "error_text", error.text);
        (void) log_error(r, "%s", error.text);
        return r;
}

/* In one line and in ASCII: names of VMs are for programs here, whatever is in them. */
static int print_result(const json_t *result)
{
        if (!result ||
            json_dumpf(result, stdout, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENSURE_ASCII) < 0 ||
            putchar('\n') == EOF || fflush(stdout) != 0)
                return -EIO;
        return 0;
}

int main(int argc, char *argv[])
{
        struct sigaction ignore = { .sa_handler = SIG_IGN };
        json_t *result = NULL;
        Verb verb = NULL;
        int r, printed;

        r = parse_argv(argc, argv, &verb);
        if (r <= 0)
                return r < 0 ? EX_USAGE : EXIT_SUCCESS;
        log_open("sendense-vsphere");
        (void) sigaction(SIGPIPE, &ignore, NULL);
        core_dump_never(); /* a password passes through libcurl's memory */

        r = run(verb, &result);
        printed = print_result(result);
        json_decref(result);
        if (printed < 0)
                (void) log_error(printed, "Cannot write the result: %m");
        return r < 0 || printed < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
