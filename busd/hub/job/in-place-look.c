/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The look before the reading (see in-place-look.h).
 */
#include "job/in-place-look.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "job/jobs.h"
#include "job/run.h"
#include "json-cleanup.h"
#include "node/nodes.h"
#include "node/vcenter-ask.h"
#include "store/store-call.h"
#include "store/store-vcenter.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct Question {
        Job *job;
        unsigned generation;
        void (*then)(Job *job);
} Question;

static const char *text_of(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key)) ?: "";
}

static bool is_awaited(const Question *question)
{
        const Job *job = question->job;

        return !job->is_removed && !job->jobs->is_going_down &&
               question->generation == job->generation;
}

static void end(Question *question)
{
        Job *job = question->job;

        free(question);
        job_ticket_done(job);
}

/* What is not clear from here the node finds out. */
static void go_on(Question *question)
{
        if (is_awaited(question))
                question->then(question->job);
        end(question);
}

static void judge(Job *job, const json_t *vm, void (*then)(Job *job))
{
        const char *power = text_of(vm, "power_state");
        const json_t *snapshots = json_object_get(vm, "snapshots");

        if (*power && strcmp(power, "poweredOff") != 0)
                job_fail(job, BUS_ERROR_VM_NOT_USABLE,
                         "%s is switched on (%.40s); switch it off; nothing is restored into a VM "
                         "that runs",
                         job_text(job, "Vm"), power);
        else if (json_array_size(snapshots) > 0)
                job_fail(job, BUS_ERROR_VM_NOT_USABLE,
                         "%s has %zu snapshots, '%.60s' among them; remove them, or restore it as "
                         "a new VM: they are of the disks that it has now",
                         job_text(job, "Vm"), json_array_size(snapshots),
                         text_of(json_array_get(snapshots, 0), "name"));
        else
                then(job);
}

static void on_found(const VcenterAnswer *answer, void *userdata)
{
        Question *question = userdata;
        const json_t *vm = json_array_get(json_object_get(answer->body, "vms"), 0);

        if (answer->error >= 0 && vm && is_awaited(question)) {
                judge(question->job, vm, question->then);
                end(question);
                return;
        }
        if (answer->error < 0 && answer->name && is_awaited(question) &&
            strcmp(answer->name, BUS_ERROR_VM_MISSING) == 0) {
                job_fail(question->job, answer->name, "%s", answer->text ?: "The VM is gone");
                end(question);
                return;
        }
        go_on(question);
}

static void on_login(int error, const json_t *out, const char *name, const char *text,
                     void *userdata)
{
        Question *question = userdata;
        Nodes *nodes = question->job->jobs->nodes;
        json_t *body = NULL;
        char why[256];

        (void) text;
        if (error < 0 || !is_awaited(question) ||
            vcenter_ask_body(nodes_key(nodes), out, &body, &name, why) < 0) {
                go_on(question);
                return;
        }
        if (json_object_set_new(body, "instance_uuid",
                                json_string(job_text(question->job, "InstanceUuid"))) < 0) {
                json_decref(body);
                go_on(question);
                return;
        }
        vcenter_ask(nodes_links(nodes), question->job->node_id, "discover", body, on_found,
                    question);
}

void in_place_look(Job *job, void (*then)(Job *job))
{
        Question *question = malloc(sizeof(*question));
        int r = -ENOMEM;

        if (question) {
                *question = (Question){ job, job->generation, then };
                job_set_phase(job, "looking at the VM");
                r = store_call(job->jobs->store, store_vcenter_get,
                               json_pack("{s:o}", "Vcenter",
                                         json_sprintf("%" PRIu64, job_credential(job))),
                               on_login, question);
        }
        if (r >= 0) {
                job->n_tickets++;
                return;
        }
        free(question);
        then(job);
}
