/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendensectl token create|list|revoke: tokens of the hub's HTTP API. A token is made here and printed once; the hub gets its
 * SHA-256.
 */
#include "cleanup.h"
#include "clock.h"
#include "columns.h"
#include "ctl.h"
#include "hub-client.h"
#include "json-cleanup.h"
#include "options.h"
#include "output.h"
#include "parse.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum {
        TOKEN_BYTES = 32,
        TOKEN_TEXT_SIZE = TOKEN_BYTES * 2 + 1,
        DIGEST_TEXT_SIZE = crypto_hash_sha256_BYTES * 2 + 1,
        EXPIRES_MIN_SEC = 60,
        EXPIRES_MAX_SEC = 36500 * 86400U,
};

/* "inspect, backup" */
static char *cell_roles(const json_t *object, const char *key)
{
        const json_t *role, *roles = json_object_get(object, key);
        char *text = NULL;
        size_t size, i;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        json_array_foreach (roles, i, role)
                (void) fprintf(f, "%s%s", i > 0 ? ", " : "", json_string_value(role) ?: "?");
        if (fclose(f) == 0)
                return text;
        free(text);
        return NULL;
}

static const Column token_columns[] = {
        { "ID", "Id", cell_number, true },
        { "NAME", "Name", cell_text, false },
        { "STATE", "State", cell_text, false },
        { "ROLES", "Roles", cell_roles, false },
        { "CREATED", "CreatedUSec", cell_time, false },
        { "BY", "CreatedBy", cell_text, false },
        { "EXPIRES", "ExpiresUSec", cell_time, false },
        { "REVOKED", "RevokedUSec", cell_time, false },
};

ExitStatus verb_token_list(int argc, char *argv[])
{
        CLEANUP(json_decref_p) json_t *list = NULL;
        ExitStatus s;

        (void) argc, (void) argv;
        s = hub_ask("ListTokens", false, "aa{sv}", &list, "a{sv}", 0);
        return s == CTL_OK ? show_list(list, token_columns, ELEMENTSOF(token_columns),
                                       "There is no token. Make one: sendensectl token create NAME")
                           : s;
}

static void make_token(char ret_token[static TOKEN_TEXT_SIZE],
                       char ret_digest[static DIGEST_TEXT_SIZE])
{
        unsigned char bytes[TOKEN_BYTES], digest[crypto_hash_sha256_BYTES];

        randombytes_buf(bytes, sizeof(bytes));
        (void) sodium_bin2hex(ret_token, TOKEN_TEXT_SIZE, bytes, sizeof(bytes));
        (void) crypto_hash_sha256(digest, (const unsigned char *) ret_token, strlen(ret_token));
        (void) sodium_bin2hex(ret_digest, DIGEST_TEXT_SIZE, digest, sizeof(digest));
        sodium_memzero(bytes, sizeof(bytes));
}

static int append_arguments(sd_bus_message *message, const char *name, const char *digest,
                            uint64_t expires_usec)
{
        const char *role;
        int r;

        r = sd_bus_message_append(message, "ss", name, digest);
        if (r >= 0)
                r = sd_bus_message_open_container(message, 'a', "s");
        if (r >= 0 && !option_is_given(OPTION_ROLE))
                r = sd_bus_message_append(message, "s", "inspect");
        for (size_t i = 0; r >= 0 && (role = option_nth(OPTION_ROLE, i)); i++)
                r = sd_bus_message_append(message, "s", role);
        if (r >= 0)
                r = sd_bus_message_close_container(message);
        if (r < 0)
                return r;
        return expires_usec > 0 ? sd_bus_message_append(message, "a{sv}", 1, "expires_usec", "t",
                                                        expires_usec)
                                : sd_bus_message_append(message, "a{sv}", 0);
}

static ExitStatus send_digest(const char *name, const char *digest, uint64_t expires_usec)
{
        CLEANUP(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *message = NULL, *reply = NULL;
        ExitStatus s;
        int r;

        s = hub_connect(&bus);
        if (s == CTL_OK)
                s = hub_new_call(bus, "CreateToken", true, &message);
        if (s != CTL_OK)
                return s;
        r = append_arguments(message, name, digest, expires_usec);
        return r < 0 ? hub_complain_arguments(r) : hub_call(bus, message, &reply);
}

ExitStatus verb_token_create(int argc, char *argv[])
{
        const char *expires = option_value(OPTION_EXPIRES);
        char token[TOKEN_TEXT_SIZE], digest[DIGEST_TEXT_SIZE];
        uint64_t span_usec = 0;
        ExitStatus s;

        (void) argc;
        if (expires && parse_span_usec(expires, EXPIRES_MIN_SEC * USEC_PER_SEC,
                                       EXPIRES_MAX_SEC * USEC_PER_SEC, &span_usec) < 0)
                return complain(CTL_USAGE, "--expires= must be a time from 1min to 36500d");
        if (sodium_init() < 0)
                return complain(CTL_FAILED, "libsodium cannot be used on this machine");
        make_token(token, digest);
        s = send_digest(argv[0], digest, span_usec > 0 ? clock_realtime_usec() + span_usec : 0);
        if (s == CTL_OK)
                s = show_act("Token", json_string(token), "%s", token);
        sodium_memzero(token, sizeof(token));
        return s;
}

ExitStatus verb_token_revoke(int argc, char *argv[])
{
        ExitStatus s;

        (void) argc;
        s = hub_ask("RevokeToken", true, "", NULL, "sa{sv}", argv[0], 0);
        return s == CTL_OK ? show_act("Revoked", json_string(argv[0]),
                                      "token %s is revoked: it is good for nothing any more",
                                      argv[0])
                           : s;
}
