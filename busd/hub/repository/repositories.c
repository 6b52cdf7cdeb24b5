/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Looking at repositories (see repositories.h): one unit `sendense-repository-<id>-health` for each.
 */
#include "repository/repositories.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "clock.h"
#include "image-run.h"
#include "log.h"
#include "parse.h"
#include "repository/scan.h"
#include "store/store-call.h"
#include "store/store-repository.h"

#include <errno.h>
#include <string.h>
#include <systemd/sd-event.h>

#define LOOK_EVERY_USEC     (300 * USEC_PER_SEC)
#define LOOK_SOON_USEC      (100 * USEC_PER_MSEC)
#define HEALTH_TIMEOUT_USEC (30 * USEC_PER_SEC)

typedef struct Health {
        uint64_t id; /* 0: a free place */
        bool is_checking, is_scanning;
        bool is_known, is_ok;
        char error[512];
        uint64_t size_bytes, free_bytes, checked_usec;
} Health;

struct Repositories {
        Units *units;
        Store *store;
        sd_event_source *timer;
        bool is_going_down;
        Health all[REPOSITORIES_MAX];
};

typedef struct Check {
        Repositories *repositories;
        json_t *row;
        RepositoryAnswer answer;
        void *userdata;
} Check;

static Check *check_free(Check *check)
{
        json_decref(check->row);
        free(check);
        return NULL;
}

static uint64_t row_id(const json_t *row)
{
        return (uint64_t) json_integer_value(json_object_get(row, "Id"));
}

static Health *find(Repositories *repositories, uint64_t id, bool make)
{
        for (size_t i = 0; i < REPOSITORIES_MAX; i++)
                if (repositories->all[i].id == id)
                        return repositories->all + i;
        if (!make)
                return NULL;
        for (size_t i = 0; i < REPOSITORIES_MAX; i++)
                if (repositories->all[i].id == 0) {
                        repositories->all[i] = (Health){ .id = id };
                        return repositories->all + i;
                }
        return NULL;
}

void repositories_add_health(const Repositories *repositories, json_t *row)
{
        const Health *h = find((Repositories *) repositories, row_id(row), false);
        const char *state = !h || !h->is_known ? "unknown" : h->is_ok ? "ok" : "failed";

        (void) json_object_set_new(row, "State", json_string(state));
        if (!h || !h->is_known)
                return;
        (void) json_object_set_new(row, "CheckedUSec", json_integer((json_int_t) h->checked_usec));
        if (!h->is_ok) {
                (void) json_object_set_new(row, "Error", json_string(h->error));
                return;
        }
        (void) json_object_set_new(row, "SizeBytes", json_integer((json_int_t) h->size_bytes));
        (void) json_object_set_new(row, "FreeBytes", json_integer((json_int_t) h->free_bytes));
}

static uint64_t number(const json_t *object, const char *key)
{
        return (uint64_t) json_integer_value(json_object_get(object, key));
}

static void note_health(Health *h, const json_t *row, const json_t *result, const char *text)
{
        bool was_ok = h->is_ok || !h->is_known;
        const char *name = json_string_value(json_object_get(row, "Name"));

        h->is_known = true;
        h->is_ok = result != NULL;
        h->checked_usec = clock_realtime_usec();
        if (result) {
                h->size_bytes = number(result, "size_bytes");
                h->free_bytes = number(result, "free_bytes");
                if (!was_ok)
                        (void) log_event(LOG_NOTICE, 0, NULL, MESSAGE_REPOSITORY_OK,
                                         "Repository %s is usable again", name);
                return;
        }
        (void) snprintf(h->error, sizeof(h->error), "%s", text);
        if (was_ok)
                (void) log_event(LOG_ERR, 0, NULL, MESSAGE_REPOSITORY_FAILED,
                                 "Repository %s cannot be used: %s", name, text);
}

static void on_uuid_set(int error, const json_t *out, const char *name, const char *text,
                        void *userdata)
{
        Check *check = userdata;

        (void) out;
        if (error < 0)
                check->answer(NULL, name, text, check->userdata);
        else {
                repositories_add_health(check->repositories, check->row);
                check->answer(check->row, NULL, NULL, check->userdata);
        }
        check_free(check);
}

/* A repository that had no marker has one now; its row gets to know it before anything is written. */
static bool store_uuid(Check *check, const json_t *result)
{
        json_t *uuid = json_object_get(result, "repository_uuid");

        if (!json_is_string(uuid) || json_object_get(check->row, "RepositoryUuid"))
                return false;
        return store_call(check->repositories->store, store_repository_set_uuid,
                          json_pack("{s:I, s:O}", "Id", (json_int_t) row_id(check->row),
                                    "RepositoryUuid", uuid),
                          on_uuid_set, check) >= 0;
}

static void on_health(const json_t *result, const char *unit, const char *name, const char *text,
                      void *userdata)
{
        Check *check = userdata;
        Health *h = find(check->repositories, row_id(check->row), false);

        (void) unit;
        if (h)
                h->is_checking = false;
        if (h && !check->repositories->is_going_down) {
                note_health(h, check->row, result, text);
        }
        if (result && store_uuid(check, result))
                return;
        repositories_add_health(check->repositories, check->row);
        check->answer(result ? check->row : NULL, name, text, check->userdata);
        check_free(check);
}

json_t *repository_place(const json_t *row)
{
        json_t *place = json_pack("{s:O}", "repository", json_object_get(row, "Path")),
               *uuid = json_object_get(row, "RepositoryUuid");

        if (place && uuid)
                (void) json_object_set(place, "repository_uuid", uuid);
        return place;
}

int repositories_check(Repositories *repositories, const json_t *row, RepositoryAnswer answer,
                       void *userdata)
{
        const ImageTask task = {
                .repository_id = row_id(row),
                .step = "health",
                .verb = "health",
                .write_path = json_string_value(json_object_get(row, "Path")),
                .timeout_usec = HEALTH_TIMEOUT_USEC,
        };
        Health *h = find(repositories, row_id(row), true);
        Check *check;
        int r;

        if (!h)
                return -ENOBUFS;
        if (h->is_checking)
                return -EBUSY;
        check = malloc(sizeof(Check));
        if (!check)
                return -ENOMEM;
        *check = (Check){
                .repositories = repositories,
                .row = json_deep_copy(row),
                .answer = answer,
                .userdata = userdata,
        };
        h->is_checking = true;
        r = check->row ? image_run(repositories->units, &task, repository_place(row), on_health,
                                   check)
                       : -ENOMEM;
        if (r < 0) {
                h->is_checking = false;
                check_free(check);
        }
        return r;
}

bool repositories_begin_scan(Repositories *repositories, uint64_t id)
{
        Health *h = find(repositories, id, true);

        if (!h || h->is_scanning)
                return false;
        h->is_scanning = true;
        return true;
}

void repositories_end_scan(Repositories *repositories, uint64_t id)
{
        Health *h = find(repositories, id, false);

        if (h)
                h->is_scanning = false;
}

void repositories_forget(Repositories *repositories, uint64_t id)
{
        Health *h = find(repositories, id, false);

        if (h)
                *h = (Health){};
}

static void on_looked_at(const json_t *row, const char *name, const char *text, void *userdata)
{
        (void) row, (void) name, (void) text, (void) userdata; /* note_health() has said it */
}

static void on_rows(int error, const json_t *out, const char *name, const char *text,
                    void *userdata)
{
        Repositories *repositories = userdata;
        json_t *row;
        size_t i;

        (void) name, (void) text;
        if (error < 0)
                return; /* the next look */
        json_array_foreach (json_object_get(out, "Repositories"), i, row) {
                int r = repositories_check(repositories, row, on_looked_at, NULL);

                if (r < 0 && r != -EBUSY)
                        (void) log_warning(r, "Cannot look at a repository: %m");
        }
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        Repositories *repositories = userdata;
        int r;

        (void) usec;
        if (store_status(repositories->store)->state == DATABASE_READY)
                (void) store_call(repositories->store, store_repository_list, json_object(),
                                  on_rows, repositories);
        r = sd_event_source_set_time_relative(source, LOOK_EVERY_USEC);
        return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

void repositories_going_down(Repositories *repositories)
{
        if (repositories)
                repositories->is_going_down = true;
}

void repositories_look(Repositories *repositories)
{
        if (sd_event_source_set_time_relative(repositories->timer, LOOK_SOON_USEC) >= 0)
                (void) sd_event_source_set_enabled(repositories->timer, SD_EVENT_ONESHOT);
}

int repositories_new(sd_event *event, Units *units, Store *store, Repositories **ret_repositories)
{
        Repositories *repositories = malloc(sizeof(Repositories));
        int r;

        if (!repositories)
                return -ENOMEM;
        *repositories = (Repositories){ .units = units, .store = store };
        r = sd_event_add_time_relative(event, &repositories->timer, CLOCK_MONOTONIC,
                                       LOOK_EVERY_USEC, 0, on_timer, repositories);
        if (r < 0) {
                free(repositories);
                return r;
        }
        *ret_repositories = repositories;
        return 0;
}

Repositories *repositories_free(Repositories *repositories)
{
        if (!repositories)
                return NULL;
        sd_event_source_disable_unref(repositories->timer);
        free(repositories);
        return NULL;
}
