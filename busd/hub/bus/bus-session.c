/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sessions of the HTTP API (see bus/sessions.h): it shows what it was shown, a token or the connection of a local process, and gets
 * a session that stands for whoever that is. What it may do with it is decided at each call.
 */
#include "bus/bus-session.h"
#include "bus/authorise.h"
#include "bus/bus-call.h"
#include "bus/bus-dict.h"
#include "bus/bus-error.h"
#include "bus/bus-methods.h"
#include "bus/sessions.h"
#include "cleanup.h"
#include "clock.h"
#include "log.h"
#include "manager.h"
#include "names.h"
#include "secret.h"
#include "store/store-call.h"
#include "store/store-request.h"
#include "store/store-token.h"
#include "system-user.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define API_USER "sendense-hub-api"
#define WHOM     "only root and the user " API_USER " may"

enum {
        TOKEN_MAX_BYTES = 256,
        DIGEST_TEXT_SIZE = crypto_hash_sha256_BYTES * 2 + 1,
};

bool bus_session_speaks_for_others(uint32_t uid)
{
        uint32_t api;

        return system_user_find(API_USER, &api) && uid == api;
}

static int answer(Manager *manager, sd_bus_message *call, const Session *who)
{
        const char *id;
        int r;

        r = sessions_open(manager->sessions, sd_bus_message_get_sender(call) ?: "", who, &id);
        return r < 0 ? r : sd_bus_reply_method_return(call, "s", id);
}

static int on_token(Manager *manager, sd_bus_message *call, const json_t *out)
{
        Session who = {
                .token = object_number(out, "Id"),
                .expires_usec = object_number(out, "ExpiresUSec"),
        };

        (void) snprintf(who.principal, sizeof(who.principal), "token:%s",
                        object_text(out, "Name") ?: "");
        (void) snprintf(who.roles, sizeof(who.roles), "%s", object_text(out, "Roles") ?: "");
        return answer(manager, call, &who);
}

static int act_authenticate(Manager *manager, sd_bus_message *call, const char *principal,
                            json_t *request, sd_bus_error *error)
{
        Session who = {};

        (void) principal;
        if (object_text(request, "Sha256")) {
                if (json_object_set_new(request, "NowUSec",
                                        json_integer((json_int_t) clock_realtime_usec())) < 0)
                        return -ENOMEM;
                return bus_call_store(manager, call, store_token_find, json_incref(request),
                                      on_token, error);
        }
        who.peer = (PolkitPeer){ .pid = (uint32_t) object_number(request, "Pid"),
                                 .uid = (uint32_t) object_number(request, "Uid") };
        (void) snprintf(who.principal, sizeof(who.principal), "uid:%" PRIu32, who.peer.uid);
        return answer(manager, call, &who);
}

static int read_token(int fd, json_t **ret_request, sd_bus_error *error)
{
        unsigned char digest[crypto_hash_sha256_BYTES];
        char text[DIGEST_TEXT_SIZE];
        CLEANUP(secret_free_p) Secret *token = NULL;
        int r;

        r = secret_read_memfd(fd, TOKEN_MAX_BYTES, &token);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "Argument credential must be a sealed memfd with a token of "
                                      "1 to %d bytes, or the socket of a local process",
                                      TOKEN_MAX_BYTES);
        (void) crypto_hash_sha256(digest, (const unsigned char *) secret_data(token),
                                  secret_size(token));
        (void) sodium_bin2hex(text, sizeof(text), digest, sizeof(digest));
        *ret_request = json_pack("{s:s}", "Sha256", text);
        return 0;
}

/* Of a socket that was accepted the kernel tells who connected; of one that was connected it tells who listens, and that is
 * often root. So it must be one of the API's own listener, whose name nobody else can have. */
static bool is_accepted(int fd)
{
        const char *listener = getenv("SENDENSE_API_SOCKET") ?: HUB_API_SOCKET;
        struct sockaddr_un address = {};
        socklen_t size = sizeof(address) - 1;

        return getsockname(fd, (struct sockaddr *) &address, &size) == 0 &&
               address.sun_family == AF_UNIX && strcmp(address.sun_path, listener) == 0;
}

/* Who connected, as the kernel noted it then. */
static int read_peer(int fd, json_t **ret_request, sd_bus_error *error)
{
        struct ucred peer;
        socklen_t size = sizeof(peer);
        int domain;

        if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &(socklen_t){ sizeof(domain) }) < 0)
                return read_token(fd, ret_request, error);
        if (domain != AF_UNIX || !is_accepted(fd) ||
            getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.pid <= 0)
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "Argument credential must be a socket that the HTTP API "
                                      "has accepted, or a sealed memfd with a token");
        *ret_request = json_pack("{s:I, s:I}", "Pid", (json_int_t) peer.pid, "Uid",
                                 (json_int_t) peer.uid);
        return 0;
}

int method_authenticate(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        json_t *request = NULL;
        uint32_t uid = 0;
        int fd, r;

        r = sd_bus_message_read(call, "h", &fd);
        if (r >= 0)
                r = bus_options_none(call, error);
        if (r >= 0)
                r = read_peer(fd, &request, error);
        if (r < 0)
                return r;
        (void) system_user_find(API_USER, &uid); /* root alone, without that user */
        return bus_call_check_user(userdata, call, uid, WHOM, request, act_authenticate, error);
}
