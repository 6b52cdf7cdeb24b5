/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendense-sshd-config: what sendense-sshd.service asks for. `config` prints the sshd_config of this hub: its ports are those of
 * hub.conf, one by one, because sshd knows no ranges. `keys` is sshd's AuthorizedKeysCommand: it prints the line of the node
 * whose key is shown, with the one port that this node may listen on. It reads a file that the hub writes, so that tunnels come
 * back while hub and database are down.
 */
#include "build-id.h"
#include "cleanup.h"
#include "hub-config.h"
#include "log.h"
#include "node-keys.h"
#include "text.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define PROGRAM "sendense-sshd-config"

static const char help[] =
                PROGRAM " [--config=FILE] config\n" PROGRAM " [--keys=FILE] keys TYPE KEY\n\n"
                        "Prints what sendense-sshd.service needs.\n\n"
                        "  config          The sshd_config of this hub\n"
                        "  keys TYPE KEY   The line of the node that has this public key\n\n"
                        "  -h --help          Show this help\n"
                        "     --config=FILE   Read FILE instead of " HUB_CONFIG_FILE "\n"
                        "     --keys=FILE     Read FILE instead of " NODE_KEYS_FILE "\n\n"
                        "See sendense-sshd-config(8).\n";

/* " 127.0.0.1:P" for each. */
static void print_ports(const char *keyword, PortRange ports)
{
        printf("%s", keyword);
        for (unsigned port = ports.first; port <= ports.last; port++)
                printf(" 127.0.0.1:%u", port);
        putchar('\n');
}

static int print_config(const char *path)
{
        _cleanup_free_ char *error = NULL;
        HubConfig config = {};
        int r;

        r = hub_config_load(&config, path, &error);
        if (r < 0) {
                (void) log_error(r, "%s", error ?: "Out of memory");
                return EX_CONFIG;
        }
        printf("# Made from hub.conf when sendense-sshd.service starts; a change here is lost.\n"
               "Port %u\n"
               "HostKey " SENDENSE_SSHD_HOST_KEY "\n"
               "PidFile none\n"
               "UsePAM no\n"
               "UseDNS no\n"
               "LogLevel VERBOSE\n",
               config.ssh_port);
        /* Nodes, by their keys, and nobody else. */
        printf("AllowUsers " TUNNEL_USER "\n"
               "AuthenticationMethods publickey\n"
               "PasswordAuthentication no\n"
               "KbdInteractiveAuthentication no\n"
               "AuthorizedKeysFile none\n"
               "AuthorizedKeysCommand " SENDENSE_LIBEXEC_DIR "/" PROGRAM " keys %%t %%k\n"
               "AuthorizedKeysCommandUser " TUNNEL_USER "\n"
               "LoginGraceTime 20\n"
               "MaxAuthTries 3\n"
               "MaxStartups 64:30:256\n");
        /* Forwards to and from these ports of loopback, and nothing else. */
        printf("AllowTcpForwarding yes\n"
               "GatewayPorts no\n"
               "AllowStreamLocalForwarding no\n"
               "AllowAgentForwarding no\n"
               "X11Forwarding no\n"
               "PermitTunnel no\n"
               "PermitTTY no\n"
               "PermitUserRC no\n"
               "PermitUserEnvironment no\n"
               "ForceCommand /bin/false\n"
               "MaxSessions 0\n"
               "Compression no\n");
        print_ports("PermitOpen", config.export_ports);
        print_ports("PermitListen", config.reverse_ports);
        /* A node that vanished gives its port back within 30 s. */
        printf("ClientAliveInterval 10\n"
               "ClientAliveCountMax 2\n"
               "TCPKeepAlive yes\n");
        hub_config_done(&config);
        return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int print_key(const char *path, const char *type, const char *key)
{
        NodeKey node;
        int r;

        r = node_keys_find(path, type, key, &node);
        if (r == -ENOENT)
                return EXIT_SUCCESS; /* a stranger; sshd says so */
        if (r < 0)
                return log_error(r, "Cannot read the nodes' keys in %s: %m", path), EXIT_FAILURE;
        printf("restrict,port-forwarding,command=\"/bin/false\",permitlisten=\"127.0.0.1:%u\" %s "
               "%s "
               "%s\n",
               node.reverse_port, type, key, node.name);
        return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char *argv[])
{
        static const struct option options[] = { { "help", no_argument, NULL, 'h' },
                                                 { "config", required_argument, NULL, 'c' },
                                                 { "keys", required_argument, NULL, 'k' },
                                                 { "version", no_argument, NULL, 'v' },
                                                 {} };
        const char *config = NULL, *keys = NODE_KEYS_FILE;
        int c;

        log_open(PROGRAM);
        while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0)
                if (c == 'h')
                        return fputs(help, stdout) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
                else if (c == 'v')
                        return build_print_version(PROGRAM), EXIT_SUCCESS;
                else if (c == 'c')
                        config = optarg;
                else if (c == 'k')
                        keys = optarg;
                else
                        return EX_USAGE;
        if (argc - optind == 1 && strcmp(argv[optind], "config") == 0)
                return print_config(config);
        if (argc - optind == 3 && strcmp(argv[optind], "keys") == 0)
                return print_key(keys, argv[optind + 1], argv[optind + 2]);
        (void) fputs(help, stderr);
        return EX_USAGE;
}
