/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bundles (see bundle.h).
 */
#include "bundle.h"

#include "cleanup.h"
#include "node-keys.h"
#include "text.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define FIELD(name) offsetof(Bundle, name)
#define TOKEN_LENGTH                                                           \
        (sodium_base64_ENCODED_LEN(PUBLIC_KEY_SEED_SIZE,                       \
                                   sodium_base64_VARIANT_URLSAFE_NO_PADDING) - \
         1)

static int set_text(const char *value, void *field)
{
        char **text = field, *copy = strdup(value);

        if (!copy)
                return -ENOMEM;
        free(*text);
        *text = copy;
        return 0;
}

static int parse_name(const ConfigKey *key, const char *value, void *field)
{
        (void) key;
        return *value && !node_name_is_valid(value) ? -EINVAL : set_text(value, field);
}

static int parse_key(const ConfigKey *key, const char *value, void *field)
{
        PublicKey public_key;

        (void) key;
        return *value && public_key_parse(value, &public_key) < 0 ? -EINVAL
                                                                  : set_text(value, field);
}

/* Any text: the sentence about a wrong value would show it. */
static int parse_text(const ConfigKey *key, const char *value, void *field)
{
        (void) key;
        return set_text(value, field);
}

static const ConfigKey keys[] = {
        { "Bundle", "Format", config_parse_number, FIELD(format), BUNDLE_FORMAT, BUNDLE_FORMAT, "1",
          "1: is this program as new as the hub?" },
        { "Bundle", "Node", parse_name, FIELD(node), 0, 0, "", "a name of a-z, 0-9 and '-'" },
        { "Bundle", "Local", config_parse_bool, FIELD(local), 0, 0, "no", "yes or no" },
        { "Bundle", "Hub", config_parse_host, FIELD(hub), 0, 253, "",
          "a host name or an IP address, without brackets and without a port" },
        { "Bundle", "SshPort", config_parse_port, FIELD(ssh_port), 0, 0, "443",
          "a port from 1 to 65535" },
        { "Bundle", "HostKey", parse_key, FIELD(host_key), 0, 0, "",
          "a public key of the form 'ssh-ed25519 AAAA…'" },
        { "Bundle", "ReversePort", config_parse_port, FIELD(reverse_port), 0, 0, "9081",
          "a port from 1 to 65535" },
        { "Bundle", "Ports", config_parse_port_range, FIELD(ports), 0, 1000, "10100-10200",
          "two ports FIRST-LAST, FIRST not above LAST, 1000 ports at most" },
        { "Bundle", "Expires", parse_text, FIELD(expires), 0, 0, "", "a time" },
        { "Bundle", "Token", parse_text, FIELD(token), 0, 0, "", "a token" },
};

static void wipe(char *text)
{
        if (text)
                sodium_memzero(text, strlen(text));
}

void bundle_done(Bundle *bundle)
{
        /* The reader keeps each value as it is written. */
        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                wipe(bundle->config.origins[i].value);
        wipe(bundle->token);
        free(bundle->node);
        free(bundle->hub);
        free(bundle->host_key);
        free(bundle->expires);
        free(bundle->token);
        config_done(&bundle->config);
        sodium_memzero(bundle, sizeof(*bundle));
}

static int complain(const char *name, const char *what, char **ret_error)
{
        *ret_error = text_format("%s: %s; a bundle is used as sendensectl node add printed it",
                                 name, what);
        return *ret_error ? -EINVAL : -ENOMEM;
}

static int check(Bundle *bundle, const char *name, char **ret_error)
{
        static const char *const always[] = { "Format", "Node" };
        static const char *const remote[] = { "Hub",         "SshPort", "HostKey",
                                              "ReversePort", "Ports",   "Token" };
        size_t size;

        for (size_t i = 0; i < ELEMENTSOF(always); i++)
                if (!config_is_set(&bundle->config, "Bundle", always[i]))
                        return complain(name, "[Bundle] Format= or Node= is missing", ret_error);
        for (size_t i = 0; i < ELEMENTSOF(remote) && !bundle->local; i++)
                if (!config_is_set(&bundle->config, "Bundle", remote[i])) {
                        _cleanup_free_ char *what =
                                        text_format("[Bundle] %s= is missing", remote[i]);

                        return what ? complain(name, what, ret_error) : -ENOMEM;
                }
        if (!*bundle->node || (!bundle->local && (!*bundle->hub || !*bundle->host_key)))
                return complain(name, "[Bundle] Node=, Hub= or HostKey= is empty", ret_error);
        if (bundle->local && (*bundle->hub || *bundle->host_key || *bundle->token))
                return complain(name,
                                "[Bundle] Local=yes allows no Hub=, HostKey= or Token=", ret_error);
        if (bundle->local)
                return 0;
        if (strlen(bundle->token) != TOKEN_LENGTH ||
            sodium_base642bin(bundle->seed, sizeof(bundle->seed), bundle->token, TOKEN_LENGTH, NULL,
                              &size, NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
            size != sizeof(bundle->seed))
                return complain(name, "[Bundle] Token= is cut off or changed", ret_error);
        return 0;
}

int bundle_read(Bundle *bundle, const char *name, const char *text, size_t size, char **ret_error)
{
        int r;

        r = config_load_text(&bundle->config, keys, ELEMENTSOF(keys), name, text, size, bundle,
                             ret_error);
        return r < 0 ? r : check(bundle, name, ret_error);
}

static void print_remote(const Bundle *bundle, FILE *file)
{
        char token[sodium_base64_ENCODED_LEN(PUBLIC_KEY_SEED_SIZE,
                                             sodium_base64_VARIANT_URLSAFE_NO_PADDING)];

        (void) sodium_bin2base64(token, sizeof(token), bundle->seed, sizeof(bundle->seed),
                                 sodium_base64_VARIANT_URLSAFE_NO_PADDING);
        (void) fprintf(file,
                       "Hub=%s\nSshPort=%u\nHostKey=%s\nReversePort=%u\nPorts=%u-%u\nExpires=%s\n"
                       "Token=%s\n",
                       bundle->hub, bundle->ssh_port, bundle->host_key, bundle->reverse_port,
                       bundle->ports.first, bundle->ports.last, bundle->expires, token);
        sodium_memzero(token, sizeof(token));
}

int bundle_format(const Bundle *bundle, char **ret_text)
{
        char *text = NULL;
        size_t size;
        FILE *file = open_memstream(&text, &size);

        if (!file)
                return -ENOMEM;
        if (bundle->local)
                (void) fprintf(file, "# Node \"%s\" on the hub's own machine.\n", bundle->node);
        else
                (void) fprintf(file,
                               "# Node \"%s\" of %s, valid once and until %s. Whoever holds it can "
                               "be this node: treat it as a password.\n",
                               bundle->node, bundle->hub, bundle->expires);
        (void) fprintf(file, "[Bundle]\nFormat=%i\nNode=%s\n", BUNDLE_FORMAT, bundle->node);
        if (bundle->local)
                (void) fputs("Local=yes\n", file);
        else
                print_remote(bundle, file);
        if (fclose(file) != 0) {
                free(text);
                return -ENOMEM;
        }
        *ret_text = text;
        return 0;
}
