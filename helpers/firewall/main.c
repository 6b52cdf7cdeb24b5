/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendense-firewall: keeps local strangers away from the ports of loopback that belong to a hub or a node, by nft rules that
 * look at the user who connects. sendense-firewall@hub.service and @node.service run it: `load` and `unload` become nft with
 * the rules as its input, `rules` prints them. The ports are those of hub.conf and node.conf, read as their daemons read them.
 */
#include "rules.h"

#include "build-id.h"
#include "cleanup.h"
#include "log.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sysexits.h>
#include <unistd.h>

#define PROGRAM  "sendense-firewall"
#define NFT_PATH "/usr/sbin/nft"

static const char help[] = PROGRAM
                " [OPTIONS...] rules|load|unload hub|node\n\n"
                "Which local users may connect to which ports of loopback, as nft rules.\n\n"
                "  rules ROLE    Print the rules of this machine as a hub or as a node\n"
                "  load ROLE     Put them into force, in place of those that are\n"
                "  unload ROLE   Take them out of force\n\n"
                "  -h --help          Show this help\n"
                "     --version       Show version, git commit and build id\n"
                "     --config=FILE   Read FILE instead of " HUB_CONFIG_FILE " or node.conf\n"
                "     --nft=PATH      Run PATH instead of " NFT_PATH "\n\n"
                "See sendense-firewall(8).\n";

static int print_hub(FILE *file, const char *path)
{
        _cleanup_free_ char *error = NULL;
        HubConfig config = {};
        int r = hub_config_load_named(&config, path, &error);

        if (r < 0)
                return log_error(r, "%s", error ?: "Out of memory");
        rules_print_hub(file, &config);
        hub_config_done(&config);
        return 0;
}

static int print_node(FILE *file, const char *path)
{
        _cleanup_free_ char *error = NULL;
        NodeConfig config = {};
        int r = node_config_load(&config, path, &error);

        if (r < 0)
                return log_error(r, "%s", error ?: "Out of memory");
        rules_print_node(file, &config);
        node_config_done(&config);
        return 0;
}

typedef struct Role {
        const char *name;
        int (*print)(FILE *file, const char *path);
} Role;

static const Role roles[] = { { "hub", print_hub }, { "node", print_node } };

static const Role *find_role(const char *name)
{
        for (size_t i = 0; i < ELEMENTSOF(roles); i++)
                if (strcmp(roles[i].name, name) == 0)
                        return roles + i;
        return NULL;
}

/* Becomes nft, which reads what was written. Returns only when it cannot. */
static int become_nft(FILE *rules, const char *nft, const char *role)
{
        if (fflush(rules) != 0 || lseek(fileno(rules), 0, SEEK_SET) < 0 ||
            dup2(fileno(rules), STDIN_FILENO) < 0)
                return log_error(-errno, "Cannot hand the rules to nft: %m"), EX_OSERR;
        (void) execl(nft, "nft", "-f", "-", (char *) NULL);
        log_error(-errno,
                  "%s cannot be run: %m. Every local user may connect to the ports of this %s; "
                  "install "
                  "the package nftables, then: systemctl start sendense-firewall@%s",
                  nft, role, role);
        return EX_UNAVAILABLE;
}

static int apply(const Role *role, const char *verb, const char *path, const char *nft)
{
        _cleanup_fclose_ FILE *file = NULL;
        int fd = memfd_create("rules", MFD_CLOEXEC);

        file = fd < 0 ? NULL : fdopen(fd, "w+");
        if (!file)
                return log_error(-errno, "Cannot make a file in memory: %m"), EX_OSERR;
        if (strcmp(verb, "unload") == 0)
                rules_print_none(file, role->name);
        else if (role->print(file, path) < 0)
                return EX_CONFIG;
        return become_nft(file, nft, role->name);
}

static int run(int argc, char *argv[], const char *path, const char *nft)
{
        const Role *role = argc == 2 ? find_role(argv[1]) : NULL;
        const char *verb = argc > 0 ? argv[0] : "";

        if (role && strcmp(verb, "rules") == 0)
                return role->print(stdout, path) < 0 ? EX_CONFIG
                       : fflush(stdout) == 0         ? EXIT_SUCCESS
                                                     : EXIT_FAILURE;
        if (role && (strcmp(verb, "load") == 0 || strcmp(verb, "unload") == 0))
                return apply(role, verb, path, nft);
        (void) fputs(help, stderr);
        return EX_USAGE;
}

int main(int argc, char *argv[])
{
        static const struct option options[] = { { "help", no_argument, NULL, 'h' },
                                                 { "version", no_argument, NULL, 'v' },
                                                 { "config", required_argument, NULL, 'c' },
                                                 { "nft", required_argument, NULL, 'n' },
                                                 {} };
        const char *path = NULL, *nft = NFT_PATH;
        int c;

        log_open(PROGRAM);
        while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0)
                if (c == 'h')
                        return fputs(help, stdout) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
                else if (c == 'v')
                        return build_print_version(PROGRAM), EXIT_SUCCESS;
                else if (c == 'c')
                        path = optarg;
                else if (c == 'n')
                        nft = optarg;
                else
                        return EX_USAGE;
        return run(argc - optind, argv + optind, path, nft);
}
