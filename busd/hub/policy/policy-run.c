/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The steps of policy-run.h. Jobs are begun with a key that follows from run and VM, so that a step that is taken twice makes one job.
 */
#include "policy/policy-run.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "clock.h"
#include "hub-config.h"
#include "job-types.h"
#include "job/begin.h"
#include "job/jobs.h"
#include "log.h"
#include "parse.h"
#include "policy-types.h"
#include "policy/policy-patience.h"
#include "policy/policy-plan.h"
#include "store/store-policy-run.h"
#include "utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
        REASON_SIZE = 1024,
        KEY_SIZE = 160,
};

typedef struct PolicyStep {
        PolicyStepper stepper;
        json_t *run, *vm;
        bool has_deleted; /* the deletion of the row is done, and not counted yet */
        json_t *before, *after; /* bytes of the VM's backups, as the last deletion has told; NULL: none has */
} PolicyStep;

static const char *text_of(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key)) ?: "";
}

static json_int_t number_of(const json_t *object, const char *key)
{
        return json_integer_value(json_object_get(object, key));
}

static void step_end(PolicyStep *step, bool is_changed)
{
        PolicyStepper stepper = step->stepper;

        json_decref(step->run);
        json_decref(step->vm);
        json_decref(step->before);
        json_decref(step->after);
        free(step);
        stepper.done(is_changed, stepper.userdata);
}

static PolicyStep *step_new(const PolicyStepper *stepper, const json_t *run, const json_t *vm)
{
        PolicyStep *step = malloc(sizeof(*step));

        if (step)
                *step = (PolicyStep){
                        .stepper = *stepper,
                        .run = json_incref((json_t *) run),
                        .vm = json_incref((json_t *) vm),
                };
        return step;
}

/* ── Rows ── */

static void on_written(int error, const json_t *out, const char *name, const char *text,
                       void *userdata)
{
        PolicyStep *step = userdata;

        (void) out, (void) name;
        if (error < 0 && error != -ESTALE && error != -ENOTCONN && error != -ETIMEDOUT &&
            error != -ECANCELED)
                (void) log_warning(error,
                                   "Cannot write down how run %" JSON_INTEGER_FORMAT
                                   " of policy %s stands: %s",
                                   number_of(step->run, "Id"), text_of(step->run, "Policy"),
                                   text ?: "");
        step_end(step, error >= 0);
}

/* more is taken, and may be NULL. */
static void write_vm(PolicyStep *step, PolicyVmState state, json_t *more)
{
        json_t *in = json_pack("{s:O, s:O, s:O, s:s, s:i, s:O*, s:O*}", "Run",
                               json_object_get(step->run, "Id"), "Vm",
                               json_object_get(step->vm, "Vm"), "From",
                               json_object_get(step->vm, "State"), "State",
                               policy_vm_state_to_string(state), "Deleted", step->has_deleted,
                               "BeforeBytes", step->before, "AfterBytes", step->after);

        if (more && json_object_update(in, more) < 0)
                json_decref(TAKE(in));
        json_decref(more);
        if (!in ||
            store_call(step->stepper.jobs->store, store_policy_run_vm, in, on_written, step) < 0)
                step_end(step, false);
}

static void end_vm(PolicyStep *step, PolicyVmState state, const char *format, ...)
                __attribute__((format(printf, 3, 4)));
static void end_vm(PolicyStep *step, PolicyVmState state, const char *format, ...)
{
        const LogContext context = { .vm = text_of(step->vm, "Name") };
        char reason[REASON_SIZE];
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(reason, sizeof(reason), format, ap);
        va_end(ap);
        utf8_make_valid(reason); /* a name in it may have been cut */
        (void) log_event(state == POLICY_VM_FAILED ? LOG_WARNING : LOG_NOTICE, 0, &context,
                         MESSAGE_NONE, "Policy %s, VM %s: %s", text_of(step->run, "Policy"),
                         context.vm, reason);
        write_vm(step, state, json_pack("{s:s}", "Reason", reason));
}

/* ── The backup ── */

static bool may_wait(const PolicyStep *step, const char *name)
{
        const HubConfig *config = step->stepper.jobs->config;
        uint64_t begun_usec = (uint64_t) number_of(step->run, "CreatedUSec");

        if (strcmp(name, BUS_ERROR_BUSY) == 0 || strcmp(name, BUS_ERROR_DATABASE_UNAVAILABLE) == 0)
                return true;
        return bus_error_passes(name) &&
               policy_is_patient(begun_usec, config->jobs_retries * config->jobs_retry_usec,
                                 clock_realtime_usec());
}

static void on_backup_begun(int error, const char *name, const char *text, uint64_t id,
                            const Job *job, void *userdata)
{
        PolicyStep *step = userdata;

        (void) job;
        if (error >= 0)
                write_vm(step, POLICY_VM_BACKUP, json_pack("{s:I}", "BackupJob", (json_int_t) id));
        else if (error == -ECANCELED || may_wait(step, name ?: ""))
                step_end(step, false);
        else if (strcmp(name ?: "", BUS_ERROR_VM_BUSY) == 0)
                end_vm(step, POLICY_VM_SKIPPED, "%s", text);
        else
                end_vm(step, POLICY_VM_FAILED, "%s", text ?: name);
}

static void begin_backup(PolicyStep *step)
{
        const json_t *run = step->run, *vm = step->vm;
        CLEANUP(json_decrefp) json_t *request = NULL;
        char key[KEY_SIZE], principal[96];

        (void) snprintf(key, sizeof(key), "run %" JSON_INTEGER_FORMAT " vm %" JSON_INTEGER_FORMAT,
                        number_of(run, "Id"), number_of(vm, "Vm"));
        (void) snprintf(principal, sizeof(principal), "policy:%s", text_of(run, "Policy"));
        request = json_pack("{s:O, s:O, s:s, s:s, s:s, s:O*}", "Vm",
                            json_object_get(vm, "ContextId"), "Repository",
                            json_object_get(run, "Repository"), "BackupType",
                            backup_type_to_string(number_of(vm, "IsFull") > 0 ? BACKUP_FULL
                                                                              : BACKUP_INCREMENTAL),
                            "Principal", principal, "IdempotencyKey", key, "Node",
                            json_object_get(run, "Node"));
        if (!request || job_begin(step->stepper.jobs, request, on_backup_begun, step) < 0)
                step_end(step, false);
}

static int follow_backup(const PolicyStepper *stepper, const json_t *run, const json_t *vm)
{
        JobState state = job_state_from_string(text_of(vm, "BackupState"));
        json_t *retry = json_object_get(vm, "RetryJob");
        PolicyStep *step;

        if (!job_state_is_final(state) ||
            (!retry &&
             policy_backup_is_tried_again(vm, stepper->jobs->config, clock_realtime_usec())))
                return 0;
        step = step_new(stepper, run, vm);
        if (!step)
                return 0;
        if (state == JOB_COMPLETED)
                write_vm(step, POLICY_VM_PRUNE, NULL);
        else if (retry)
                write_vm(step, POLICY_VM_BACKUP, json_pack("{s:O}", "BackupJob", retry));
        else
                end_vm(step, POLICY_VM_FAILED, "its backup (job %" JSON_INTEGER_FORMAT ") %s%s%s",
                       number_of(vm, "BackupJob"),
                       state == JOB_CANCELLED ? "was cancelled" : "failed",
                       *text_of(vm, "BackupErrorText") ? ": " : "", text_of(vm, "BackupErrorText"));
        return 1;
}

/* ── Old backups ── */

static void on_delete_begun(int error, const char *name, const char *text, uint64_t id,
                            const Job *job, void *userdata)
{
        PolicyStep *step = userdata;

        (void) job;
        if (error >= 0)
                write_vm(step, POLICY_VM_PRUNE, json_pack("{s:I}", "DeleteJob", (json_int_t) id));
        else if (error == -ECANCELED || strcmp(name ?: "", BUS_ERROR_BUSY) == 0 ||
                 strcmp(name ?: "", BUS_ERROR_DATABASE_UNAVAILABLE) == 0)
                step_end(step, false);
        else if (strcmp(name ?: "", BUS_ERROR_VM_BUSY) == 0)
                end_vm(step, POLICY_VM_COMPLETED, "nothing more is deleted this time: %s", text);
        else
                end_vm(step, POLICY_VM_FAILED, "an old backup cannot be deleted: %s", text ?: name);
}

static void begin_delete(PolicyStep *step, const json_t *row)
{
        CLEANUP(json_decrefp) json_t *request = NULL;
        char key[KEY_SIZE], principal[96];

        (void) snprintf(key, sizeof(key), "run %" JSON_INTEGER_FORMAT " delete %s",
                        number_of(step->run, "Id"), text_of(row, "BackupId"));
        (void) snprintf(principal, sizeof(principal), "policy:%s", text_of(step->run, "Policy"));
        request = json_pack("{s:s, s:O, s:{s:O, s:O}, s:s, s:s}", "Type",
                            job_type_to_string(JOB_DELETE), "BackupId",
                            json_object_get(row, "BackupId"), "Work", "policy",
                            json_object_get(step->run, "Policy"), "reason",
                            json_object_get(row, "Reason"), "Principal", principal,
                            "IdempotencyKey", key);
        if (!request || job_begin_work(step->stepper.jobs, request, on_delete_begun, step) < 0)
                step_end(step, false);
}

static void end_pruning(PolicyStep *step, const char *hindrance)
{
        if (hindrance)
                end_vm(step, POLICY_VM_COMPLETED, "nothing is deleted: %s", hindrance);
        else
                write_vm(step, POLICY_VM_COMPLETED, NULL);
}

static void on_looked(int error, const json_t *out, const char *name, const char *text,
                      void *userdata)
{
        const json_t *vm = json_array_get(json_object_get(out, "Vms"), 0), *row;
        CLEANUP(json_decrefp) json_t *rows = NULL;
        PolicyStep *step = userdata;

        (void) name;
        if (error < 0 || !vm || policies_plan(step->stepper.policies, vm, &rows) < 0) {
                if (error < 0 && error != -ENOTCONN && error != -ECANCELED && error != -ETIMEDOUT)
                        (void) log_warning(error, "Cannot look which backups of %s stay: %s",
                                           text_of(step->vm, "Name"), text ?: "");
                step_end(step, false);
                return;
        }
        row = policy_plan_next(rows);
        if (row)
                begin_delete(step, row);
        else
                end_pruning(step, policy_plan_hindrance(rows));
}

/* In blocks of the repository's disk, which the lengths of files are not. The first deletion of a run has what was before all. */
static void take_sizes(PolicyStep *step)
{
        CLEANUP(json_decrefp)
        json_t *result = json_loads(text_of(step->vm, "DeleteResult"), 0, NULL);

        step->before = json_incref(json_object_get(result, "bytes_before"));
        step->after = json_incref(json_object_get(result, "bytes_after"));
}

static int prune(const PolicyStepper *stepper, const json_t *run, const json_t *vm)
{
        JobState state = job_state_from_string(text_of(vm, "DeleteState"));
        PolicyStep *step;

        if (number_of(vm, "DeleteJob") > 0 && !job_state_is_final(state))
                return 0;
        step = step_new(stepper, run, vm);
        if (!step)
                return 0;
        step->has_deleted = state == JOB_COMPLETED;
        if (step->has_deleted)
                take_sizes(step);
        if (state == JOB_FAILED || state == JOB_CANCELLED)
                end_vm(step, POLICY_VM_FAILED, "a deletion (job %" JSON_INTEGER_FORMAT ") %s%s%s",
                       number_of(vm, "DeleteJob"),
                       state == JOB_CANCELLED ? "was cancelled" : "failed",
                       *text_of(vm, "DeleteErrorText") ? ": " : "", text_of(vm, "DeleteErrorText"));
        else if (number_of(run, "IsRemoved") > 0)
                end_vm(step, POLICY_VM_COMPLETED,
                       "nothing more is deleted: the policy was removed");
        else if (store_call(stepper->jobs->store, store_policy_look,
                            json_pack("{s:O, s:O}", "Run", json_object_get(run, "Id"), "Vm",
                                      json_object_get(vm, "Vm")),
                            on_looked, step) < 0)
                step_end(step, false);
        return 1;
}

int policy_step(const PolicyStepper *stepper, const json_t *run, const json_t *vm)
{
        PolicyStep *step;

        switch (policy_vm_state_from_string(text_of(vm, "State"))) {
        case POLICY_VM_WAITING:
                step = step_new(stepper, run, vm);
                if (!step)
                        return 0;
                if (number_of(run, "IsRemoved") > 0)
                        end_vm(step, POLICY_VM_SKIPPED, "the policy was removed");
                else
                        begin_backup(step);
                return 1;
        case POLICY_VM_BACKUP:
                return follow_backup(stepper, run, vm);
        case POLICY_VM_PRUNE:
                return prune(stepper, run, vm);
        case POLICY_VM_COMPLETED:
        case POLICY_VM_FAILED:
        case POLICY_VM_SKIPPED:
        case POLICY_VM_STATE_MAX:
        case POLICY_VM_STATE_INVALID:
                break;
        }
        return 0;
}
