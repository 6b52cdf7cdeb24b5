/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Strays among the units (see stray-units.h).
 */
#include "job/stray-units.h"

#include "cleanup.h"
#include "names.h"
#include "unit/units.h"

#include <stdio.h>
#include <string.h>

static void stop_next(StrayUnits *strays);

static const char *name_at(const StrayUnits *strays, size_t i)
{
        return json_string_value(json_array_get(strays->names, i));
}

static void on_stopped(int error, const char *text, void *userdata)
{
        StrayUnits *strays = userdata;
        const char *unit = name_at(strays, strays->next - 1);
        char line[UNIT_NAME_SIZE + 512];

        strays->are_left = strays->are_left || error < 0;
        if (error < 0)
                (void) snprintf(line, sizeof(line), "%s cannot be stopped: %s", unit,
                                text ?: strerror(-error));
        else
                (void) snprintf(line, sizeof(line), "%s was stopped: no open job owns it", unit);
        strays->say(line, strays->userdata);
        stop_next(strays);
}

static void stop_next(StrayUnits *strays)
{
        while (strays->next < json_array_size(strays->names) && !*strays->is_going_down) {
                const char *unit = name_at(strays, strays->next++);

                if (units_stop(strays->units, unit, on_stopped, strays) >= 0)
                        return;
                strays->are_left = true;
        }
        strays->done(strays->are_left, strays->userdata);
}

static void on_units(int error, const char *const *units, size_t n, void *userdata)
{
        StrayUnits *strays = userdata;
        char line[256];

        strays->names = error < 0 ? NULL : json_array();
        strays->are_left = !strays->names;
        if (error < 0) {
                (void) snprintf(line, sizeof(line), "Systemd does not tell about our units: %s",
                                strerror(-error));
                strays->say(line, strays->userdata);
        }
        for (size_t i = 0; strays->names && i < n; i++) {
                UnitName name;

                /* Those of repositories have somebody who waits for them. */
                if (unit_name_from_string(units[i], &name) >= 0 &&
                    name.kind != UNIT_REPOSITORY_SERVICE &&
                    !strays->is_open(name.job, strays->userdata) &&
                    json_array_append_new(strays->names, json_string(units[i])) < 0)
                        strays->are_left = true;
        }
        stop_next(strays);
}

int stray_units_stop(StrayUnits *strays)
{
        stray_units_done(strays);
        return units_list(strays->units, on_units, strays);
}

void stray_units_done(StrayUnits *strays)
{
        json_decref(TAKE(strays->names));
        strays->next = 0;
        strays->are_left = false;
}
