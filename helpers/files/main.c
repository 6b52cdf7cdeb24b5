/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendense-files: reads files out of a backup, in a unit of its own that the hub starts. The spec comes as a credential, the files go into
 * the socket that is standard input, the result goes as one JSON object to stdout.
 * Exit status: 0 done, 1 failed (the result says why), 64 wrong command line.
 */
#include "announce.h"
#include "appliance.h"
#include "build-id.h"
#include "bus/bus-error.h"
#include "cleanup.h"
#include "filesystems.h"
#include "get.h"
#include "guard.h"
#include "list.h"
#include "log.h"
#include "result-file.h"
#include "small-file.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <sysexits.h>

typedef enum Verb {
        VERB_READ,
        VERB_APPLIANCE,
        VERB_MAX,
} Verb;

static const struct {
        const char *name, *what;
} verbs[VERB_MAX] = {
        [VERB_READ] = { "read", "list files as lines of JSON, or send them as a tar stream" },
        [VERB_APPLIANCE] = { "appliance", "make the appliance, and try KVM" },
};

static void print_help(void)
{
        (void) printf("sendense-files VERB [--spec=FILE] <>SOCKET >RESULT\n\n"
                      "Reads files out of a backup.\n\n");
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                (void) printf("  %-12s  %s\n", verbs[i].name, verbs[i].what);
        (void) printf("\n     --spec=FILE  Read what is asked from FILE and not from the "
                      "credential \"spec\"\n"
                      "  -h --help       Show this help\n"
                      "     --version    Show version, git commit and build id\n\n"
                      "See sendense-files(8).\n");
}

/* 1: go on with *ret_verb; 0: done; negative: wrong usage, said so. */
static int parse_argv(int argc, char *argv[], Verb *ret_verb, const char **ret_spec)
{
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, 'V' },
                { "spec", required_argument, NULL, 's' },
                {},
        };
        int c;

        while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0)
                switch (c) {
                case 'h':
                        print_help();
                        return 0;
                case 'V':
                        build_print_version("sendense-files");
                        return 0;
                case 's':
                        *ret_spec = optarg;
                        break;
                default:
                        return -1; /* getopt has said what */
                }
        for (int i = 0; optind + 1 == argc && i < VERB_MAX; i++)
                if (strcmp(argv[optind], verbs[i].name) == 0) {
                        *ret_verb = (Verb) i;
                        return 1;
                }
        (void) fprintf(stderr, "sendense-files: one verb is needed, see --help\n");
        return -1;
}

static int read_spec(const char *path, FilesSpec *spec, Failure *failure)
{
        const char *folder = getenv("CREDENTIALS_DIRECTORY");
        _cleanup_free_ char *text = NULL;
        char credential[256];
        json_t *json = NULL;
        size_t size;
        int r;

        if (!path && folder) {
                (void) snprintf(credential, sizeof(credential), "%s/spec", folder);
                path = credential;
        }
        r = path ? small_file_read(path, RESULT_SIZE_MAX, &text, &size) : -1;
        if (r >= 0)
                r = result_parse(text, size, &json);
        return r < 0 ? failure_set(failure, BUS_ERROR_INVALID_ARGUMENT,
                                   "the spec is not one JSON object within the limits")
                     : files_spec_read(spec, json, failure);
}

static int read_files(const FilesSpec *spec, Guest *guest, Stream *stream, json_t **ret_result,
                      Failure *failure)
{
        char filesystem[FILESYSTEM_SIZE] = "";
        CLEANUP(mounts_done) Mounts mounts = {};
        GetCount count = {};
        int r;

        if (spec->what == FILES_FILESYSTEMS)
                r = filesystems_list(guest, stream, failure);
        else {
                r = filesystems_mount(guest, spec, filesystem, &mounts, failure);
                if (r >= 0)
                        r = spec->what == FILES_LIST
                                            ? list_paths(guest, spec, &mounts, stream,
                                                         &count.entries, &count.left_out, failure)
                                            : get_paths(guest, spec, &mounts, stream, &count,
                                                        failure);
        }
        if (r >= 0)
                r = stream_end(stream, failure);
        if (r >= 0)
                r = left_out_check(&count.left_out, failure);
        if (r < 0)
                return r;
        *ret_result = json_pack("{s:s, s:s, s:s, s:I, s:I, s:I}", "result", "ok", "accel",
                                guest->accel, "filesystem", filesystem, "entries",
                                (json_int_t) count.entries, "skipped", (json_int_t) count.skipped,
                                "bytes", (json_int_t) stream->bytes);
        return *ret_result ? 0 : failure_set(failure, BUS_ERROR_FAILED, "Out of memory");
}

static int run(const char *spec_path, json_t **ret_result, Failure *failure)
{
        CLEANUP(files_spec_done) FilesSpec spec = {};
        CLEANUP(stream_done) Stream stream = { .fd = -1 };
        CLEANUP(guest_close) Guest guest = {};
        int r;

        r = read_spec(spec_path, &spec, failure);
        if (r >= 0)
                r = stream_open(&stream, STDIN_FILENO, failure);
        if (r >= 0)
                r = guest_open(&guest, &spec, failure);
        return r < 0 ? r : read_files(&spec, &guest, &stream, ret_result, failure);
}

static int print_result(const json_t *result)
{
        int r = json_dumpf(result, stdout, JSON_COMPACT | JSON_SORT_KEYS);

        return r < 0 || putchar('\n') == EOF || fflush(stdout) != 0 ? -EIO : 0;
}

int main(int argc, char *argv[])
{
        CLEANUP(json_decrefp) json_t *result = NULL;
        const char *spec_path = NULL;
        Failure failure = {};
        Verb verb;
        int r, printed;

        r = parse_argv(argc, argv, &verb, &spec_path);
        if (r <= 0)
                return r < 0 ? EX_USAGE : EXIT_SUCCESS;
        log_open("sendense-files");
        if (verb == VERB_APPLIANCE)
                return appliance_prepare() < 0 ? EXIT_FAILURE : EXIT_SUCCESS;

        guard_init(STDOUT_FILENO);
        r = run(spec_path, &result, &failure);
        if (r < 0) {
                (void) log_error(r, "%s: %s", failure.name, failure.text);
                result = json_pack("{s:s, s:s, s:s}", "result", "failed", "error_name",
                                   failure.name, "error_text", failure.text);
        }
        printed = print_result(result);
        if (printed < 0)
                (void) log_error(printed, "Cannot write the result: %m");
        return r < 0 || printed < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
