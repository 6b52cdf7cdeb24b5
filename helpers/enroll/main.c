/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendense-enroll, which people call as `sendense-node enroll`: makes this machine the node that a bundle of the hub's names. Run by
 * root. It proves to hold the bundle's token, has the hub take the key that it made, stores what both need, and starts the
 * tunnel. Whatever ends it halfway, the same call goes on from there.
 */
#include "build-id.h"
#include "bundle.h"
#include "cleanup.h"
#include "core-dump.h"
#include "exchange.h"
#include "json-wipe.h"
#include "log.h"
#include "node-files.h"
#include "small-file.h"
#include "start.h"
#include "store.h"

#include <errno.h>
#include <getopt.h>
#include <libssh/libssh.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define PROGRAM "sendense-enroll"

static bool arg_replace, arg_no_start;

static const char help[] =
                "sendense-node enroll [OPTIONS...] BUNDLE\n\n"
                "Makes this machine a node of the hub that made the bundle (sendensectl node add, "
                "at\n"
                "the hub). BUNDLE is its file, or - for standard input.\n\n"
                "  -h --help        Show this help\n"
                "     --version     Show version, git commit and build id\n"
                "     --replace     Be this node instead of the one that this machine is\n"
                "     --no-start    Do not start the tunnel and the node's API\n\n"
                "See sendense-enroll(8).\n";

static int read_bundle(const char *path, Bundle *bundle)
{
        bool is_stdin = strcmp(path, "-") == 0;
        _cleanup_free_ char *text = NULL, *error = NULL;
        size_t size;
        int r;

        if (is_stdin) {
                text = malloc(BUNDLE_SIZE_MAX + 1);
                if (!text)
                        return log_oom();
                size = fread(text, 1, BUNDLE_SIZE_MAX + 1, stdin);
                r = ferror(stdin) ? -EIO : (size > BUNDLE_SIZE_MAX ? -EFBIG : 0);
        } else
                r = small_file_read(path, BUNDLE_SIZE_MAX, &text, &size);
        if (r < 0)
                return log_error(r, "Cannot read the bundle %s: %m", path);
        r = bundle_read(bundle, is_stdin ? "standard input" : path, text, size, &error);
        sodium_memzero(text, size);
        return r < 0 ? log_error(r, "%s", error ?: "Out of memory") : 0;
}

static int check_fresh(const Bundle *bundle)
{
        Store store = {};
        int r;

        r = store_look(bundle, &store);
        if (r < 0 || arg_replace)
                return r;
        /* Begun, and not ended: this goes on with it. */
        if (store.is_begun)
                return 0;
        if (store.has_key || (bundle->local && store.has_hub))
                return log_error(-EEXIST,
                                 "This machine is a node already (%s)%s. To make it node %s "
                                 "instead: sendense-node enroll --replace",
                                 store.has_key ? TUNNEL_KEY_FILE : NODE_API_TOKENS,
                                 store.is_begun_by_other ? ", and an enrolment with another bundle "
                                                           "has not ended: the same call with that "
                                                           "one goes on with it"
                                                         : "",
                                 bundle->node);
        return 0;
}

static int exchange(const Bundle *bundle, Answer *ret_answer)
{
        int r;

        if (!bundle->local)
                return exchange_ssh(bundle, store_new_key, ret_answer);
        r = store_no_key(bundle);
        return r < 0 ? r : exchange_bus(bundle, ret_answer);
}

static int finish(const Bundle *bundle, const Answer *answer)
{
        int r;

        r = store_answer(bundle, answer);
        if (r < 0)
                return r;
        if (arg_no_start) {
                printf("Node %s is enrolled. Start it: systemctl daemon-reload; systemctl enable "
                       "--now sendense-node.service sendense-node-api.socket%s\n",
                       answer->name,
                       bundle->local ? ""
                                     : "; systemctl start sendense-tunnel.socket "
                                       "sendense-tunnel.service");
                return store_end();
        }
        r = start_node(!bundle->local);
        if (r >= 0 && bundle->local)
                printf("Node %s is enrolled at the hub of this machine.\n", answer->name);
        else if (r >= 0)
                printf("Node %s is enrolled, and its tunnel to %s port %u is up. The bundle is "
                       "used up: delete it.\n",
                       answer->name, bundle->hub, bundle->ssh_port);
        /* A tunnel that is not up yet is no enrolment that failed. */
        if (store_end() < 0)
                return -EIO;
        return r;
}

static int run(const char *path)
{
        CLEANUP(bundle_done) Bundle bundle = {};
        _cleanup_close_ int lock = -1;
        Answer answer;
        int r;

        if (geteuid() != 0)
                return log_error(-EPERM, "Enrolling writes keys and settings of this machine: be "
                                         "root");
        if (ssh_init() != SSH_OK || sodium_init() < 0)
                return log_error(-EIO, "Cannot start the cryptography");
        r = read_bundle(path, &bundle);
        if (r < 0)
                return r;
        r = store_lock(&lock);
        if (r >= 0)
                r = check_fresh(&bundle);
        if (r >= 0)
                r = exchange(&bundle, &answer);
        return r < 0 ? r : finish(&bundle, &answer);
}

int main(int argc, char *argv[])
{
        static const struct option options[] = { { "help", no_argument, NULL, 'h' },
                                                 { "version", no_argument, NULL, 'v' },
                                                 { "replace", no_argument, NULL, 'r' },
                                                 { "no-start", no_argument, NULL, 'n' },
                                                 {} };
        int c;

        json_wipe_freed();
        core_dump_never();
        log_open(PROGRAM);
        while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0)
                if (c == 'h')
                        return fputs(help, stdout) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
                else if (c == 'v')
                        return build_print_version(PROGRAM), EXIT_SUCCESS;
                else if (c == 'r')
                        arg_replace = true;
                else if (c == 'n')
                        arg_no_start = true;
                else
                        return EX_USAGE;
        if (argc - optind != 1) {
                (void) fputs(help, stderr);
                return EX_USAGE;
        }
        return run(argv[optind]) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
