/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendense-import: copies disks from NBD sources to the exports that the hub made for them. Started by
 * the hub as sendense-import-<job>.service. Reads what to do as JSON from standard input, writes one
 * JSON object to standard output when all is over.
 * Exit status: 0 all disks are copied, flushed and compared; 1 they are not, and the result says why;
 * 64 wrong command line.
 */
#include "build-id.h"
#include "cleanup.h"
#include "copy.h"
#include "failure.h"
#include "log.h"
#include "parse.h"
#include "preflight.h"
#include "result-file.h"
#include "spec.h"
#include "verify.h"

#include "child.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>

enum {
        ARG_VERSION = 256,
        ARG_NBDCOPY,
        ARG_VERIFY,
};

static const char *arg_nbdcopy = NBDCOPY_PATH;
static bool arg_verify = false;

static void print_help(void)
{
        (void) printf("sendense-import [OPTIONS...] <SPEC\n\n"
                      "Copies disks between NBD servers: SPEC is a JSON object that names the\n"
                      "sources and targets, the result is one on standard output.\n\n"
                      "  -h --help          Show this help\n"
                      "     --version       Show version, git commit and build id\n"
                      "     --nbdcopy=PATH  Copy by this program instead of\n"
                      "                     %s\n\n"
                      "See sendense-import(8).\n",
                      NBDCOPY_PATH);
}

/* 1: go on; 0: done; negative: wrong usage, said so. */
static int parse_argv(int argc, char *argv[])
{
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, ARG_VERSION },
                { "nbdcopy", required_argument, NULL, ARG_NBDCOPY },
                { "verify", no_argument, NULL, ARG_VERIFY }, /* of itself only */
                {},
        };
        int c;

        while ((c = getopt_long(argc, argv, "+h", options, NULL)) >= 0)
                switch (c) {
                case 'h':
                        print_help();
                        return 0;
                case ARG_VERSION:
                        build_print_version("sendense-import");
                        return 0;
                case ARG_NBDCOPY:
                        arg_nbdcopy = optarg;
                        break;
                case ARG_VERIFY:
                        arg_verify = true;
                        break;
                default:
                        return -1; /* getopt has said what */
                }
        if (!arg_verify && optind < argc) {
                (void) fprintf(stderr, "sendense-import: takes no arguments, got '%s'\n",
                               argv[optind]);
                return -1;
        }
        return 1;
}

/* argv as copy.c makes it: source, target, capacity, invocation id, whether to compare. */
static int verify(int argc, char *argv[])
{
        VerifyRequest request = { .progress_fd = CHILD_PROGRESS_FD };

        if (argc - optind != 5 ||
            parse_uint64(argv[optind + 2], 1, INT64_MAX, &request.capacity_bytes) < 0 ||
            parse_bool(argv[optind + 4], &request.compare) < 0) {
                (void) fprintf(stderr, "sendense-import: --verify is for itself only\n");
                return EX_USAGE;
        }
        request.source = argv[optind];
        request.target = argv[optind + 1];
        request.invocation_id = argv[optind + 3];
        return verify_run(&request) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* One byte more than allowed, to see that there is one. 1: end of input. */
static int read_part(char *text, size_t *size)
{
        ssize_t n = read(STDIN_FILENO, text + *size, RESULT_SIZE_MAX + 1 - *size);

        if (n < 0)
                return errno == EINTR || errno == EAGAIN ? 0 : -errno;
        *size += (size_t) n;
        return n == 0 || *size > RESULT_SIZE_MAX;
}

/* Who starts us by hand may type slowly, or go away. */
static int read_input(int signal_fd, char **ret_text, size_t *ret_size, Failure *failure)
{
        _cleanup_free_ char *text = malloc(RESULT_SIZE_MAX + 1);
        size_t size = 0;
        int r = 0;

        if (!text)
                return -ENOMEM;
        while (r == 0) {
                struct pollfd fds[] = {
                        { .fd = STDIN_FILENO, .events = POLLIN },
                        { .fd = signal_fd, .events = POLLIN },
                };

                if (poll(fds, ELEMENTSOF(fds), -1) < 0)
                        r = errno == EINTR ? 0 : -errno;
                else if (fds[1].revents)
                        return failure_set(failure, -ECANCELED, FAILURE_CANCELLED, 0, "cancelled");
                else
                        r = read_part(text, &size);
        }
        if (r < 0)
                return failure_set(failure, r, FAILURE_OTHER, 0, "cannot read the spec: %s",
                                   strerror(-r));
        *ret_text = TAKE(text);
        *ret_size = size;
        return 0;
}

static int import(const sigset_t *signals, ImportSpec *ret_spec, Failure *failure)
{
        _cleanup_close_ int signal_fd = -1;
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        int r;

        if (sigprocmask(SIG_BLOCK, signals, NULL) < 0)
                return -errno;
        signal_fd = signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK);
        if (signal_fd < 0)
                return -errno;
        r = read_input(signal_fd, &text, &size, failure);
        if (r >= 0)
                r = spec_parse(text, size, ret_spec, failure);
        if (r < 0)
                return r;
        (void) sd_notify(false, "READY=1\nSTATUS=Looking at sources and targets");
        r = preflight_check(ret_spec, signal_fd, failure);
        if (r < 0)
                return r;
        return copy_disks(&(CopyRequest){ .spec = ret_spec,
                                          .nbdcopy = arg_nbdcopy,
                                          .signals = signals,
                                          .signal_fd = signal_fd },
                          failure);
}

static json_t *result_of_success(const ImportSpec *spec)
{
        json_t *disks = json_array();

        for (size_t i = 0; i < spec->n_disks; i++)
                (void) json_array_append_new(
                                disks, json_pack("{s:I, s:I}", "disk_key",
                                                 (json_int_t) spec->disks[i].disk_key, "bytes",
                                                 (json_int_t) spec->disks[i].capacity_bytes));
        return json_pack("{s:s, s:o}", "result", "ok", "disks", disks);
}

static json_t *result_of_failure(const Failure *failure)
{
        json_t *result = json_pack("{s:s, s:s, s:s}", "result", "failed", "error_name",
                                   failure->name, "error_text", failure->text);

        if (failure->disk_key > 0)
                (void) json_object_set_new(result, "disk_key",
                                           json_integer((json_int_t) failure->disk_key));
        return result;
}

/* In one piece, at the end. */
static int write_result(json_t *result)
{
        int r = 0;

        if (!result || json_dumpf(result, stdout, JSON_COMPACT) < 0 || fputc('\n', stdout) < 0 ||
            fflush(stdout) != 0)
                r = -EIO;
        json_decref(result);
        return r;
}

int main(int argc, char *argv[])
{
        CLEANUP(spec_done) ImportSpec spec = {};
        struct sigaction ignore = { .sa_handler = SIG_IGN };
        Failure failure = {};
        sigset_t signals;
        int r;

        r = parse_argv(argc, argv);
        if (r <= 0)
                return r < 0 ? EX_USAGE : EXIT_SUCCESS;
        if (arg_verify)
                return verify(argc, argv);

        log_open("sendense-import");
        (void) sigaction(SIGPIPE, &ignore, NULL);
        (void) sigemptyset(&signals);
        (void) sigaddset(&signals, SIGTERM);
        (void) sigaddset(&signals, SIGINT);
        (void) sigaddset(&signals, SIGCHLD);

        r = import(&signals, &spec, &failure);
        if (r < 0)
                (void) failure_set(&failure, r, FAILURE_OTHER, 0, "%s", strerror(-r));
        if (failure.name)
                (void) log_full(LOG_ERR, 0, &(LogContext){ .job = spec.job }, MESSAGE_NONE, "%s",
                                failure.text);
        r = write_result(failure.name ? result_of_failure(&failure) : result_of_success(&spec));
        if (r < 0)
                (void) log_error(r, "Cannot write the result: %m");
        return failure.name || r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
