/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bundles (see node-bundle.h).
 */
#include "node-bundle.h"

#include "cleanup.h"
#include "columns.h"
#include "hub-config.h"
#include "json-cleanup.h"
#include "node-keys.h"
#include "options.h"
#include "output.h"
#include "parse.h"
#include "small-file.h"

#include <errno.h>
#include <netdb.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define HOST_KEY_FILE SENDENSE_SSHD_HOST_KEY ".pub"

enum {
        HOST_KEY_MAX = 4096,
        HOST_NAME_SIZE = 256,
        TIME_SIZE = 32,
};

/* The name as DNS or /etc/hosts completes it. */
static char *full_name(void)
{
        struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_CANONNAME }, *all;
        char name[HOST_NAME_SIZE] = "";
        char *full;

        if (gethostname(name, sizeof(name) - 1) < 0)
                return NULL;
        if (getaddrinfo(name, NULL, &hints, &all) != 0)
                return strdup(name);
        full = strdup(all->ai_canonname ?: name);
        freeaddrinfo(all);
        return full;
}

/* People write an IPv6 address with brackets, too. */
static int parse_host(const char *given, char **ret_host)
{
        static const ConfigKey host = { .max = 253 };
        size_t n = strlen(given);
        _cleanup_free_ char *bare = NULL;

        if (n == 0)
                return -EINVAL;
        if (given[0] != '[' || given[n - 1] != ']')
                return config_parse_host(&host, given, ret_host);
        bare = strndup(given + 1, n - 2);
        if (!bare)
                return -ENOMEM;
        return strchr(bare, ':') ? config_parse_host(&host, bare, ret_host) : -EINVAL;
}

static ExitStatus find_address(Bundle *bundle, const HubConfig *config)
{
        const char *given = option_value(OPTION_HUB);
        int r = given ? parse_host(given, &bundle->hub) : 0;

        if (r == -ENOMEM)
                return complain(CTL_FAILED, "Out of memory");
        if (r < 0)
                return complain(CTL_USAGE,
                                "--hub= must be a host name or an IP address; the port is that of "
                                "[Tunnel] SshPort= in hub.conf");
        if (!bundle->hub)
                bundle->hub = *config->public_address ? strdup(config->public_address)
                                                      : full_name();
        if (!bundle->hub)
                return complain(CTL_FAILED, "Out of memory");
        if (!given && !*config->public_address)
                (void) complain(CTL_OK,
                                "the node will look for this hub as %s. If that is not how it "
                                "reaches it, say --hub=ADDRESS, or set [Tunnel] PublicAddress= in "
                                "hub.conf",
                                bundle->hub);
        return CTL_OK;
}

static ExitStatus read_host_key(Bundle *bundle)
{
        _cleanup_free_ char *text = NULL;
        PublicKey key;
        size_t size;
        int r;

        r = small_file_read(HOST_KEY_FILE, HOST_KEY_MAX, &text, &size);
        if (r >= 0)
                r = public_key_parse_file(text, &key);
        if (r < 0)
                return complain(CTL_FAILED,
                                "the hub's host key " HOST_KEY_FILE " cannot be read: %s. "
                                "sendense-sshd.service makes it, and nodes need it: systemctl "
                                "enable --now sendense-sshd",
                                strerror(-r));
        bundle->host_key = malloc(PUBLIC_KEY_TEXT_SIZE);
        if (!bundle->host_key)
                return complain(CTL_FAILED, "Out of memory");
        public_key_format(&key, bundle->host_key);
        return CTL_OK;
}

static ExitStatus make_token(Bundle *bundle, char ret_token[static PUBLIC_KEY_TEXT_SIZE])
{
        PublicKey key;

        if (sodium_init() < 0)
                return complain(CTL_FAILED, "Cannot start the cryptography");
        randombytes_buf(bundle->seed, sizeof(bundle->seed));
        if (public_key_of_seed(bundle->seed, &key) < 0)
                return complain(CTL_FAILED, "Cannot make a key");
        public_key_format(&key, ret_token);
        return CTL_OK;
}

ExitStatus node_bundle_prepare(Bundle *bundle, const char *name, bool local,
                               char ret_token[static PUBLIC_KEY_TEXT_SIZE])
{
        CLEANUP(hub_config_done) HubConfig config = {};
        _cleanup_free_ char *error = NULL;
        ExitStatus s;

        bundle->node = strdup(name);
        bundle->local = local;
        ret_token[0] = '\0';
        if (!bundle->node)
                return complain(CTL_FAILED, "Out of memory");
        if (local)
                return CTL_OK;
        if (hub_config_load(&config, NULL, &error) < 0)
                return complain(CTL_CONFIG, "%s", error ?: "Out of memory");
        bundle->ssh_port = config.ssh_port;
        bundle->ports = config.export_ports;
        s = read_host_key(bundle);
        if (s == CTL_OK)
                s = find_address(bundle, &config);
        return s == CTL_OK ? make_token(bundle, ret_token) : s;
}

/* ── Giving it away ── */

static ExitStatus write_bundle(const Bundle *bundle, const char *path, const char *text)
{
        int r = small_file_write(path, 0600, text, strlen(text));

        if (r < 0)
                return complain(CTL_FAILED,
                                "node %s was added, but its bundle cannot be written to %s: %s. "
                                "Make another one: sendensectl node rotate %s",
                                bundle->node, path, strerror(-r), bundle->node);
        return CTL_OK;
}

static ExitStatus print_bundle(const char *text, const json_t *node)
{
        CLEANUP(json_decref_p) json_t *answer = NULL;

        if (!arg_json) {
                (void) fputs(text, stdout);
                return CTL_OK;
        }
        answer = json_deep_copy(node);
        if (!answer || json_object_set_new(answer, "Bundle", json_string(text)) < 0 ||
            output_json(answer) < 0)
                return complain(CTL_FAILED, "Out of memory");
        return CTL_OK;
}

static ExitStatus print_written(const char *path, const json_t *node)
{
        CLEANUP(json_decref_p) json_t *answer = NULL;

        if (!arg_json) {
                output_line("The bundle is in %s", path);
                return CTL_OK;
        }
        answer = json_deep_copy(node);
        if (!answer || json_object_set_new(answer, "File", json_string(path)) < 0 ||
            output_json(answer) < 0)
                return complain(CTL_FAILED, "Out of memory");
        return CTL_OK;
}

ExitStatus node_bundle_give(Bundle *bundle, const json_t *node)
{
        time_t expires = (time_t) (number_of(node, "TokenExpiresUSec") / (json_int_t) USEC_PER_SEC);
        const char *path = option_value(OPTION_OUTPUT);
        char text_of_time[TIME_SIZE] = "";
        char *text = NULL;
        struct tm utc;
        ExitStatus s;

        if (gmtime_r(&expires, &utc))
                (void) strftime(text_of_time, sizeof(text_of_time), "%Y-%m-%dT%H:%M:%SZ", &utc);
        bundle->expires = strdup(text_of_time);
        bundle->reverse_port = (uint16_t) number_of(node, "ReversePort");
        if (!bundle->expires || bundle_format(bundle, &text) < 0)
                return complain(CTL_FAILED,
                                "out of memory: make another bundle with sendensectl node rotate "
                                "%s",
                                bundle->node);
        s = path ? write_bundle(bundle, path, text) : print_bundle(text, node);
        if (s == CTL_OK && path)
                s = print_written(path, node);
        if (s == CTL_OK && !bundle->local && !path)
                (void) complain(CTL_OK, "this bundle is a secret, and good once: give it to "
                                        "'sendense-node enroll' at the node");
        if (s == CTL_OK && !bundle->local)
                (void) complain(CTL_OK, "the node must be let out to %s, TCP port %u", bundle->hub,
                                bundle->ssh_port);
        sodium_memzero(text, strlen(text));
        free(text);
        return s;
}
