/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * GET /health: one entry for everything that a backup needs (see health.h).
 */
#include "health.h"

#include "api.h"
#include "cleanup.h"
#include "clock.h"
#include "gather.h"
#include "json-cleanup.h"
#include "parse.h"

#include <string.h>

static const char *text_of(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key)) ?: "";
}

static json_int_t number_of(const json_t *object, const char *key)
{
        return json_integer_value(json_object_get(object, key));
}

/* members are taken. */
static int add(json_t *checks, const char *check, bool is_ok, json_t *members)
{
        CLEANUP(json_decref_p) json_t *owned = members;
        json_t *entry = json_pack("{s:s, s:s}", "check", check, "status", is_ok ? "ok" : "failed");

        if (!owned || json_object_update(entry, owned) < 0) {
                json_decref(entry);
                return -1;
        }
        return json_array_append_new(checks, entry);
}

static bool add_database(json_t *checks, const json_t *status)
{
        bool is_ok = strcmp(text_of(status, "database_state"), "ready") == 0;

        (void) add(checks, "database", is_ok,
                   json_pack("{s:s, s:s}", "state", text_of(status, "database_state"), "detail",
                             text_of(status, "database_error")));
        return is_ok;
}

static bool add_repositories(json_t *checks, const json_t *rows)
{
        bool all = true;
        const json_t *row;
        size_t i;

        json_array_foreach (rows, i, row) {
                bool is_ok = strcmp(text_of(row, "state"), "failed") != 0;

                all = all && is_ok;
                (void) add(checks, "repository", is_ok,
                           json_pack("{s:s, s:I, s:I, s:s}", "name", text_of(row, "name"),
                                     "free_bytes", number_of(row, "free_bytes"), "size_bytes",
                                     number_of(row, "size_bytes"), "detail",
                                     text_of(row, "error")));
        }
        return all;
}

/* One that waits to be enrolled is no failure. */
static bool add_nodes(json_t *checks, const json_t *rows)
{
        bool all = true;
        const json_t *row;
        size_t i;

        json_array_foreach (rows, i, row) {
                bool is_ok = strcmp(text_of(row, "state"), "enrolled") != 0 ||
                             json_is_true(json_object_get(row, "reachable"));

                all = all && is_ok;
                (void) add(checks, "node", is_ok,
                           json_pack("{s:s, s:s, s:s}", "name", text_of(row, "name"), "state",
                                     text_of(row, "state"), "detail", text_of(row, "error")));
        }
        return all;
}

static bool add_obligations(json_t *checks, const json_t *figures, uint64_t now_usec)
{
        uint64_t oldest = (uint64_t) number_of(figures, "oldest_obligation_usec");
        bool is_ok = oldest == 0 || now_usec < oldest ||
                     now_usec - oldest <= HEALTH_OBLIGATION_SEC * USEC_PER_SEC;

        (void) add(checks, "obligations", is_ok,
                   json_pack("{s:I, s:I, s:s}", "owed", number_of(figures, "obligations_owed"),
                             "oldest_usec", (json_int_t) oldest, "detail",
                             is_ok ? ""
                                   : "Something of a job that is over could not be undone for "
                                     "10 minutes: sendensectl obligation list"));
        return is_ok;
}

static json_t *last_backups(const json_t *figures)
{
        json_t *list = json_array();
        const json_t *row;
        size_t i;

        json_array_foreach (json_object_get(figures, "vm_figures"), i, row) {
                const json_t *usec = json_object_get(row, "last_backup_usec");

                (void) json_array_append_new(
                                list,
                                json_pack("{s:s, s:s, s:s?, s:o}", "vm", text_of(row, "vm"),
                                          "context_id", text_of(row, "context_id"), "backup_id",
                                          json_string_value(json_object_get(row, "last_backup")),
                                          "finished_usec",
                                          usec ? json_incref((json_t *) usec) : json_null()));
        }
        return list;
}

json_t *health_of(const json_t *gathered, uint64_t now_usec, bool *ret_is_ok)
{
        const json_t *figures = json_object_get(gathered, "figures");
        json_t *checks = json_array();
        bool is_ok;

        is_ok = add_database(checks, json_object_get(gathered, "status"));
        is_ok = add_repositories(checks, json_object_get(gathered, "repositories")) && is_ok;
        is_ok = add_nodes(checks, json_object_get(gathered, "nodes")) && is_ok;
        if (figures)
                is_ok = add_obligations(checks, figures, now_usec) && is_ok;
        *ret_is_ok = is_ok;
        return json_pack("{s:s, s:o, s:o}", "status", is_ok ? "ok" : "failed", "checks", checks,
                         "last_backups", last_backups(figures));
}

static void on_gathered(HubTask *task, const json_t *gathered)
{
        bool is_ok = false;
        json_t *body = health_of(gathered, clock_realtime_usec(), &is_ok);

        hub_answer(task, is_ok ? 200 : 503, body);
}

void api_health(HttpRequest *request, void *userdata)
{
        gather_start(request, userdata, on_gathered);
}
