/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendense-sshd-config config: the sshd_config of this hub. Its ports are those of hub.conf, one by one, because sshd knows no
 * ranges. What holds for everybody forbids all; what one of the two users may stands in his block alone.
 */
#include "verbs.h"

#include "cleanup.h"
#include "hub-config.h"
#include "log.h"
#include "node-keys.h"

#include <stdio.h>
#include <sysexits.h>

/* " 127.0.0.1:P" for each. */
static void print_ports(const char *keyword, PortRange ports)
{
        printf("%s", keyword);
        for (unsigned port = ports.first; port <= ports.last; port++)
                printf(" 127.0.0.1:%u", port);
        putchar('\n');
}

static void print_everybody(const HubConfig *config)
{
        printf("# Made from hub.conf when sendense-sshd.service starts; a change here is lost.\n"
               "Port %u\n"
               "HostKey " SENDENSE_SSHD_HOST_KEY "\n"
               "PidFile none\n"
               "UsePAM no\n"
               "UseDNS no\n"
               "LogLevel VERBOSE\n",
               config->ssh_port);
        /* Nodes and those that become one, by their keys, and nobody else. */
        printf("AllowUsers " TUNNEL_USER " " ENROLL_USER "\n"
               "AuthenticationMethods publickey\n"
               "PasswordAuthentication no\n"
               "KbdInteractiveAuthentication no\n"
               "AuthorizedKeysFile none\n"
               "AuthorizedKeysCommand " SENDENSE_LIBEXEC_DIR "/" PROGRAM " keys %%u %%t %%k\n"
               "AuthorizedKeysCommandUser " TUNNEL_USER "\n"
               "LoginGraceTime 20\n"
               "MaxAuthTries 3\n"
               "MaxStartups 64:30:256\n");
        printf("AllowTcpForwarding no\n"
               "GatewayPorts no\n"
               "AllowStreamLocalForwarding no\n"
               "AllowAgentForwarding no\n"
               "X11Forwarding no\n"
               "PermitTunnel no\n"
               "PermitOpen none\n"
               "PermitListen none\n"
               "PermitTTY no\n"
               "PermitUserRC no\n"
               "PermitUserEnvironment no\n"
               "ForceCommand /bin/false\n"
               "MaxSessions 0\n"
               "Compression no\n");
        /* A node that vanished gives its port back within 30 s. sshd compares whole seconds and so takes twice the interval for
         * each question, of which there is one more than the count: 24 s. */
        printf("ClientAliveInterval 4\n"
               "ClientAliveCountMax 2\n"
               "TCPKeepAlive yes\n");
}

int verb_config(const Files *files)
{
        CLEANUP(hub_config_done) HubConfig config = {};
        _cleanup_free_ char *error = NULL;
        int r;

        r = hub_config_load(&config, files->config, &error);
        if (r < 0) {
                (void) log_error(r, "%s", error ?: "Out of memory");
                return EX_CONFIG;
        }
        print_everybody(&config);
        /* Forwards to and from these ports of loopback, and nothing else. */
        printf("Match User " TUNNEL_USER "\n"
               "AllowTcpForwarding yes\n");
        print_ports("PermitOpen", config.export_ports);
        print_ports("PermitListen", config.reverse_ports);
        /* One program, which learns from sshd which token was shown, and nothing else. */
        printf("Match User " ENROLL_USER "\n"
               "MaxSessions 1\n"
               "ExposeAuthInfo yes\n"
               "ForceCommand " SENDENSE_LIBEXEC_DIR "/sendense-enroll-hub\n");
        return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
