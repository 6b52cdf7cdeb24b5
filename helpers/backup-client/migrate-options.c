/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Options of migrate (see migrate-options.h). Nothing that could be a password is ever repeated.
 */
#include "migrate-options.h"

#include "build-config.h"
#include "cleanup.h"
#include "parse.h"
#include "utf8.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
        JOB_TEXT_MAX = 60,
        HOST_SIZE = 256,
};

typedef enum Option {
        OPTION_ENDPOINT = 256,
        OPTION_USER,
        OPTION_PASSWORD,
        OPTION_PASSWORD_FILE,
        OPTION_PATH,
        OPTION_TARGETS,
        OPTION_JOB,
        OPTION_CA_FILE,
        OPTION_PIN,
        OPTION_TRANSPORT,
        OPTION_QUIESCE,
        OPTION_VDDK_PLUGIN,
        OPTION_VDDK_LIBDIR,
        OPTION_VSPHERE,
        OPTION_OLD_VCENTER,
        OPTION_OLD_USER,
        OPTION_OLD_PASSWORD,
        OPTION_OLD_VM,
} Option;

static const struct option options_known[] = {
        { "help", no_argument, NULL, 'h' },
        { "vmware-endpoint", required_argument, NULL, OPTION_ENDPOINT },
        { "vmware-username", required_argument, NULL, OPTION_USER },
        { "vmware-password", optional_argument, NULL, OPTION_PASSWORD },
        { "vmware-password-file", required_argument, NULL, OPTION_PASSWORD_FILE },
        { "vmware-path", required_argument, NULL, OPTION_PATH },
        { "nbd-targets", required_argument, NULL, OPTION_TARGETS },
        { "job-id", required_argument, NULL, OPTION_JOB },
        { "vmware-ca-file", required_argument, NULL, OPTION_CA_FILE },
        { "vmware-pin-sha256", required_argument, NULL, OPTION_PIN },
        { "transport", required_argument, NULL, OPTION_TRANSPORT },
        { "quiesce", required_argument, NULL, OPTION_QUIESCE },
        { "vddk-plugin", required_argument, NULL, OPTION_VDDK_PLUGIN },
        { "vddk-libdir", required_argument, NULL, OPTION_VDDK_LIBDIR },
        { "vsphere-program", required_argument, NULL, OPTION_VSPHERE },
        { "vcenter", optional_argument, NULL, OPTION_OLD_VCENTER },
        { "username", optional_argument, NULL, OPTION_OLD_USER },
        { "password", optional_argument, NULL, OPTION_OLD_PASSWORD },
        { "vm", optional_argument, NULL, OPTION_OLD_VM },
        {},
};

static const char help[] =
                "sendense-backup-client migrate OPTIONS...\n\n"
                "Takes a snapshot of a VM, copies all its disks to NBD servers, and removes the\n"
                "snapshot again, however it ends. The result is a JSON object on standard "
                "output.\n\n"
                "  -h --help                     Show this help\n"
                "     --vmware-endpoint=HOST     vCenter or ESXi host, HOST[:PORT]\n"
                "     --vmware-username=USER     Who logs in there\n"
                "     --vmware-password-file=FILE\n"
                "                                Its first line is the password; a private file\n"
                "                                (default: the credential \"vcenter\" of the "
                "unit)\n"
                "     --vmware-path=PATH         The VM in the inventory: DC0/vm/Folder/NAME\n"
                "     --nbd-targets=KEY:URI,...  Where each disk goes, by its key:\n"
                "                                2000:nbd://127.0.0.1:10100/export,2001:nbd://...\n"
                "     --job-id=ID                Names the snapshot: sendense-cli-ID\n"
                "     --vmware-ca-file=FILE      Trust this CA instead of the system's\n"
                "     --vmware-pin-sha256=PIN    Trust the certificate with this SHA-256 alone\n"
                "     --transport=https|vddk     How disks are read (default: https)\n"
                "     --quiesce=auto|required|no Whether the guest is quiesced (default: auto)\n"
                "     --vddk-plugin=NAME|PATH    nbdkit's plugin (default: vddk)\n"
                "     --vddk-libdir=DIR          Where VMware's library is\n\n"
                "See sendense-backup-client(8).\n";

static int complain(const char *what)
{
        (void) fprintf(stderr, "sendense-backup-client: %s\n", what);
        return -EINVAL;
}

/* Of what somebody typed. */
static int complain_of(const char *option, const char *value, const char *must)
{
        char text[200];

        (void) snprintf(text, sizeof(text), "%s", value);
        utf8_make_line(text);
        (void) fprintf(stderr, "sendense-backup-client: --%s must be %s, not '%s'\n", option, must,
                       text);
        return -EINVAL;
}

static int complain_of_password(void)
{
        return complain("--vmware-password is not taken: everybody on this machine could read it "
                        "in the "
                        "list of processes.\nWrite it into a private file (chmod 0600) and give "
                        "--vmware-password-file=FILE, or hand it to the unit as a\ncredential: "
                        "LoadCredential=vcenter:FILE");
}

static int complain_of_old(void)
{
        return complain("--vcenter, --username, --password and --vm have other names now: "
                        "--vmware-endpoint, --vmware-username,\n--vmware-password-file (a private "
                        "file, "
                        "not the password itself) and --vmware-path; see --help");
}

static bool is_word(const char *text, const char *const words[])
{
        for (size_t i = 0; words[i]; i++)
                if (strcmp(text, words[i]) == 0)
                        return true;
        return false;
}

static bool is_job(const char *text)
{
        size_t n = strspn(text,
                          "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

        return n > 0 && n <= JOB_TEXT_MAX && !text[n];
}

static int set_text(json_t *object, const char *key, const char *value)
{
        return json_object_set_new(object, key, json_string(value)) < 0
                               ? complain("an argument is no valid UTF-8")
                               : 0;
}

/* HOST, HOST:PORT, [IPV6]:PORT; scripts may have an address of the SDK, too. */
static int set_endpoint(json_t *vcenter, const char *value)
{
        static const char must[] = "HOST or HOST:PORT";
        const char *text = value, *colon;
        char host[HOST_SIZE];
        uint16_t port = 0;
        size_t n;

        if (strncmp(text, "https://", strlen("https://")) == 0)
                text += strlen("https://");
        n = strcspn(text, "/");
        if (text[n] && strcmp(text + n, "/") != 0 && strcmp(text + n, "/sdk") != 0 &&
            strcmp(text + n, "/sdk/") != 0)
                return complain_of("vmware-endpoint", value, must);
        if (n == 0 || n >= sizeof(host))
                return complain_of("vmware-endpoint", value, must);
        memcpy(host, text, n);
        host[n] = '\0';
        text = host;
        if (host[0] == '[') {
                char *end = strchr(host, ']');

                if (!end || (end[1] && end[1] != ':'))
                        return complain_of("vmware-endpoint", value, must);
                colon = end[1] ? end + 1 : NULL;
                *end = '\0';
                text = host + 1;
        } else {
                colon = strchr(host, ':');
                if (colon && strchr(colon + 1, ':'))
                        colon = NULL; /* an IPv6 address without brackets has no port */
        }
        if (colon) {
                if (parse_port(colon + 1, &port) < 0)
                        return complain_of("vmware-endpoint", value, must);
                host[colon - host] = '\0';
                (void) json_object_set_new(vcenter, "port", json_integer(port));
        }
        return *text ? set_text(vcenter, "host", text)
                     : complain_of("vmware-endpoint", value, must);
}

static int set_targets(MigrateOptions *options, const char *value)
{
        Failure failure = {};
        int r;

        nbd_targets_done(&options->targets);
        r = nbd_targets_parse(value, &options->targets, &failure);
        return r < 0 ? complain(failure.text) : 0;
}

static int set_word(const char *option, const char *value, const char *const words[],
                    const char *must, const char **ret_value)
{
        if (!is_word(value, words))
                return complain_of(option, value, must);
        *ret_value = value;
        return 0;
}

static int take_option(MigrateOptions *options, int option)
{
        static const char *const transports[] = { "https", "vddk", NULL };
        static const char *const wishes[] = { "auto", "required", "no", NULL };

        switch (option) {
        case OPTION_ENDPOINT:
                return set_endpoint(options->vcenter, optarg);
        case OPTION_USER:
                return set_text(options->vcenter, "user", optarg);
        case OPTION_PASSWORD:
                return complain_of_password();
        case OPTION_PASSWORD_FILE:
                options->password_file = optarg;
                return 0;
        case OPTION_PATH:
                options->path = optarg;
                return utf8_is_valid(optarg) ? 0 : complain("the path is no valid UTF-8");
        case OPTION_TARGETS:
                return set_targets(options, optarg);
        case OPTION_JOB:
                options->job = optarg;
                return is_job(optarg) ? 0
                                      : complain_of("job-id", optarg,
                                                    "letters, digits, '.', '_', '-'");
        case OPTION_CA_FILE:
                return set_text(options->vcenter, "ca_file", optarg);
        case OPTION_PIN:
                return set_text(options->vcenter, "pin_sha256", optarg);
        case OPTION_TRANSPORT:
                return set_word("transport", optarg, transports, "https or vddk",
                                &options->transport);
        case OPTION_QUIESCE:
                return set_word("quiesce", optarg, wishes, "auto, required or no",
                                &options->quiesce);
        case OPTION_VDDK_PLUGIN:
                options->vddk_plugin = optarg;
                return 0;
        case OPTION_VDDK_LIBDIR:
                options->vddk_libdir = optarg;
                return 0;
        case OPTION_VSPHERE:
                options->vsphere_program = optarg;
                return 0;
        case OPTION_OLD_VCENTER:
        case OPTION_OLD_USER:
        case OPTION_OLD_PASSWORD:
        case OPTION_OLD_VM:
                return complain_of_old();
        default:
                return -EINVAL;
        }
}

/* getopt itself would repeat what stands behind a '='. */
static int complain_of_word(const char *word)
{
        char text[80];

        (void) snprintf(text, sizeof(text), "%.*s", (int) strcspn(word, "="), word);
        utf8_make_line(text);
        (void) fprintf(stderr,
                       "sendense-backup-client: '%s' is not known, or wants an argument; see "
                       "migrate --help\n",
                       text);
        return -EINVAL;
}

static int check(const MigrateOptions *options)
{
        if (!json_object_get(options->vcenter, "host"))
                return complain("--vmware-endpoint is missing");
        if (!json_object_get(options->vcenter, "user"))
                return complain("--vmware-username is missing");
        if (!options->path || !*options->path)
                return complain("--vmware-path is missing");
        if (options->targets.n == 0)
                return complain("--nbd-targets is missing");
        if (!options->job)
                return complain("--job-id is missing");
        if (!options->password_file && !getenv("CREDENTIALS_DIRECTORY"))
                return complain("the password is missing: --vmware-password-file=FILE, or a "
                                "credential "
                                "\"vcenter\" of the unit");
        return 1;
}

int migrate_options_parse(int argc, char *argv[], MigrateOptions *ret_options)
{
        CLEANUP(migrate_options_done)
        MigrateOptions options = {
                .transport = "https",
                .quiesce = "auto",
                .vsphere_program = SENDENSE_LIBEXEC_DIR "/sendense-vsphere",
                .vcenter = json_object(),
        };
        int c, r;

        optind = 1;
        opterr = 0;
        while ((c = getopt_long(argc, argv, "+h", options_known, NULL)) >= 0) {
                if (c == 'h')
                        return fputs(help, stdout) < 0 ? -EINVAL : 0;
                r = c == '?' ? complain_of_word(argv[optind - 1]) : take_option(&options, c);
                if (r < 0)
                        return r;
        }
        if (optind < argc)
                return complain("migrate takes options only, see --help");
        r = check(&options);
        if (r < 0)
                return r;
        if (!options.password_file)
                (void) json_object_set_new(options.vcenter, "password_credential",
                                           json_string("vcenter"));
        *ret_options = options;
        options = (MigrateOptions){};
        return 1;
}

void migrate_options_done(MigrateOptions *options)
{
        nbd_targets_done(&options->targets);
        json_decref(options->vcenter);
        *options = (MigrateOptions){};
}
