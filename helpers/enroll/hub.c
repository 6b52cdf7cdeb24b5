/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendense-enroll-hub: the forced command of the user sendense-enroll at the hub. A node that proved to hold a token says its public
 * key in one line, and this asks the hub to make it that node's. It knows from sshd which token was shown; nothing that the
 * node says can make it another. What goes wrong is answered as JSON too: the node's half shows it to whoever enrols.
 */
#include "build-id.h"
#include "bus/bus-error.h"
#include "cleanup.h"
#include "clock.h"
#include "enroll-wire.h"
#include "json-cleanup.h"
#include "json-fields.h"
#include "log.h"
#include "names.h"
#include "parse.h"
#include "public-key.h"
#include "small-file.h"
#include "utf8.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <systemd/sd-bus.h>

#define PROGRAM "sendense-enroll-hub"

enum {
        REQUEST_SEC = 10,
        HUB_SEC = 60,
        AUTH_INFO_MAX = 16 * 1024,
};

static int answer_line(json_t *line)
{
        CLEANUP(json_decref_p) json_t *mine = line;

        if (!mine || json_dumpf(mine, stdout, JSON_COMPACT) < 0 || putchar('\n') == EOF ||
            fflush(stdout) != 0)
                return EXIT_FAILURE;
        return EXIT_SUCCESS;
}

static int refuse(const char *name, const char *text)
{
        char cut[ENROLL_LINE_MAX / 4];

        (void) snprintf(cut, sizeof(cut), "%s", text);
        utf8_make_valid(cut);
        (void) log_warning(0, "Refused to enrol a node: %s (%s)", cut, name);
        (void) answer_line(json_pack("{s:{s:s,s:s}}", "error", "name", name, "text", cut));
        return EXIT_FAILURE;
}

/* ── What the node says ── */

static int read_request(char ret_line[static ENROLL_LINE_MAX])
{
        uint64_t deadline = clock_monotonic_usec() + REQUEST_SEC * USEC_PER_SEC;
        size_t size = 0;

        for (;;) {
                struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
                uint64_t now = clock_monotonic_usec();
                ssize_t n;

                if (now >= deadline)
                        return -ETIMEDOUT;
                if (poll(&p, 1, (int) ((deadline - now) / USEC_PER_MSEC) + 1) <= 0)
                        continue;
                n = read(STDIN_FILENO, ret_line + size, ENROLL_LINE_MAX - 1 - size);
                if (n <= 0)
                        return -ENODATA;
                size += (size_t) n;
                ret_line[size] = '\0';
                if (memchr(ret_line, '\n', size))
                        return 0;
                if (size == ENROLL_LINE_MAX - 1)
                        return -EFBIG;
        }
}

static bool is_public_key(const char *text)
{
        PublicKey key;

        return public_key_parse(text, &key) >= 0;
}

static json_t *parse_request(const char *line, char ret_error[static JSON_FIELDS_ERROR_SIZE])
{
        static const JsonField fields[] = {
                { "protocol", JSON_FIELD_NUMBER, false, ENROLL_PROTOCOL, ENROLL_PROTOCOL, NULL,
                  NULL },
                { "public_key", JSON_FIELD_TEXT, false, 1, PUBLIC_KEY_TEXT_SIZE, is_public_key,
                  "must be a public key of the form 'ssh-ed25519 AAAA...'" },
                { "version", JSON_FIELD_TEXT, true, 0, 128, NULL, NULL },
        };
        CLEANUP(json_decref_p) json_t *request = NULL;
        json_error_t error;

        request = json_loads(line, JSON_REJECT_DUPLICATES, &error);
        if (!request) {
                (void) json_fields_refuse(ret_error, "the request is no JSON: %s", error.text);
                return NULL;
        }
        if (json_fields_check(request, fields, ELEMENTSOF(fields), "the request", ret_error) < 0)
                return NULL;
        return TAKE(request);
}

/* ── What sshd says: "publickey ssh-ed25519 AAAA…" in the file that it names ── */

static int read_token(char ret_key[static PUBLIC_KEY_TEXT_SIZE])
{
        static const char method[] = "publickey ";
        const char *path = getenv("SSH_USER_AUTH");
        _cleanup_free_ char *text = NULL;
        PublicKey key;
        size_t size;
        int r;

        if (!path)
                return -ENXIO;
        r = small_file_read(path, AUTH_INFO_MAX, &text, &size);
        if (r < 0)
                return r;
        if (strncmp(text, method, sizeof(method) - 1) != 0 ||
            public_key_parse_file(text + sizeof(method) - 1, &key) < 0)
                return -EBADMSG;
        public_key_format(&key, ret_key);
        return 0;
}

/* ── What the hub says ── */

/* What whoever enrols a node should do; the hub's own words stand for all other errors. */
static const struct {
        const char *error, *text;
} sentences[] = {
        { SD_BUS_ERROR_SERVICE_UNKNOWN,
          "the hub daemon does not run. The token stays good: start it (systemctl start "
          "sendense-hub at the hub), then repeat this" },
        { SD_BUS_ERROR_NAME_HAS_NO_OWNER,
          "the hub daemon does not run. The token stays good: start it (systemctl start "
          "sendense-hub at the hub), then repeat this" },
        { SD_BUS_ERROR_NO_REPLY,
          "the hub daemon ended before it answered. The token stays good: look at journalctl -u "
          "sendense-hub at the hub, then repeat this" },
        { SD_BUS_ERROR_TIMEOUT,
          "the hub daemon did not answer in time. The token stays good: look at journalctl -u "
          "sendense-hub at the hub, then repeat this" },
        { SD_BUS_ERROR_ACCESS_DENIED,
          "the message bus of the hub does not let sendense-enroll ask. Is deploy/post-install of "
          "this version missing there? (sendensectl doctor at the hub)" },
        { SD_BUS_ERROR_UNKNOWN_METHOD,
          "the hub daemon is older than its sshd. Start it anew: systemctl restart sendense-hub at "
          "the hub, then repeat this" },
        { BUS_ERROR_DATABASE_UNAVAILABLE,
          "the hub is without its database. The token stays good: look at sendensectl doctor at "
          "the hub, then repeat this" },
};

static int refuse_as(const sd_bus_error *error)
{
        const char *name = error->name ?: BUS_ERROR_FAILED, *text = error->message ?: name;

        for (size_t i = 0; i < ELEMENTSOF(sentences); i++)
                if (strcmp(sentences[i].error, name) == 0)
                        text = sentences[i].text;
        return refuse(name, text);
}

static int ask(sd_bus *bus, const char *token, const char *public_key, sd_bus_error *error,
               sd_bus_message **ret_reply)
{
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *message = NULL;
        int r;

        r = sd_bus_message_new_method_call(bus, &message, HUB_BUS_NAME, HUB_BUS_PATH,
                                           HUB_MANAGER_INTERFACE, "EnrolNode");
        if (r >= 0)
                r = sd_bus_message_append(message, "ssa{sv}", token, public_key, 0);
        /* A hub that was stopped is not started by a stranger. */
        if (r >= 0)
                r = sd_bus_message_set_auto_start(message, false);
        return r < 0 ? r : sd_bus_call(bus, message, HUB_SEC * USEC_PER_SEC, error, ret_reply);
}

static int enroll(const char *token, const char *public_key)
{
        CLEANUP(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        const char *name, *ports, *sha256;
        uint16_t reverse_port;
        int r;

        r = sd_bus_open_system_with_description(&bus, PROGRAM);
        if (r < 0)
                return refuse(SD_BUS_ERROR_NO_SERVER,
                              "the hub's message bus cannot be reached. The token stays good: look "
                              "at systemctl status dbus at the hub, then repeat this");
        r = ask(bus, token, public_key, &error, &reply);
        if (r >= 0)
                r = sd_bus_message_read(reply, "sqss", &name, &reverse_port, &ports, &sha256);
        if (r < 0) {
                if (!sd_bus_error_is_set(&error))
                        (void) sd_bus_error_set_errno(&error, r);
                return refuse_as(&error);
        }
        return answer_line(json_pack("{s:i,s:s,s:i,s:s,s:s}", "protocol", ENROLL_PROTOCOL, "name",
                                     name, "reverse_port", (int) reverse_port, "ports", ports,
                                     "api_token_sha256", sha256));
}

static int help(FILE *stream)
{
        (void) fputs(PROGRAM "\n\n"
                             "Run by the hub's sshd for a node that enrols itself; nobody else has "
                             "a use for it.\n\n"
                             "  -h --help      Show this help\n"
                             "     --version   Show version, git commit and build id\n\n"
                             "See sendense-sshd-config(8).\n",
                     stream);
        return stream == stdout ? EXIT_SUCCESS : EX_USAGE;
}

/* sshd gives no argument: what the other side asked for stands in its environment, and is not looked at. */
static int run_by_hand(int argc, char *argv[])
{
        if (argc == 2 && strcmp(argv[1], "--version") == 0)
                return build_print_version(PROGRAM), EXIT_SUCCESS;
        if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
                return help(stdout);
        return help(stderr);
}

int main(int argc, char *argv[])
{
        CLEANUP(json_decref_p) json_t *request = NULL;
        char line[ENROLL_LINE_MAX], error[JSON_FIELDS_ERROR_SIZE], token[PUBLIC_KEY_TEXT_SIZE];
        int r;

        if (argc > 1)
                return run_by_hand(argc, argv);
        log_open_journal(PROGRAM);
        (void) bus_error_register();
        r = read_token(token);
        if (r < 0)
                return refuse(BUS_ERROR_FAILED,
                              "the hub's sshd does not say which token was shown: is "
                              "ExposeAuthInfo= of its sshd_config changed?");
        r = read_request(line);
        if (r < 0)
                return refuse(BUS_ERROR_INVALID_ARGUMENT,
                              r == -ETIMEDOUT ? "no request came within 10 s"
                                              : "no request of one line and at most 8 KiB came");
        request = parse_request(line, error);
        if (!request)
                return refuse(BUS_ERROR_INVALID_ARGUMENT, error);
        return enroll(token, json_field_text(request, "public_key"));
}
