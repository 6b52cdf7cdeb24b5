/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendensectl doctor: what the hub finds out about itself. When it does not answer, systemd is asked how
 * the units stand that it needs. Where a node runs, its units and what doctor-node.h looks at are added.
 */
#include "cleanup.h"
#include "columns.h"
#include "ctl.h"
#include "doctor-node.h"
#include "hub-client.h"
#include "json-cleanup.h"
#include "node-client.h"
#include "output.h"

#include <string.h>

static int add_verdict(json_t *rows, const char *verdict, const char *check, const char *text)
{
        CLEANUP(json_decref_p)
        json_t *row = json_pack("[s, s, s]", verdict, check, text);

        return row && json_array_append(rows, row) == 0 ? 0 : -1;
}

static ExitStatus print_verdicts(const json_t *verdicts)
{
        CLEANUP(json_decref_p)
        json_t *rows = json_pack("[[s, s, s]]", "VERDICT", "CHECK", "FOUND");
        const json_t *verdict;
        size_t i;
        int r = 0;

        json_array_foreach (verdicts, i, verdict) {
                const char *remedy = text_of(verdict, "Remedy");
                _cleanup_free_ char *line = NULL;

                r |= add_verdict(rows, text_of(verdict, "Verdict"), text_of(verdict, "Check"),
                                 text_of(verdict, "Text"));
                if (!*remedy)
                        continue;
                if (asprintf(&line, "Remedy: %s", remedy) < 0)
                        line = NULL;
                r |= line ? add_verdict(rows, "", "", line) : -1;
        }
        if (r < 0 || output_table(rows, 0) < 0)
                return complain(CTL_FAILED, "Out of memory");
        return CTL_OK;
}

static ExitStatus show_verdicts(const json_t *verdicts)
{
        const json_t *verdict;
        ExitStatus s = CTL_OK;
        size_t i;

        if (!arg_json)
                s = print_verdicts(verdicts);
        else if (output_json(verdicts) < 0)
                s = complain(CTL_FAILED, "Out of memory");
        json_array_foreach (verdicts, i, verdict)
                if (s == CTL_OK && strcmp(text_of(verdict, "Verdict"), "ok") != 0)
                        s = CTL_NOT_WELL;
        return s;
}

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

static ExitStatus judge_units(sd_bus *bus, const char *const units[], json_t *verdicts)
{
        for (; *units; units++)
                if (json_array_append_new(verdicts, judge_unit(bus, *units)) < 0)
                        return complain(CTL_FAILED, "Out of memory");
        return CTL_OK;
}

static ExitStatus judge_hub(sd_bus *bus, json_t **ret_verdicts)
{
        static const char *const units[] = { "sendense-hub.service", "mariadb.service",
                                             "polkit.service", NULL };

        *ret_verdicts = json_array();
        return judge_units(bus, units, *ret_verdicts);
}

/* Where none runs, a machine may well be no node: nothing is said then. */
static ExitStatus judge_node(sd_bus *bus, json_t *verdicts)
{
        static const char *const units[] = { "sendense-node.service",
                                             "sendense-node-credentials.socket",
                                             "sendense-node-api.socket", NULL };
        CLEANUP(json_decref_p) json_t *node = node_get_properties(bus);
        ExitStatus s;

        if (!node)
                return CTL_OK;
        s = judge_units(bus, units, verdicts);
        if (s == CTL_OK && doctor_node(verdicts) < 0)
                s = complain(CTL_FAILED, "Out of memory");
        return s;
}

ExitStatus verb_doctor(int argc, char *argv[])
{
        CLEANUP(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        CLEANUP(json_decref_p) json_t *verdicts = NULL;
        bool no_hub;
        ExitStatus s;

        (void) argc, (void) argv;
        s = hub_connect(&bus);
        if (s != CTL_OK)
                return s;
        s = hub_ask_on(bus, "Diagnose", false, "aa{sv}", &verdicts, "a{sv}", 0);
        no_hub = s == CTL_UNAVAILABLE;
        if (no_hub)
                s = judge_hub(bus, &verdicts);
        if (s == CTL_OK)
                s = judge_node(bus, verdicts);
        if (s == CTL_OK)
                s = show_verdicts(verdicts);
        /* Active units and yet no hub that answers: that is not well either. */
        return no_hub && s == CTL_OK ? CTL_NOT_WELL : s;
}
