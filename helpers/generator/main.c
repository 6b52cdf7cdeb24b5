/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendense-tunnel-generator: a systemd.generator(7). When node.conf names a hub it makes sendense-tunnel.socket, with a line for each
 * port of [Tunnel] Ports=, and has socket and service started at boot; without a hub there is no socket at all. Run at boot and by
 * every daemon-reload, so it is quick, writes only into its folder, and a config that nobody can read leaves the machine without a
 * tunnel: sendense-tunnel says what is wrong with it.
 */
#include "cleanup.h"
#include "node-config.h"
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOCKET "sendense-tunnel.socket"

static int write_socket(const char *folder, const NodeConfig *config)
{
        _cleanup_free_ char *path = text_format("%s/" SOCKET, folder);
        _cleanup_fclose_ FILE *file = path ? fopen(path, "we") : NULL;

        if (!file)
                return -errno;
        fprintf(file,
                "# Made by sendense-tunnel-generator from node.conf.\n\n"
                "[Unit]\n"
                "Description=Sendense Tunnel Sockets\n"
                "Documentation=man:sendense-tunnel(8)\n"
                /* Not a target's: that would be up only when the tunnel is, and the boot would wait for the hub. */
                "Wants=sendense-tunnel.service\n\n"
                "[Socket]\n");
        for (unsigned port = config->tunnel_ports.first; port <= config->tunnel_ports.last; port++)
                fprintf(file, "ListenStream=127.0.0.1:%u\n", port);
        fprintf(file,
                "Backlog=128\n"
                "NoDelay=yes\n"
                /* A tunnel that is being started again leaves connections waiting, never refused. */
                "TriggerLimitIntervalSec=0\n");
        return fflush(file) == 0 ? 0 : -errno;
}

static int want_socket(const char *folder)
{
        _cleanup_free_ char *wants = text_format("%s/sockets.target.wants", folder);
        _cleanup_free_ char *link = text_format("%s/sockets.target.wants/" SOCKET, folder);

        if (!wants || !link)
                return -ENOMEM;
        if (mkdir(wants, 0755) < 0 && errno != EEXIST)
                return -errno;
        return symlink("../" SOCKET, link) < 0 && errno != EEXIST ? -errno : 0;
}

int main(int argc, char *argv[])
{
        _cleanup_free_ char *error = NULL;
        NodeConfig config = {};
        int r = 0;

        if (argc != 4) {
                (void) fputs("sendense-tunnel-generator is run by systemd: see "
                             "systemd.generator(7)\n",
                             stderr);
                return EXIT_FAILURE;
        }
        if (access(NODE_CONFIG_FILE, F_OK) < 0 && access(NODE_CONFIG_FILE ".d", F_OK) < 0)
                return EXIT_SUCCESS;
        if (node_config_load(&config, NULL, &error) < 0) {
                (void) fprintf(stderr, "sendense-tunnel-generator: %s\n", error ?: "out of memory");
                return EXIT_SUCCESS;
        }
        if (*config.tunnel_hub) {
                r = write_socket(argv[1], &config);
                if (r >= 0)
                        r = want_socket(argv[1]);
        }
        if (r < 0)
                (void) fprintf(stderr, "sendense-tunnel-generator: %s: %s\n", argv[1],
                               strerror(-r));
        node_config_done(&config);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
