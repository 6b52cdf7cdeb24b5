/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The questions (see gather.h).
 */
#include "gather.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "json-cleanup.h"

#include <string.h>

static const struct {
        const char *method, *member;
        bool is_long; /* a list, which is wanted whole */
} questions[] = {
        { "GetStatus", "status", false },
        { "ListRepositories", "repositories", true },
        { "ListNodes", "nodes", false },
        { "GetFigures", "figures", false },
};

enum {
        LIST_MAX = 1000,
};

typedef struct Gather {
        json_t *answers;
        size_t n_asked;
        Gathered done;
} Gather;

static void gather_free(void *state)
{
        Gather *gather = state;

        json_decref(gather->answers);
        free(gather);
}

static void ask(HubTask *task);

static void on_answer(HubTask *task, sd_bus_message *reply, const sd_bus_error *error)
{
        Gather *gather = task->state;
        const char *member = questions[gather->n_asked].member;

        if (error && strcmp(error->name, BUS_ERROR_DATABASE_UNAVAILABLE) != 0) {
                hub_refuse(task, error);
                return;
        }
        if (!error) {
                json_t *value = hub_read(reply);

                if (!value || json_object_set_new(gather->answers, member, value) < 0) {
                        hub_refuse(task, &hub_answer_unknown);
                        return;
                }
        }
        if (++gather->n_asked == ELEMENTSOF(questions))
                gather->done(task, gather->answers);
        else
                ask(task);
}

static void ask(HubTask *task)
{
        const Gather *gather = task->state;
        sd_bus_message *call = NULL;
        int r;

        r = hub_call_new(task, questions[gather->n_asked].method, &call);
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'a', "{sv}");
        if (r >= 0 && questions[gather->n_asked].is_long)
                r = sd_bus_message_append(call, "{sv}", "limit", "u", (uint32_t) LIST_MAX);
        hub_call_send(task, call, r, on_answer);
}

void gather_start(HttpRequest *request, Api *api, Gathered done)
{
        Gather *gather = calloc(1, sizeof(*gather));

        if (!gather || !(gather->answers = json_object())) {
                free(gather);
                http_request_refuse(request, 503, BUS_ERROR_BUSY, "Out of memory");
                return;
        }
        gather->done = done;
        hub_task_start(api, request, ask, gather, gather_free);
}
