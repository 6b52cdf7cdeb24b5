/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The conversation (see exchange.h). Through SSH it is one channel with one line each way.
 */
#include "exchange.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "enroll-wire.h"
#include "fault-point.h"
#include "json-cleanup.h"
#include "key-file.h"
#include "log.h"
#include "names.h"
#include "parse.h"
#include "ssh/session.h"
#include "version.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <systemd/sd-bus.h>

enum {
        ANSWER_MSEC = 90 * 1000, /* the hub writes its files and cuts old sessions meanwhile */
        BUS_SEC = 60,
};

/* The step decides what to do, as the tunnel's own words speak of node.conf. */
static int complain_session(const Bundle *bundle, int error, const SessionProblem *problem)
{
        static const char *const remedies[SESSION_STEP_MAX] = {
                [SESSION_RESOLVE] = "Hub= of the bundle must be a name or address of the hub that "
                                    "this machine knows: sendensectl node rotate --hub=ADDRESS at "
                                    "the hub makes another bundle",
                [SESSION_HOST_KEY] =
                                "this is not the hub that made the bundle, or it was "
                                "installed anew; nothing was sent to it. Have it make another: "
                                "sendensectl node rotate",
        };
        const char *remedy = remedies[problem->step] ?: problem->remedy;

        if (problem->step == SESSION_LOGIN && error == -EACCES)
                return log_error(error,
                                 "Cannot enrol at %s port %u (login): the hub does not accept the "
                                 "token of node %s: it was used, has expired (%s), or the node was "
                                 "removed. Remedy: a token is good once and until it expires. Have "
                                 "the hub make another: sendensectl node rotate %s",
                                 bundle->hub, bundle->ssh_port, bundle->node, bundle->expires,
                                 bundle->node);
        return log_error(error, "Cannot enrol at %s port %u (%s): %s. Remedy: %s", bundle->hub,
                         bundle->ssh_port, session_step_to_string(problem->step), problem->text,
                         remedy);
}

static int complain_channel(const Bundle *bundle, ssh_session session, const char *what)
{
        return log_error(-EPROTO,
                         "Cannot enrol at %s port %u (%s): %.300s. Remedy: look at journalctl -u "
                         "sendense-sshd at the hub; the same bundle may be tried again",
                         bundle->hub, bundle->ssh_port, what, ssh_get_error(session));
}

/* ── Keys ── */

static int import_keys(const Bundle *bundle, ssh_key *ret_token, ssh_key *ret_hub)
{
        CLEANUP(secret_free_p) Secret *text = NULL;
        int r;

        r = key_file_format(bundle->seed, &text);
        if (r < 0)
                return r;
        if (ssh_pki_import_privkey_base64(secret_data(text), NULL, NULL, NULL, ret_token) !=
                            SSH_OK ||
            ssh_pki_import_pubkey_base64(strchr(bundle->host_key, ' ') + 1, SSH_KEYTYPE_ED25519,
                                         ret_hub) != SSH_OK)
                return -EINVAL;
        return 0;
}

/* ── The channel ── */

static json_t *make_request(const PublicKey *key)
{
        char text[PUBLIC_KEY_TEXT_SIZE];

        public_key_format(key, text);
        return json_pack("{s:i,s:s,s:s}", "protocol", ENROLL_PROTOCOL, "public_key", text,
                         "version", SENDENSE_VERSION);
}

static int send_request(ssh_channel channel, const PublicKey *key)
{
        CLEANUP(json_decref_p) json_t *request = make_request(key);
        char line[ENROLL_LINE_MAX];
        size_t n = request ? json_dumpb(request, line, sizeof(line) - 1, JSON_COMPACT) : 0;

        if (n == 0 || n >= sizeof(line) - 1)
                return -ENOMEM;
        line[n++] = '\n';
        return ssh_channel_write(channel, line, (uint32_t) n) == (int) n &&
                                               ssh_channel_send_eof(channel) == SSH_OK
                               ? 0
                               : -EPROTO;
}

/* Up to the end, or more than an answer can have. */
static int receive(ssh_channel channel, char ret_line[static ENROLL_LINE_MAX], size_t *ret_size)
{
        size_t size = 0;
        int n;

        while ((n = ssh_channel_read_timeout(channel, ret_line + size,
                                             (uint32_t) (ENROLL_LINE_MAX - size), 0, ANSWER_MSEC)) >
               0) {
                size += (size_t) n;
                if (size == ENROLL_LINE_MAX)
                        return -EFBIG;
        }
        if (size == 0)
                return -ENODATA;
        *ret_size = size;
        return 0;
}

static int talk(const Bundle *bundle, ssh_session session, ssh_channel channel,
                int (*get_key)(const Bundle *bundle, PublicKey *ret_key), Answer *ret_answer)
{
        char line[ENROLL_LINE_MAX], error[ANSWER_ERROR_SIZE];
        PublicKey key;
        size_t size;
        int r;

        r = get_key(bundle, &key);
        if (r < 0)
                return r;
        if (ssh_channel_open_session(channel) != SSH_OK ||
            ssh_channel_request_exec(channel, "enroll") != SSH_OK)
                return complain_channel(bundle, session, "session");
        if (send_request(channel, &key) < 0)
                return complain_channel(bundle, session, "request");
        fault_point("enroll.asked");
        r = receive(channel, line, &size);
        if (r < 0)
                return log_error(r,
                                 "Cannot enrol at %s port %u (answer): the hub ended the session "
                                 "without an answer. Remedy: look at journalctl -u sendense-sshd "
                                 "there; the same bundle may be tried again",
                                 bundle->hub, bundle->ssh_port);
        r = answer_parse(line, size, ret_answer, error);
        if (r < 0)
                return log_error(r, "Cannot enrol at %s port %u: %s%s", bundle->hub,
                                 bundle->ssh_port, error,
                                 r == -EACCES ? ""
                                              : ". Remedy: hub and node must be of versions that "
                                                "fit: sendensectl version at the hub");
        return 0;
}

int exchange_ssh(const Bundle *bundle, int (*get_key)(const Bundle *bundle, PublicKey *ret_key),
                 Answer *ret_answer)
{
        SessionPlace place = { .host = bundle->hub, .port = bundle->ssh_port, .user = ENROLL_USER };
        SessionProblem problem = {};
        ssh_session session = NULL;
        ssh_channel channel;
        int r;

        r = import_keys(bundle, &place.own_key, &place.hub_key);
        if (r < 0)
                r = log_error(r, "Cannot use the keys of the bundle: %m");
        else {
                r = session_open(&place, NULL, NULL, &session, &problem);
                if (r < 0)
                        r = complain_session(bundle, r, &problem);
        }
        if (r >= 0) {
                channel = ssh_channel_new(session);
                r = channel ? talk(bundle, session, channel, get_key, ret_answer) : log_oom();
                ssh_channel_free(channel);
                session_close(session);
        }
        ssh_key_free(place.own_key);
        ssh_key_free(place.hub_key);
        return r;
}

/* ── On the hub's own machine ── */

static int complain_hub(const sd_bus_error *error)
{
        bool is_away = sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
                       sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER);

        return log_error(-EACCES, "Cannot enrol at the hub of this machine: %s%s",
                         is_away ? "it does not run" : error->message ?: error->name,
                         is_away ? ". Remedy: systemctl start sendense-hub" : "");
}

int exchange_bus(const Bundle *bundle, Answer *ret_answer)
{
        CLEANUP(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *message = NULL, *reply = NULL;
        CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        const char *name, *ports, *sha256;
        uint16_t reverse_port;
        int r;

        r = sd_bus_open_system_with_description(&bus, "sendense-enroll");
        if (r >= 0)
                r = sd_bus_message_new_method_call(bus, &message, HUB_BUS_NAME, HUB_BUS_PATH,
                                                   HUB_MANAGER_INTERFACE, "EnrolNode");
        if (r >= 0)
                r = sd_bus_message_append(message, "ssa{sv}", "", "", 1, "name", "s", bundle->node);
        if (r < 0)
                return log_error(r, "Cannot make a call on the message bus: %m");
        r = sd_bus_call(bus, message, BUS_SEC * USEC_PER_SEC, &error, &reply);
        if (r >= 0)
                r = sd_bus_message_read(reply, "sqss", &name, &reverse_port, &ports, &sha256);
        if (r < 0) {
                if (!sd_bus_error_is_set(&error))
                        (void) sd_bus_error_set_errno(&error, r);
                return complain_hub(&error);
        }
        r = answer_set(ret_answer, name, reverse_port, ports, sha256);
        return r < 0 ? log_error(r, "The hub's answer cannot be read: are hub and node of the same "
                                    "version? (sendensectl version)")
                     : 0;
}
