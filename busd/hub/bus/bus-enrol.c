/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Enrolment on the bus: for root and for the user whom sshd runs the forced command as, which has proved that its caller holds the
 * token. The bearer token for the node's API is made here and told to nobody: the node gets its digest.
 */
#include "bus/authorise.h"
#include "bus/bus-call.h"
#include "bus/bus-dict.h"
#include "bus/bus-error.h"
#include "bus/bus-methods.h"
#include "bus/bus-node.h"
#include "cleanup.h"
#include "clock.h"
#include "hub-config.h"
#include "log.h"
#include "manager.h"
#include "node-keys.h"
#include "node/nodes.h"
#include "seal.h"
#include "store/store-call.h"
#include "store/store-node.h"
#include "system-user.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#define WHOM "only root and the user " ENROLL_USER " may"

enum {
        API_TOKEN_BYTES = 32,
        API_TOKEN_TEXT_SIZE = 44, /* base64url, with its NUL */
        DIGEST_TEXT_SIZE = crypto_hash_sha256_BYTES * 2 + 1,
};

/* Root alone, without that user. */
static uint32_t enroll_uid(void)
{
        uint32_t uid = 0;

        (void) system_user_find(ENROLL_USER, &uid);
        return uid;
}

static int make_token(const Secret *key, char **ret_sealed)
{
        unsigned char bytes[API_TOKEN_BYTES];
        char text[API_TOKEN_TEXT_SIZE];
        CLEANUP(secret_free_p) Secret *token = NULL;
        int r;

        randombytes_buf(bytes, sizeof(bytes));
        (void) sodium_bin2base64(text, sizeof(text), bytes, sizeof(bytes),
                                 sodium_base64_VARIANT_URLSAFE_NO_PADDING);
        r = secret_new(text, strlen(text), &token);
        sodium_memzero(bytes, sizeof(bytes));
        sodium_memzero(text, sizeof(text));
        return r < 0 ? r : seal(key, token, ret_sealed);
}

static int digest_of(const Secret *key, const char *sealed, char ret_text[static DIGEST_TEXT_SIZE])
{
        unsigned char digest[crypto_hash_sha256_BYTES];
        CLEANUP(secret_free_p) Secret *token = NULL;
        int r;

        r = unseal(key, sealed, &token);
        if (r < 0)
                return r;
        (void) crypto_hash_sha256(digest, (const unsigned char *) secret_data(token),
                                  secret_size(token));
        (void) sodium_bin2hex(ret_text, DIGEST_TEXT_SIZE, digest, sizeof(digest));
        return 0;
}

static const char *text_of(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key)) ?: "";
}

static void on_followed(int error, const char *text, void *userdata)
{
        BusWait *wait = userdata;
        const PortRange *range = &wait->manager->config->export_ports;
        char ports[16];
        int r;

        if (error < 0) {
                bus_wait_fail(wait, BUS_ERROR_FAILED, text);
                return;
        }
        (void) snprintf(ports, sizeof(ports), "%u-%u", range->first, range->last);
        r = sd_bus_reply_method_return(wait->call, "sqss", text_of(wait->request, "Name"),
                                       (uint16_t) json_integer_value(json_object_get(
                                                       wait->request, "ReversePort")),
                                       ports, text_of(wait->request, "Digest"));
        if (r < 0)
                (void) log_warning(r, "Cannot answer EnrolNode: %m");
        bus_wait_free(wait);
}

static void on_enrolled(int error, const json_t *out, const char *name, const char *text,
                        void *userdata)
{
        BusWait *wait = userdata;
        char digest[DIGEST_TEXT_SIZE];
        bool is_again = json_is_true(json_object_get(out, "IsAgain"));

        if (error < 0) {
                bus_wait_fail(wait, name, text);
                return;
        }
        if (digest_of(nodes_key(wait->manager->nodes), text_of(out, "TokenSealed"), digest) < 0) {
                bus_wait_fail(wait, BUS_ERROR_MASTER_KEY_UNUSABLE,
                              "The answer from before was sealed with another master key; "
                              "'sendensectl node rotate' at the hub makes another token");
                return;
        }
        (void) json_object_set_new(wait->request, "Digest", json_string(digest));
        (void) json_object_set(wait->request, "Name", json_object_get(out, "Name"));
        (void) json_object_set(wait->request, "ReversePort", json_object_get(out, "ReversePort"));
        if (!is_again)
                bus_node_log(wait, MESSAGE_NODE_ENROLLED, text_of(out, "Name"), "enrolled");
        /* Whose key was replaced, is cut; an answer that was lost may have been lost before that. */
        bus_node_follow(wait, is_again || json_is_true(json_object_get(out, "HadKey")),
                        on_followed);
}

static int act_enrol(Manager *manager, sd_bus_message *call, const char *principal, json_t *request,
                     sd_bus_error *error)
{
        _cleanup_free_ char *sealed = NULL;
        int r = bus_node_need_key(manager, error);

        if (r >= 0 && !json_object_get(request, "TokenKey") && strcmp(principal, "uid:0") != 0)
                return bus_error_setf(error, BUS_ERROR_ACCESS_DENIED,
                                      "Only root enrols a node of the hub's own machine");
        if (r >= 0)
                r = make_token(nodes_key(manager->nodes), &sealed);
        if (r >= 0)
                r = request_add_text(request, "Principal", principal);
        if (r >= 0)
                r = request_add_text(request, "TokenSealed", sealed);
        if (r >= 0)
                r = json_object_set_new(request, "NowUSec",
                                        json_integer((json_int_t) clock_realtime_usec()));
        return r < 0 ? r
                     : bus_node_begin(manager, call, request, store_node_enrol, on_enrolled, error);
}

/* A token with a key, or the name alone. */
static int read_request(const char *token, const char *key, const char *name, json_t **ret_request,
                        sd_bus_error *error)
{
        bool is_local = *token == '\0' && *key == '\0';
        int r;

        if (is_local != (name != NULL) || (name && !node_name_is_valid(name)))
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "A node has a token and a key, and one on the hub's own "
                                      "machine the option name instead of both");
        if (is_local) {
                *ret_request = json_pack("{s:s}", "Node", name);
                return 0;
        }
        r = bus_node_read_key("token_key", token, error);
        if (r >= 0)
                r = bus_node_read_key("public_key", key, error);
        if (r >= 0)
                *ret_request = json_pack("{s:s, s:s}", "TokenKey", token, "PublicKey", key);
        return r;
}

int method_enrol_node(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        const char *token, *key, *name = NULL;
        const BusOption options[] = { { "name", BUS_OPTION_STRING, NODE_NAME_SIZE - 1, &name,
                                        NULL } };
        json_t *request = NULL;
        int r = sd_bus_message_read(call, "ss", &token, &key);

        if (r >= 0)
                r = bus_options_read(call, options, ELEMENTSOF(options), error);
        if (r >= 0)
                r = read_request(token, key, name, &request, error);
        return r < 0 ? r
                     : bus_call_check_user(userdata, call, enroll_uid(), WHOM, request, act_enrol,
                                           error);
}
