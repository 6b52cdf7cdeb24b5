/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendensectl cleanup: has the hub meet its obligations now instead of at their next attempt.
 */
#include "cleanup.h"
#include "ctl.h"
#include "hub-client.h"
#include "json-cleanup.h"
#include "output.h"

ExitStatus verb_cleanup(int argc, char *argv[])
{
        CLEANUP(json_decref_p) json_t *lines = NULL;
        const json_t *line;
        ExitStatus s;
        size_t i;

        (void) argc, (void) argv;
        s = hub_ask("Cleanup", true, "as", &lines, "a{sv}", 0);
        if (s != CTL_OK)
                return s;
        if (arg_json)
                return output_json(lines) < 0 ? complain(CTL_FAILED, "Out of memory") : CTL_OK;
        json_array_foreach (lines, i, line)
                output_line("%s", json_string_value(line));
        if (json_array_size(lines) == 0)
                (void) puts("Nothing was to be undone.");
        return CTL_OK;
}
