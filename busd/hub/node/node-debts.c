/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The questions of one clean-up (see node-debts.h).
 */
#include "node/node-debts.h"

#include "cleanup.h"
#include "node/node-links.h"
#include "parse.h"
#include "text.h"

#include <errno.h>
#include <string.h>

#define ANSWER_LIMIT_USEC (10 * USEC_PER_SEC)

typedef struct Debts {
        NodeLinks *links;
        unsigned n_open; /* questions, and one until all are asked */
        json_t *lines;
        NodeDebtsDone done;
        void *userdata;
} Debts;

typedef struct Debtor {
        Debts *debts;
        char name[80];
} Debtor;

static void close_one(Debts *debts)
{
        if (--debts->n_open > 0)
                return;
        debts->done(debts->lines, debts->userdata);
        json_decref(debts->lines);
        free(debts);
}

/* Takes text, which may be NULL for want of memory. */
static void add_line(Debts *debts, char *text)
{
        if (text)
                (void) json_array_append_new(debts->lines, json_string(text));
        free(text);
}

static const char *text_of(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key)) ?: "";
}

static void tell_debt(const Debtor *debtor, const json_t *task)
{
        const char *why = text_of(task, "error");

        if (json_is_true(json_object_get(task, "in_place")))
                add_line(debtor->debts,
                         text_format("Node %s is not done with the restore of '%s' in place, job "
                                     "%" JSON_INTEGER_FORMAT "%s%s; it needs a login for %s",
                                     debtor->name, text_of(task, "vm"),
                                     json_integer_value(json_object_get(task, "id")),
                                     *why ? ": " : "", why, text_of(task, "vcenter_host")));
        else if (json_is_true(json_object_get(task, "owes_vm")))
                add_line(debtor->debts,
                         text_format("Node %s is not done with the new VM '%s' of job "
                                     "%" JSON_INTEGER_FORMAT "%s%s; it needs a login for %s",
                                     debtor->name, text_of(task, "vm"),
                                     json_integer_value(json_object_get(task, "id")),
                                     *why ? ": " : "", why, text_of(task, "vcenter_host")));
        else
                add_line(debtor->debts,
                         text_format("Node %s owes the removal of snapshot '%s' of %s, job "
                                     "%" JSON_INTEGER_FORMAT "%s%s; it needs a login for %s: POST "
                                     "/api/v1/snapshots/cleanup at the node, or another backup of "
                                     "the VM",
                                     debtor->name, text_of(task, "snapshot_name"),
                                     text_of(task, "vm"),
                                     json_integer_value(json_object_get(task, "id")),
                                     *why ? ": " : "", why, text_of(task, "vcenter_host")));
}

static void on_answer(const HttpAnswer *answer, void *userdata)
{
        Debtor *debtor = userdata;
        const json_t *task;
        size_t i;

        if (answer->error < 0 || answer->status != 200)
                add_line(debtor->debts, text_format("What node %s owes is not known: %s",
                                                    debtor->name, answer->why));
        else
                json_array_foreach (json_object_get(answer->body, "obligations"), i, task)
                        tell_debt(debtor, task);
        close_one(debtor->debts);
        free(debtor);
}

static void ask_one(uint64_t id, const char *name, void *userdata)
{
        Debts *debts = userdata;
        Debtor *debtor = malloc(sizeof(*debtor));
        int r = -ENOMEM;

        if (debtor) {
                *debtor = (Debtor){ .debts = debts };
                (void) snprintf(debtor->name, sizeof(debtor->name), "%s", name);
                r = node_links_ask(debts->links, id,
                                   &(NodeQuestion){ .method = "GET",
                                                    .path = "/api/v1/obligations",
                                                    .timeout_usec = ANSWER_LIMIT_USEC,
                                                    .done = on_answer,
                                                    .userdata = debtor });
        }
        if (r >= 0) {
                debts->n_open++;
                return;
        }
        add_line(debts, text_format("What node %s owes is not known: %s", name, strerror(-r)));
        free(debtor);
}

int node_debts_ask(NodeLinks *links, NodeDebtsDone done, void *userdata)
{
        Debts *debts = malloc(sizeof(*debts));

        if (!debts)
                return -ENOMEM;
        *debts = (Debts){
                .links = links,
                .n_open = 1,
                .lines = json_array(),
                .done = done,
                .userdata = userdata,
        };
        if (!debts->lines) {
                free(debts);
                return -ENOMEM;
        }
        node_links_each(links, ask_one, debts);
        close_one(debts);
        return 0;
}
