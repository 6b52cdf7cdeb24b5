/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendense-hub-generator: a systemd.generator(7). When hub.conf has [Api] Listen= it makes sendense-hub-api-tls.socket there, has it
 * started with the sockets, and gives sendense-hub-api.service certificate and key as credentials; [Api] Port= moves the socket on
 * loopback. Run at boot and by every daemon-reload, so it is quick, writes only into its folder, and a config that nobody can read
 * leaves the API on loopback alone: the hub says what is wrong with it.
 */
#include "cleanup.h"
#include "hub-config.h"
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MADE "# Made by sendense-hub-generator from hub.conf.\n\n"

/* folder/name, the folder made if need be, for writing. */
static FILE *create(const char *folder, const char *name)
{
        _cleanup_free_ char *path = text_format("%s/%s", folder, name);
        char *slash = path ? strrchr(path, '/') : NULL;

        if (!slash)
                return NULL;
        *slash = '\0';
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
                return NULL;
        *slash = '/';
        return fopen(path, "we");
}

static int write_port(const char *folder, const HubConfig *config)
{
        _cleanup_fclose_ FILE *file = create(folder, "sendense-hub-api.socket.d/50-port.conf");

        if (!file)
                return -errno;
        fprintf(file,
                MADE "[Socket]\n"
                     "ListenStream=\n"
                     "ListenStream=127.0.0.1:%u\n"
                     "ListenStream=/run/sendense/hub-api.sock\n",
                config->api_port);
        return fflush(file) == 0 ? 0 : -errno;
}

static int write_socket(const char *folder, const HubConfig *config)
{
        _cleanup_fclose_ FILE *file = create(folder, "sendense-hub-api-tls.socket");
        bool is_ipv6 = strchr(config->api_listen, ':') != NULL;

        if (!file)
                return -errno;
        fprintf(file,
                MADE "[Unit]\n"
                     "Description=Sendense Hub HTTP API Socket for Other Machines\n"
                     "Documentation=man:sendense-hub-api(8)\n\n"
                     "[Socket]\n"
                     "ListenStream=%s%s%s:%u\n"
                     /* The address may come later than the socket. */
                     "FreeBind=yes\n"
                     "FileDescriptorName=tls\n"
                     "Service=sendense-hub-api.service\n"
                     "Backlog=64\n",
                is_ipv6 ? "[" : "", config->api_listen, is_ipv6 ? "]" : "", config->api_tls_port);
        return fflush(file) == 0 ? 0 : -errno;
}

static int write_service(const char *folder, const HubConfig *config)
{
        _cleanup_fclose_ FILE *file = create(folder, "sendense-hub-api.service.d/50-tls.conf");

        if (!file)
                return -errno;
        fprintf(file,
                MADE "[Unit]\n"
                     "Wants=sendense-hub-api-tls.socket\n"
                     "After=sendense-hub-api-tls.socket\n\n"
                     "[Service]\n"
                     "Sockets=sendense-hub-api.socket sendense-hub-api-tls.socket\n"
                     "LoadCredential=tls-certificate:%s\n"
                     "LoadCredential=tls-key:%s\n"
                     /* Whom it may hear is for the machine's packet filter. */
                     "RestrictAddressFamilies=AF_INET6\n"
                     "IPAddressAllow=any\n",
                config->api_certificate, config->api_key);
        return fflush(file) == 0 ? 0 : -errno;
}

static int want_socket(const char *folder)
{
        _cleanup_free_ char *wants = text_format("%s/sockets.target.wants", folder);
        _cleanup_free_ char *link =
                        text_format("%s/sockets.target.wants/sendense-hub-api-tls.socket", folder);

        if (!wants || !link)
                return -ENOMEM;
        if (mkdir(wants, 0755) < 0 && errno != EEXIST)
                return -errno;
        return symlink("../sendense-hub-api-tls.socket", link) < 0 && errno != EEXIST ? -errno : 0;
}

int main(int argc, char *argv[])
{
        _cleanup_free_ char *error = NULL;
        HubConfig config = {};
        int r = 0;

        if (argc != 4) {
                (void) fputs("sendense-hub-generator is run by systemd: see systemd.generator(7)\n",
                             stderr);
                return EXIT_FAILURE;
        }
        if (access(HUB_CONFIG_FILE, F_OK) < 0 && access(HUB_CONFIG_FILE ".d", F_OK) < 0)
                return EXIT_SUCCESS;
        if (hub_config_load(&config, NULL, &error) < 0) {
                (void) fprintf(stderr, "sendense-hub-generator: %s\n", error ?: "out of memory");
                hub_config_done(&config);
                return EXIT_SUCCESS;
        }
        if (config_is_set(&config.config, "Api", "Port"))
                r = write_port(argv[1], &config);
        if (r >= 0 && *config.api_listen) {
                r = write_socket(argv[1], &config);
                if (r >= 0)
                        r = write_service(argv[1], &config);
                if (r >= 0)
                        r = want_socket(argv[1]);
        }
        if (r < 0)
                (void) fprintf(stderr, "sendense-hub-generator: %s: %s\n", argv[1], strerror(-r));
        hub_config_done(&config);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
