/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendensectl doctor: what the hub finds out about itself. When it does not answer, systemd is asked how
 * the units stand that it needs; when it does, what is around it is looked at too (doctor-hub.h). Where a node runs, its
 * units and what doctor-node.h looks at are added.
 */
#include "cleanup.h"
#include "columns.h"
#include "ctl.h"
#include "doctor-hub.h"
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

static ExitStatus judge_hub(sd_bus *bus, json_t **ret_verdicts)
{
        static const char *const units[] = { "sendense-hub.service", "mariadb.service",
                                             "polkit.service", NULL };

        *ret_verdicts = json_array();
        return doctor_units(bus, units, *ret_verdicts) < 0 ? complain(CTL_FAILED, "Out of memory")
                                                           : CTL_OK;
}

/* Where none runs, a machine may well be no node: nothing is said then. */
static ExitStatus judge_node(sd_bus *bus, json_t *verdicts)
{
        static const char *const units[] = { "sendense-node.service",
                                             "sendense-node-credentials.socket",
                                             "sendense-node-api.socket", NULL };
        CLEANUP(json_decref_p) json_t *node = node_get_properties(bus);

        if (!node)
                return CTL_OK;
        return doctor_units(bus, units, verdicts) < 0 || doctor_node(verdicts) < 0
                               ? complain(CTL_FAILED, "Out of memory")
                               : CTL_OK;
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
        else if (s == CTL_OK && doctor_hub(bus, verdicts) < 0)
                s = complain(CTL_FAILED, "Out of memory");
        if (s == CTL_OK)
                s = judge_node(bus, verdicts);
        if (s == CTL_OK)
                s = show_verdicts(verdicts);
        /* Active units and yet no hub that answers: that is not well either. */
        return no_hub && s == CTL_OK ? CTL_NOT_WELL : s;
}
