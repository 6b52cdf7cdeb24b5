/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asks PID 1 for one unit (see units-private.h): GetUnit first, because reading the properties of a unit
 * that is not loaded would load it, as a unit without a file, and make noise on the bus. A PID 1 that is busy
 * for minutes (a daemon-reload, a disk that hangs) is waited for: that it does not tell how a unit stands
 * says nothing of the unit.
 */
#include "unit/unit-state.h"
#include "unit/units-private.h"

#include "cleanup.h"

#include <errno.h>
#include <string.h>

struct UnitQuery {
        SystemdLink *link;
        LinkCall *call;
        UnitQuery **handle;
        UnitQueryDone done;
        void *userdata;
};

void unit_query_drop(UnitQuery **handle)
{
        UnitQuery *query = *handle;

        if (!query)
                return;
        *handle = NULL;
        link_call_drop(&query->call);
        free(query);
}

static void query_finish(UnitQuery *query, int error, const char *text, const UnitState *state,
                         const char *job)
{
        UnitQueryDone done = query->done;
        void *userdata = query->userdata;

        unit_query_drop(query->handle);
        done(error, text, state, job, userdata);
}

static void query_gone(UnitQuery *query)
{
        const UnitState gone = {};

        query_finish(query, 0, NULL, &gone, "");
}

static void on_properties(int error, const char *text, sd_bus_message *reply, unsigned n_sent,
                          void *userdata)
{
        char job[UNIT_JOB_PATH_SIZE] = "";
        UnitQuery *query = userdata;
        UnitState state = {};
        int r = error;

        (void) n_sent;
        if (r == 0)
                r = unit_state_read(reply, &state, job, sizeof(job));
        if (r < 0)
                query_finish(query, r, text ?: "systemd's answer about a unit cannot be read", NULL,
                             "");
        else if (!state.exists)
                query_gone(query);
        else
                query_finish(query, 0, NULL, &state, job);
}

static void on_unit(int error, const char *text, sd_bus_message *reply, unsigned n_sent,
                    void *userdata)
{
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        UnitQuery *query = userdata;
        const char *path = "";
        int r = error;

        (void) n_sent;
        if (r == -ENOENT) {
                query_gone(query);
                return;
        }
        if (r == 0)
                r = sd_bus_message_read(reply, "o", &path);
        if (r >= 0)
                r = systemd_link_message(query->link, path, "org.freedesktop.DBus.Properties",
                                         "GetAll", &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "s", "");
        if (r >= 0)
                r = systemd_link_ask(query->link, m, on_properties, query, &query->call);
        if (r < 0)
                query_finish(query, r, text ?: "systemd cannot be asked about a unit", NULL, "");
}

int unit_query(SystemdLink *link, const char *unit, UnitQueryDone done, void *userdata,
               UnitQuery **handle)
{
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        UnitQuery *query;
        int r;

        r = systemd_link_message(link, SYSTEMD_PATH, SYSTEMD_MANAGER, "GetUnit", &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "s", unit);
        if (r < 0)
                return r;
        query = malloc(sizeof(UnitQuery));
        if (!query)
                return -ENOMEM;
        *query = (UnitQuery){
                .link = link,
                .handle = handle,
                .done = done,
                .userdata = userdata,
        };
        r = systemd_link_ask(link, m, on_unit, query, &query->call);
        if (r < 0) {
                free(query);
                return r;
        }
        *handle = query;
        return 0;
}
