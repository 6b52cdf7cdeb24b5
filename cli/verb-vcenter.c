/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendensectl vcenter list|show|add|test|rotate|remove: where VMs are, how one logs in there, and whom one trusts there.
 */
#include "cleanup.h"
#include "columns.h"
#include "ctl.h"
#include "host-name.h"
#include "hub-client.h"
#include "json-cleanup.h"
#include "options.h"
#include "output.h"
#include "parse.h"
#include "password.h"

#include <string.h>

enum {
        VCENTER_PORT = 443,
};

static char *cell_pinned(const json_t *object, const char *key)
{
        return strdup(json_object_get(object, key) ? "yes" : "no");
}

static char *cell_node(const json_t *object, const char *key)
{
        return json_object_get(object, key) ? cell_text(object, key) : strdup("any");
}

ExitStatus verb_vcenter_list(int argc, char *argv[])
{
        static const Column columns[] = {
                { "ID", "Id", cell_number, true },
                { "NAME", "Name", cell_text, false },
                { "HOST", "Host", cell_text, false },
                { "PORT", "Port", cell_number, true },
                { "USER", "User", cell_text, false },
                { "PINNED", "CertificateSha256", cell_pinned, false },
                { "NODE", "Node", cell_node, false },
                { "VMS", "Vms", cell_number, true },
        };
        CLEANUP(json_decref_p) json_t *list = NULL;
        ExitStatus s;

        (void) argc, (void) argv;
        s = hub_ask("ListVcenters", false, "aa{sv}", &list, "a{sv}", 0);
        return s == CTL_OK ? show_list(list, columns, ELEMENTSOF(columns),
                                       "There is no vCenter. Add one: sendensectl vcenter add NAME "
                                       "HOST --user=USER")
                           : s;
}

ExitStatus verb_vcenter_show(int argc, char *argv[])
{
        static const Column fields[] = {
                { "Id", "Id", cell_number, false },
                { "Name", "Name", cell_text, false },
                { "Host", "Host", cell_text, false },
                { "Port", "Port", cell_number, false },
                { "User", "User", cell_text, false },
                { "Pinned SHA-256", "CertificateSha256", cell_text, false },
                { "Node", "Node", cell_node, false },
                { "VMs", "Vms", cell_number, false },
                { "Added", "CreatedUSec", cell_time, false },
                { "Changed", "ChangedUSec", cell_time, false },
        };
        CLEANUP(json_decref_p) json_t *vcenter = NULL;
        ExitStatus s;

        (void) argc;
        s = hub_ask("GetVcenter", false, "a{sv}", &vcenter, "sa{sv}", argv[0], 0);
        return s == CTL_OK ? show_object(vcenter, fields, ELEMENTSOF(fields)) : s;
}

ExitStatus verb_vcenter_test(int argc, char *argv[])
{
        static const Column fields[] = {
                { "Name", "Name", cell_text, false },
                { "Version", "Version", cell_text, false },
                { "Build", "Build", cell_text, false },
                { "Kind", "ApiType", cell_text, false },
                { "API", "ApiVersion", cell_text, false },
                { "Instance", "InstanceUuid", cell_text, false },
        };
        CLEANUP(json_decref_p) json_t *about = NULL;
        ExitStatus s;

        (void) argc;
        s = hub_ask("TestVcenter", true, "a{sv}", &about, "sa{sv}", argv[0], 0);
        return s == CTL_OK ? show_object(about, fields, ELEMENTSOF(fields)) : s;
}

ExitStatus verb_vcenter_remove(int argc, char *argv[])
{
        ExitStatus s;

        (void) argc;
        if (option_is_given(OPTION_FORCE))
                s = hub_ask("RemoveVcenter", true, "", NULL, "sa{sv}", argv[0], 1, "force", "b", 1);
        else
                s = hub_ask("RemoveVcenter", true, "", NULL, "sa{sv}", argv[0], 0);
        return s == CTL_OK ? show_act("Removed", json_string(argv[0]),
                                      "vCenter %s is removed, and its password is forgotten",
                                      argv[0])
                           : s;
}

/* ── Whom to trust ── */

typedef struct Place {
        const char *host, *node; /* NULL: any */
        uint16_t port;
} Place;

static int append_place(sd_bus_message *message, const Place *place)
{
        int r = sd_bus_message_append(message, "{sv}", "port", "q", place->port);

        return r >= 0 && place->node
                               ? sd_bus_message_append(message, "{sv}", "node", "s", place->node)
                               : r;
}

static ExitStatus ask_certificate(sd_bus *bus, const Place *place, json_t **ret_certificate)
{
        if (place->node)
                return hub_ask_on(bus, "ShowCertificate", true, "a{sv}", ret_certificate, "sa{sv}",
                                  place->host, 2, "port", "q", place->port, "node", "s",
                                  place->node);
        return hub_ask_on(bus, "ShowCertificate", true, "a{sv}", ret_certificate, "sa{sv}",
                          place->host, 1, "port", "q", place->port);
}

static void show_certificate(const Place *place, const json_t *certificate)
{
        static const char *const rows[][2] = {
                { "Subject", "Subject" }, { "Issuer", "Issuer" },
                { "From", "NotBefore" },  { "Until", "NotAfter" },
                { "SHA-256", "Sha256" },  { "No CA vouches for it", "Why" },
        };

        (void) fputs("The certificate of ", stderr);
        output_text(stderr, place->host, COMPLAINT_LETTERS_MAX);
        (void) fputs(":\n", stderr);
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                (void) fprintf(stderr, "  %s: ", rows[i][0]);
                output_text(stderr, text_of(certificate, rows[i][1]), COMPLAINT_LETTERS_MAX);
                (void) fputc('\n', stderr);
        }
}

/* The pin to store, NULL for none: as it was given, or of the certificate that is shown there when no CA vouches for it and the
 * operator wants it. */
static ExitStatus choose_pin(sd_bus *bus, const Place *place, bool may_ask, char **ret_pin)
{
        CLEANUP(json_decref_p) json_t *certificate = NULL;
        const char *given = option_value(OPTION_PIN), *pin = given;
        bool accepts = option_is_given(OPTION_ACCEPT_CERTIFICATE);
        ExitStatus s;

        if (given && accepts)
                return complain(CTL_USAGE, "--pin= and --accept-certificate exclude each other");
        if (!given && (accepts || may_ask)) {
                s = ask_certificate(bus, place, &certificate);
                if (s != CTL_OK)
                        return s;
                if (!json_is_true(json_object_get(certificate, "Verified"))) {
                        pin = text_of(certificate, "Sha256");
                        show_certificate(place, certificate);
                }
        }
        if (!given && pin && !accepts &&
            (!operator_is_there() ||
             !operator_agrees("Is it this one, and shall no other be trusted?")))
                return complain(CTL_FAILED,
                                "it is not trusted. Compare its SHA-256 with what the vCenter "
                                "itself "
                                "shows, then: --pin=%s",
                                pin);
        *ret_pin = pin ? strdup(pin) : NULL;
        return pin && !*ret_pin ? complain(CTL_FAILED, "Out of memory") : CTL_OK;
}

/* ── What takes a password ── */

static int append_login(sd_bus_message *message, const char *pin, const Place *place)
{
        const char *user = option_value(OPTION_USER);
        int r = sd_bus_message_open_container(message, 'a', "{sv}");

        if (r >= 0 && user)
                r = sd_bus_message_append(message, "{sv}", "user", "s", user);
        if (r >= 0 && pin)
                r = sd_bus_message_append(message, "{sv}", "pin_sha256", "s", pin);
        if (r >= 0 && option_is_given(OPTION_UNTESTED))
                r = sd_bus_message_append(message, "{sv}", "untested", "b", 1);
        if (r >= 0 && place)
                r = append_place(message, place);
        return r < 0 ? r : sd_bus_message_close_container(message);
}

/* The call with its texts, a password, and the options; place is for a new one. */
static ExitStatus send_login(sd_bus *bus, const char *method, const char *name, const Place *place,
                             const char *pin, sd_bus_message **ret_reply)
{
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *message = NULL;
        char prompt[128];
        ExitStatus s;
        int r;

        s = hub_new_call(bus, method, true, &message);
        if (s != CTL_OK)
                return s;
        r = sd_bus_message_append(message, "s", name);
        if (r >= 0 && place)
                r = sd_bus_message_append(message, "s", place->host);
        if (r < 0)
                return hub_complain_arguments(r);
        (void) snprintf(prompt, sizeof(prompt), "Password for vCenter %.64s: ", name);
        s = password_append(message, prompt);
        if (s != CTL_OK)
                return s;
        r = append_login(message, pin, place);
        return r < 0 ? hub_complain_arguments(r) : hub_call(bus, message, ret_reply);
}

/* As people have it from an address of the web: with brackets, or with the port behind it. */
static ExitStatus read_host(char *text, const char **ret_host)
{
        size_t n = strlen(text);

        if (text[0] == '[' && text[n - 1] == ']') {
                text[n - 1] = '\0';
                text++;
        }
        if (strchr(text, ':') && !host_name_is_valid(text))
                return complain(CTL_USAGE,
                                "'%s' is no host; give " HOST_NAME_MUST ", and the port as --port=",
                                text);
        *ret_host = text;
        return CTL_OK;
}

ExitStatus verb_vcenter_add(int argc, char *argv[])
{
        CLEANUP(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        CLEANUP(json_decref_p) json_t *id = NULL;
        _cleanup_free_ char *pin = NULL;
        Place place = {
                .node = option_value(OPTION_THROUGH),
                .port = VCENTER_PORT,
        };
        const char *port = option_value(OPTION_PORT);
        ExitStatus s;

        (void) argc;
        if (!option_value(OPTION_USER))
                return complain(CTL_USAGE, "--user= is missing: who logs in at the vCenter");
        if (port && parse_port(port, &place.port) < 0)
                return complain(CTL_USAGE, "--port= must be a port from 1 to 65535");
        s = read_host(argv[1], &place.host);
        if (s == CTL_OK)
                s = hub_connect(&bus);
        if (s == CTL_OK)
                s = choose_pin(bus, &place, !option_is_given(OPTION_UNTESTED), &pin);
        if (s == CTL_OK)
                s = send_login(bus, "AddVcenter", argv[0], &place, pin, &reply);
        if (s == CTL_OK)
                s = hub_read_answer(reply, "t", &id);
        return s == CTL_OK ? show_act("Id", json_incref(id),
                                      "vCenter %s is added. Its VMs: sendensectl vm discover %s",
                                      argv[0], argv[0])
                           : s;
}

/* The certificate stays as it is pinned, unless another is given or accepted. */
static ExitStatus choose_new_pin(sd_bus *bus, const char *name, char **ret_pin)
{
        CLEANUP(json_decref_p) json_t *vcenter = NULL;
        ExitStatus s;

        s = hub_ask_on(bus, "GetVcenter", true, "a{sv}", &vcenter, "sa{sv}", name, 0);
        if (s != CTL_OK)
                return s;
        return choose_pin(bus,
                          &(Place){ .host = text_of(vcenter, "Host"),
                                    .node = json_string_value(json_object_get(vcenter, "Node")),
                                    .port = (uint16_t) number_of(vcenter, "Port") },
                          false, ret_pin);
}

ExitStatus verb_vcenter_rotate(int argc, char *argv[])
{
        CLEANUP(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_free_ char *pin = NULL;
        ExitStatus s;

        (void) argc;
        s = hub_connect(&bus);
        if (s == CTL_OK)
                s = choose_new_pin(bus, argv[0], &pin);
        if (s == CTL_OK)
                s = send_login(bus, "RotateVcenter", argv[0], NULL, pin, &reply);
        return s == CTL_OK ? show_act("Rotated", json_string(argv[0]),
                                      "vCenter %s has its new password", argv[0])
                           : s;
}
