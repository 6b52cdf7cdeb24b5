/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vCenters and their passwords on the bus: entered, given another one. A password comes in sealed memory, is sealed with the master
 * key before anything else is done with it, and is tried at the vCenter before it is stored. It is in no request that waits for
 * a permission.
 */
#include "bus/bus-dict.h"
#include "bus/bus-error.h"
#include "bus/bus-methods.h"
#include "bus/bus-node.h"
#include "bus/bus-vcenter.h"
#include "cleanup.h"
#include "clock.h"
#include "json-cleanup.h"
#include "manager.h"
#include "node-keys.h"
#include "node/nodes.h"
#include "seal.h"
#include "store/store-call.h"
#include "store/store-vcenter.h"
#include "utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
        PASSWORD_MAX = 512, /* bytes; sealed it must fit into its column */
        PIN_DIGITS = 64,
        PIN_TEXT_MAX = 95, /* with colons */
};

static const char *request_text(const json_t *request, const char *key)
{
        return json_string_value(json_object_get(request, key));
}

static bool is_clean(const Secret *password)
{
        return strlen(secret_data(password)) == secret_size(password) &&
               utf8_is_line(secret_data(password));
}

/* The password behind fd, sealed, as PasswordSealed of the request; who asks and when stand there, too. */
static int take_password(const Manager *manager, int fd, const char *principal, json_t *request,
                         sd_bus_error *error)
{
        CLEANUP(secret_free_p) Secret *password = NULL;
        _cleanup_free_ char *sealed = NULL;
        int r = bus_node_need_key(manager, error);

        if (r < 0)
                return r;
        r = secret_read_memfd(fd, PASSWORD_MAX, &password);
        if (r < 0 || !is_clean(password))
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "Argument password must be a memfd, sealed against every "
                                      "change, with 1 to %d bytes of text in UTF-8 without control "
                                      "characters",
                                      PASSWORD_MAX);
        r = seal(nodes_key(manager->nodes), password, &sealed);
        if (r >= 0)
                r = request_add_text(request, "PasswordSealed", sealed);
        if (r >= 0)
                r = request_add_text(request, "Principal", principal);
        if (r >= 0)
                r = json_object_set_new(request, "NowUSec",
                                        json_integer((json_int_t) clock_realtime_usec()));
        return r < 0 ? -ENOMEM : 0;
}

/* 64 digits, of which each two may be parted by a colon, as 64 small ones. */
static int read_pin(const char *text, char ret_pin[static PIN_DIGITS + 1], sd_bus_error *error)
{
        size_t n = 0;

        for (const char *p = text; *p && n <= PIN_DIGITS; p++) {
                char c = *p >= 'A' && *p <= 'F' ? (char) (*p - 'A' + 'a') : *p;

                if (c == ':' && n > 0 && n % 2 == 0 && p[-1] != ':')
                        continue;
                if (!strchr("0123456789abcdef", c) || n == PIN_DIGITS)
                        n = PIN_DIGITS + 1;
                else
                        ret_pin[n++] = c;
        }
        if (n != PIN_DIGITS || text[strlen(text) - 1] == ':')
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "Option pin_sha256 must be the SHA-256 of a certificate: 32 "
                                      "bytes in hexadecimal, with or without ':' between them");
        ret_pin[n] = '\0';
        return 0;
}

static int check_user(const char *user, sd_bus_error *error)
{
        if (*user && strlen(user) <= VCENTER_USER_MAX && utf8_is_line(user))
                return 0;
        return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                              "Option user must be a text of 1 to %d bytes without control "
                              "characters",
                              VCENTER_USER_MAX);
}

/* ── The test before a login is stored ── */

static const char *text_of(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key)) ?: "";
}

/* Nobody vouches for it: what is to be compared and pinned. */
static void on_certificate(const VcenterAnswer *answer, void *userdata)
{
        BusWait *wait = userdata;
        const char *why = text_of(answer->body, "why");
        char text[1024];

        if (answer->error < 0) {
                bus_wait_fail(wait, BUS_ERROR_CERTIFICATE_INVALID,
                              request_text(wait->request, "Said"));
                return;
        }
        (void) snprintf(text, sizeof(text),
                        "No CA vouches for the certificate of %.253s (%.200s): subject %.200s, "
                        "SHA-256 %.95s. Compare it with what the vCenter itself shows, then pin "
                        "it: "
                        "option pin_sha256, sendensectl --pin=",
                        text_of(json_object_get(wait->request, "Row"), "Host"),
                        *why ? why : "it is valid now", text_of(answer->body, "subject"),
                        text_of(answer->body, "sha256"));
        utf8_make_line(text);
        bus_wait_fail(wait, BUS_ERROR_CERTIFICATE_INVALID, text);
}

static void explain(BusWait *wait, const VcenterAnswer *answer)
{
        const json_t *row = json_object_get(wait->request, "Row");
        json_int_t node = json_integer_value(json_object_get(row, "NodeId"));

        if (strcmp(answer->name, BUS_ERROR_CERTIFICATE_INVALID) != 0 ||
            request_add_text(wait->request, "Said", answer->text) < 0) {
                bus_wait_fail(wait, answer->name, answer->text);
                return;
        }
        vcenter_ask(nodes_links(wait->manager->nodes), node > 0 ? (uint64_t) node : 0,
                    "certificate",
                    json_pack("{s:O, s:O}", "vcenter_host", json_object_get(row, "Host"),
                              "vcenter_port", json_object_get(row, "Port")),
                    on_certificate, wait);
}

/* ── Add ── */

static void on_added(int error, const json_t *out, const char *name, const char *text,
                     void *userdata)
{
        BusWait *wait = userdata;

        if (error < 0) {
                bus_wait_fail(wait, name, text);
                return;
        }
        bus_vcenter_log(wait, request_text(wait->request, "Name"), "added");
        bus_vcenter_end(wait,
                        sd_bus_reply_method_return(
                                        wait->call, "t",
                                        (uint64_t) json_integer_value(json_object_get(out, "Id"))));
}

/* What is stored is what stands in the request; Row is about the test alone. */
static void store(BusWait *wait, StoreWork work, StoreAnswer answer)
{
        json_t *in = json_deep_copy(wait->request);
        int r;

        (void) json_object_del(in, "Row");
        r = store_call(wait->manager->store, work, in, answer, wait);
        if (r < 0)
                bus_wait_fail(wait, BUS_ERROR_DATABASE_UNAVAILABLE,
                              "The database cannot take it now; nothing was changed");
}

static void on_add_tested(const VcenterAnswer *answer, void *userdata)
{
        if (answer->error < 0)
                explain(userdata, answer);
        else
                store(userdata, store_vcenter_add, on_added);
}

static int set_row(json_t *request, uint64_t node)
{
        json_t *row = json_copy(request);

        if (row && node > 0)
                (void) json_object_set_new(row, "NodeId", json_integer((json_int_t) node));
        return json_object_set_new(request, "Row", row) < 0 ? -ENOMEM : 0;
}

static int act_add(Manager *manager, sd_bus_message *call, const char *principal, json_t *request,
                   sd_bus_error *error)
{
        uint64_t node = 0;
        BusWait *wait;
        int fd, r;

        r = sd_bus_message_rewind(call, true);
        if (r >= 0)
                r = sd_bus_message_read(call, "ssh", NULL, NULL, &fd);
        if (r >= 0)
                r = bus_vcenter_node(manager, request, &node, error);
        if (r >= 0)
                r = take_password(manager, fd, principal, request, error);
        if (r >= 0)
                r = set_row(request, node);
        if (r < 0)
                return r;
        wait = bus_wait_new(manager, call, request);
        if (!wait)
                return -ENOMEM;
        if (json_is_true(json_object_get(request, "Untested")))
                store(wait, store_vcenter_add, on_added);
        else
                (void) bus_vcenter_ask(wait, json_object_get(request, "Row"), "test", NULL,
                                       on_add_tested, wait);
        return 0;
}

int method_add_vcenter(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        const char *name, *host, *user = "", *pin_text = NULL, *node = NULL;
        char pin[PIN_DIGITS + 1];
        uint16_t port = VCENTER_PORT;
        bool is_untested = false;
        const BusOption options[] = {
                { "port", BUS_OPTION_UINT16, UINT16_MAX, &port, NULL },
                { "user", BUS_OPTION_STRING, VCENTER_USER_MAX, &user, NULL },
                { "pin_sha256", BUS_OPTION_STRING, PIN_TEXT_MAX, &pin_text, NULL },
                { "node", BUS_OPTION_STRING, NODE_NAME_SIZE - 1, &node, NULL },
                { "untested", BUS_OPTION_BOOL, 0, &is_untested, NULL },
        };
        int fd, r = sd_bus_message_read(call, "ssh", &name, &host, &fd);

        if (r >= 0)
                r = bus_options_read(call, options, ELEMENTSOF(options), error);
        if (r >= 0)
                r = bus_vcenter_check_name(name, error);
        if (r >= 0)
                r = bus_vcenter_check_host(host, port, error);
        if (r >= 0)
                r = check_user(user, error);
        if (r >= 0 && pin_text)
                r = read_pin(pin_text, pin, error);
        if (r < 0)
                return r;
        return bus_call_check(userdata, call, ACTION_MANAGE,
                              json_pack("{s:s, s:s, s:I, s:s, s:s*, s:s*, s:b}", "Name", name,
                                        "Host", host, "Port", (json_int_t) port, "User", user,
                                        "CertificateSha256", pin_text ? pin : NULL, "Node", node,
                                        "Untested", is_untested),
                              act_add, error);
}

/* ── Rotate ── */

static void on_rotated(int error, const json_t *out, const char *name, const char *text,
                       void *userdata)
{
        BusWait *wait = userdata;

        if (error < 0) {
                bus_wait_fail(wait, name, text);
                return;
        }
        bus_vcenter_log(wait, json_string_value(json_object_get(out, "Name")),
                        "given another password");
        bus_vcenter_end(wait, sd_bus_reply_method_return(wait->call, ""));
}

static void on_rotate_tested(const VcenterAnswer *answer, void *userdata)
{
        if (answer->error < 0)
                explain(userdata, answer);
        else
                store(userdata, store_vcenter_rotate, on_rotated);
}

/* The row as it would be afterwards is tried. */
static void on_rotate_row(int error, const json_t *out, const char *name, const char *text,
                          void *userdata)
{
        static const char *const changed[] = { "User", "PasswordSealed", "CertificateSha256" };
        BusWait *wait = userdata;
        json_t *row;

        if (error < 0) {
                bus_wait_fail(wait, name, text);
                return;
        }
        if (json_is_true(json_object_get(wait->request, "Untested"))) {
                store(wait, store_vcenter_rotate, on_rotated);
                return;
        }
        row = json_deep_copy(out);
        for (size_t i = 0; i < ELEMENTSOF(changed); i++) {
                json_t *value = json_object_get(wait->request, changed[i]);

                if (value)
                        (void) json_object_set(row, changed[i], value);
        }
        if (json_object_set_new(wait->request, "Row", row) < 0)
                bus_wait_fail(wait, BUS_ERROR_FAILED, "Out of memory");
        else
                (void) bus_vcenter_ask(wait, row, "test", NULL, on_rotate_tested, wait);
}

static int act_rotate(Manager *manager, sd_bus_message *call, const char *principal,
                      json_t *request, sd_bus_error *error)
{
        int fd, r;

        r = sd_bus_message_rewind(call, true);
        if (r >= 0)
                r = sd_bus_message_read(call, "sh", NULL, &fd);
        if (r >= 0)
                r = take_password(manager, fd, principal, request, error);
        return r < 0 ? r
                     : bus_vcenter_begin(manager, call, request, store_vcenter_get, on_rotate_row,
                                         error);
}

int method_rotate_vcenter(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        const char *vcenter, *user = NULL, *pin_text = NULL;
        char pin[PIN_DIGITS + 1];
        bool is_untested = false;
        const BusOption options[] = {
                { "user", BUS_OPTION_STRING, VCENTER_USER_MAX, &user, NULL },
                { "pin_sha256", BUS_OPTION_STRING, PIN_TEXT_MAX, &pin_text, NULL },
                { "untested", BUS_OPTION_BOOL, 0, &is_untested, NULL },
        };
        int fd, r = bus_vcenter_read(call, &vcenter, error);

        if (r >= 0)
                r = sd_bus_message_read(call, "h", &fd);
        if (r >= 0)
                r = bus_options_read(call, options, ELEMENTSOF(options), error);
        if (r >= 0 && user)
                r = check_user(user, error);
        if (r >= 0 && pin_text)
                r = read_pin(pin_text, pin, error);
        if (r < 0)
                return r;
        return bus_call_check(userdata, call, ACTION_MANAGE,
                              json_pack("{s:s, s:s*, s:s*, s:b}", "Vcenter", vcenter, "User", user,
                                        "CertificateSha256", pin_text ? pin : NULL, "Untested",
                                        is_untested),
                              act_rotate, error);
}
