/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The parts of sendensectl doctor that ask around the hub (see doctor-hub.h). What the caller may not ask is left out.
 */
#include "doctor-hub.h"

#include "bus/bus-value.h"
#include "cleanup.h"
#include "columns.h"
#include "doctor-tools.h"
#include "hub-client.h"
#include "json-cleanup.h"
#include "names.h"
#include "parse.h"
#include "text.h"

#include <errno.h>
#include <string.h>

#define API_SOCKET  "sendense-hub-api.socket"
#define API_SERVICE "sendense-hub-api.service"
#define TEST_SEC    20 /* of one vCenter; who asks for it alone waits for as long as it takes */

/* A property of a unit, the caller's; NULL with *ret_error when systemd does not say. */
static char *unit_property(sd_bus *bus, const char *unit, const char *property, char **ret_error)
{
        CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *path = NULL;
        char *value = NULL;
        int r;

        r = sd_bus_path_encode("/org/freedesktop/systemd1/unit", unit, &path);
        if (r >= 0)
                r = sd_bus_get_property_string(bus, "org.freedesktop.systemd1", path,
                                               "org.freedesktop.systemd1.Unit", property, &error,
                                               &value);
        if (r >= 0)
                return value;
        free(*ret_error);
        *ret_error = strdup(error.message ?: strerror(-r));
        return NULL;
}

static json_t *judge_unit(sd_bus *bus, const char *unit)
{
        _cleanup_free_ char *error = NULL, *text = NULL, *remedy = NULL;
        _cleanup_free_ char *load = unit_property(bus, unit, "LoadState", &error);
        _cleanup_free_ char *active = unit_property(bus, unit, "ActiveState", &error);
        _cleanup_free_ char *sub = unit_property(bus, unit, "SubState", &error);
        bool ok = active && strcmp(active, "active") == 0;
        int n;

        if (!load || !active || !sub)
                n = asprintf(&text, "systemd does not say: %s", error ?: "out of memory");
        else if (strcmp(load, "loaded") != 0)
                n = asprintf(&text, "%s", load);
        else
                n = asprintf(&text, "%s (%s)", active, sub);
        if (n < 0)
                text = NULL;
        if (asprintf(&remedy, "systemctl status %s; journalctl -u %s -n 50", unit, unit) < 0)
                remedy = NULL;
        if (!text || !remedy)
                return NULL;
        return json_pack("{s:s, s:s, s:s, s:s*}", "Check", unit, "Verdict", ok ? "ok" : "bad",
                         "Text", text, "Remedy", ok ? NULL : remedy);
}

int doctor_units(sd_bus *bus, const char *const units[], json_t *verdicts)
{
        for (; *units; units++)
                if (json_array_append_new(verdicts, judge_unit(bus, *units)) < 0)
                        return -ENOMEM;
        return 0;
}

/* Takes both texts; remedy may be NULL. */
static int add(json_t *verdicts, char *check, const char *verdict, char *text, const char *remedy)
{
        _cleanup_free_ char *my_check = check, *my_text = text;

        return my_check && my_text &&
                                               json_array_append_new(
                                                               verdicts,
                                                               json_pack("{s:s, s:s, s:s, s:s*}",
                                                                         "Check", my_check,
                                                                         "Verdict", verdict, "Text",
                                                                         my_text, "Remedy",
                                                                         remedy)) == 0
                               ? 0
                               : -ENOMEM;
}

static bool property_is(sd_bus *bus, const char *unit, const char *property, const char *value)
{
        _cleanup_free_ char *error = NULL;
        _cleanup_free_ char *text = unit_property(bus, unit, property, &error);

        return text && strcmp(text, value) == 0;
}

/* Those of jobs come and go, and are the hub's business; the HTTP API has a line of its own. */
static bool is_standing(const char *unit)
{
        UnitName name;

        return unit_name_from_string(unit, &name) < 0 && strcmp(unit, API_SERVICE) != 0 &&
               strcmp(unit, API_SOCKET) != 0;
}

static int judge_failed(sd_bus_message *reply, json_t *verdicts)
{
        const char *unit, *load, *active, *sub;
        unsigned n = 0;
        int r;

        r = sd_bus_message_enter_container(reply, 'a', "(ssssssouso)");
        while (r >= 0 &&
               (r = sd_bus_message_read(reply, "(ssssssouso)", &unit, NULL, &load, &active, &sub,
                                        NULL, NULL, NULL, NULL, NULL)) > 0) {
                if (!is_standing(unit))
                        continue;
                n++;
                r = add(verdicts, strdup("services"), "bad", text_format("%s failed", unit),
                        "systemctl status of it says why; when that is mended: systemctl restart, "
                        "or systemctl reset-failed");
        }
        if (r < 0 || n > 0)
                return r < 0 ? r : 0;
        return add(verdicts, strdup("services"), "ok", strdup("none of ours has failed"), NULL);
}

/* The standing units: a migration, a key or a firewall that failed is seen while the hub itself answers. */
static int judge_services(sd_bus *bus, json_t *verdicts)
{
        CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_call_method(bus, "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
                               "org.freedesktop.systemd1.Manager", "ListUnitsByPatterns", &error,
                               &reply, "asas", 1, "failed", 1, "sendense-*");
        if (r >= 0)
                r = judge_failed(reply, verdicts);
        return r >= 0 || r == -ENOMEM ? r
                                      : add(verdicts, strdup("services"), "bad",
                                            text_format("systemd does not say: %s",
                                                        error.message ?: strerror(-r)),
                                            "systemctl --failed");
}

/* A hub without its HTTP API is well, when somebody has switched that off. */
static int judge_api(sd_bus *bus, json_t *verdicts)
{
        static const char remedy[] =
                        "systemctl reset-failed " API_SOCKET " " API_SERVICE
                        "; systemctl start " API_SOCKET "; journalctl -u " API_SERVICE " -n 50";

        if (!property_is(bus, API_SOCKET, "LoadState", "loaded"))
                return 0;
        if (property_is(bus, API_SERVICE, "ActiveState", "failed"))
                return add(verdicts, strdup("HTTP API"), "bad", strdup(API_SERVICE " failed"),
                           remedy);
        if (property_is(bus, API_SOCKET, "ActiveState", "active"))
                return add(verdicts, strdup("HTTP API"), "ok", strdup("its sockets listen"), NULL);
        if (property_is(bus, API_SOCKET, "UnitFileState", "disabled"))
                return add(verdicts, strdup("HTTP API"), "ok", strdup("is switched off"), NULL);
        return add(verdicts, strdup("HTTP API"), "bad",
                   strdup("nobody listens: " API_SOCKET " is enabled and not active"), remedy);
}

/* An answer without complaints: 0, or -errno with *ret_error. */
static int ask(sd_bus *bus, const char *method, const char *vcenter, const char *signature,
               json_t **ret_answer, sd_bus_error *ret_error)
{
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
        int r;

        if (hub_new_call(bus, method, true, &call) != CTL_OK)
                return -ENOMEM;
        r = vcenter ? sd_bus_message_append(call, "sa{sv}", vcenter, 0)
                    : sd_bus_message_append(call, "a{sv}", 0);
        if (r >= 0)
                r = sd_bus_call(bus, call, TEST_SEC * USEC_PER_SEC, ret_error, &reply);
        if (r >= 0 && !sd_bus_message_has_signature(reply, signature))
                r = -EBADMSG;
        return r < 0 ? r : bus_value_read(reply, ret_answer);
}

static int judge_vcenter(sd_bus *bus, const char *name, json_t *verdicts)
{
        CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        CLEANUP(json_decref_p) json_t *about = NULL;
        _cleanup_free_ char *remedy = text_format("sendensectl vcenter test %s", name);
        int r;

        r = ask(bus, "TestVcenter", name, "a{sv}", &about, &error);
        if (sd_bus_error_has_name(&error, SD_BUS_ERROR_ACCESS_DENIED) ||
            sd_bus_error_has_name(&error, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED))
                return 0;
        if (r == -ETIMEDOUT)
                return add(verdicts, text_format("vCenter %s", name), "warning",
                           text_format("did not answer within %d s", TEST_SEC), remedy);
        return r < 0 ? add(verdicts, text_format("vCenter %s", name), "bad",
                           strdup(error.message ?: strerror(-r)), remedy)
                     : add(verdicts, text_format("vCenter %s", name), "ok",
                           text_format("lets us in: %s %s", text_of(about, "Name"),
                                       text_of(about, "Version")),
                           NULL);
}

int doctor_hub(sd_bus *bus, json_t *verdicts)
{
        CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        CLEANUP(json_decref_p) json_t *vcenters = NULL;
        const json_t *vcenter;
        size_t i;
        int r;

        r = doctor_versions(bus, verdicts);
        if (r >= 0)
                r = doctor_tools(verdicts);
        if (r >= 0)
                r = judge_services(bus, verdicts);
        if (r >= 0)
                r = judge_api(bus, verdicts);
        /* Without its database the hub has said so already. */
        (void) ask(bus, "ListVcenters", NULL, "aa{sv}", &vcenters, &error);
        json_array_foreach (vcenters, i, vcenter)
                if (r >= 0)
                        r = judge_vcenter(bus, text_of(vcenter, "Name"), verdicts);
        return r;
}
