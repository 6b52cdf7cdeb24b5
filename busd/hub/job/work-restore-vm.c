/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The restore of a whole VM into a vCenter (see work.h). The record tells what the VM was made of, all layers are read back unless
 * somebody does not want that, then the disks are mounted read-only on ports, as exports are, and a node makes the VM of them. It is
 * whole when the node says so; from the moment when that is written down it stays, and the node lets go of it. Until then it is owed: a
 * job that ends otherwise has the node remove it.
 */
#include "job/work.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "fault-point.h"
#include "image-run.h"
#include "job/export-tls.h"
#include "job/in-place-look.h"
#include "job/jobs.h"
#include "job/mount-job.h"
#include "job/node-follow.h"
#include "job/run-work.h"
#include "job/run.h"
#include "job/work-mount.h"
#include "json-cleanup.h"
#include "log.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static const json_t *target_of(const Job *job)
{
        return json_object_get(job->work, "target");
}

static const char *text_of(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key)) ?: "";
}

static const char *owes(const Job *job)
{
        return text_of(target_of(job), "name");
}

/* ── At the node ── */

static json_t *disks_of(const Job *job)
{
        json_t *disks = json_array();

        for (size_t i = 0; i < job->n_disks; i++) {
                const JobDisk *disk = job->disks + i;

                (void) json_array_append_new(
                                disks,
                                json_pack("{s:I, s:I, s:o}", "disk_key", (json_int_t) disk->key,
                                          "capacity_bytes", (json_int_t) disk->capacity_bytes,
                                          "source",
                                          export_tls_address(job, disk, UNIT_MOUNT_SERVICE)));
        }
        return disks;
}

static json_t *start_body(const Job *job)
{
        static const char *const same[] = { "folder",   "resource_pool", "host",      "datastore",
                                            "networks", "power_on",      "keep_macs", "force" };
        json_t *body = json_pack("{s:I, s:s, s:O, s:o}", "job_id", (json_int_t) job->id, "vm_name",
                                 text_of(target_of(job), "name"), "hardware", job->vm_state,
                                 "disks", disks_of(job));

        if (body && work_is_in_place(job) &&
            json_object_set_new(body, "in_place",
                                json_pack("{s:s, s:O*}", "instance_uuid",
                                          job_text(job, "InstanceUuid"), "keep_disks",
                                          json_object_get(target_of(job), "keep_disks"))) < 0) {
                json_decref(body);
                return NULL;
        }
        for (size_t i = 0; body && i < ELEMENTSOF(same); i++) {
                json_t *value = json_object_get(target_of(job), same[i]);

                if (value)
                        (void) json_object_set(body, same[i], value);
        }
        return body;
}

/* Of one value: all of them together fit into one of a row. */
#define TOLD_MAX_BYTES (128 * (size_t) 1024)

/* What the job keeps of what was made. NULL: no memory. */
static json_t *made(const Job *job, const json_t *task)
{
        static const struct {
                const char *key, *of_task;
                bool is_text;
        } told[] = {
                { "instance_uuid", "new_instance_uuid", true },
                { "moref", "new_moref", true },
                { "path", "new_path", true },
                { "left_out", "left_out", false },
                { "warnings", "warnings", false },
                { "in_place", "in_place", false },
                { "kept_files", "kept_files", false },
        };
        json_t *result = json_pack("{s:s, s:s, s:s, s:s, s:I}", "vm",
                                   text_of(target_of(job), "name"), "instance_uuid", "", "moref",
                                   "", "path", "", "disks", (json_int_t) job->n_disks);

        for (size_t i = 0; result && i < ELEMENTSOF(told); i++) {
                json_t *value = json_object_get(task, told[i].of_task);

                if (!value || (told[i].is_text && !json_is_string(value)))
                        continue;
                if (!node_follow_fits(value, TOLD_MAX_BYTES))
                        (void) job_log(job, NULL, LOG_WARNING, 0, MESSAGE_NONE,
                                       "Node %s tells the %s of the restore at a length of more "
                                       "than 128 KiB; the job is without it",
                                       job_text(job, "Node"), told[i].key);
                else if (json_object_set(result, told[i].key, value) < 0) {
                        json_decref(result);
                        return NULL;
                }
        }
        return result;
}

/* Zeroes are not sent, and the last that a node told may have been lost. */
static void all_is_done(Job *job)
{
        for (size_t i = 0; i < job->n_disks; i++)
                job->disks[i].bytes_done = job->disks[i].bytes_total = job->disks[i].capacity_bytes;
        job->is_dirty = true;
}

static void on_whole(Job *job, const json_t *task)
{
        CLEANUP(json_decref_p) json_t *result = made(job, task);
        const json_t *warning;
        size_t i;

        if (!result) {
                job_fail(job, BUS_ERROR_FAILED, "Out of memory");
                return;
        }
        json_array_foreach (json_object_get(task, "warnings"), i, warning)
                (void) job_log(job, NULL, LOG_WARNING, 0, MESSAGE_NONE, "Node %s: %s",
                               job_text(job, "Node"), json_string_value(warning) ?: "");
        all_is_done(job);
        run_work_done(job, result);
}

static void fail_rebooted(Job *job)
{
        job_fail(job, BUS_ERROR_REBOOTED,
                 "The machine was started anew in the middle of it; ask for it again");
}

static void on_task(Job *job, const json_t *task)
{
        const char *state = text_of(task, "state");
        bool is_running = strcmp(state, "accepted") == 0 || strcmp(state, "copying") == 0;

        node_follow_progress(job, task);
        if (is_running && !mount_is_of_this_boot(job) &&
            !json_is_true(json_object_get(task, "swap_began")))
                fail_rebooted(job); /* what it reads is gone */
        else if (is_running) {
                const char *phase = work_is_in_place(job) ? "bringing the disks" : "making the VM";

                if (strcmp(job->phase, phase) != 0)
                        job_set_phase(job, phase);
                node_follow_again(job);
        } else if (!*text_of(task, "error_name") &&
                   (strcmp(state, "copied") == 0 || strcmp(state, "releasing") == 0 ||
                    strcmp(state, "released") == 0))
                /* One that was held for too long is released, and still whole. */
                on_whole(job, task);
        else {
                job->is_vm_untouched = json_is_false(json_object_get(task, "swap_began"));
                node_follow_failed(job, task);
        }
}

static const NodeFollow restore_follow = {
        .start_path = "/api/v1/restore/start",
        .unit = UNIT_VSPHERE_SERVICE,
        .step = "import",
        .exports = UNIT_MOUNT_SERVICE,
        .start_body = start_body,
        .on_task = on_task,
};

static void on_served(Job *job)
{
        job->is_at_node = job_was_accepted(job);
        job_set_phase(job, "asking the node");
        node_follow_begin(job, &restore_follow);
}

/* ── Before that ── */

static void serve(Job *job)
{
        job_set_phase(job, "mounting the disks");
        if (job->work_result)
                mount_take_up(job);
        else
                mount_serve(job);
}

static json_t *place(const Job *job, bool with_disks)
{
        CLEANUP(json_decref_p) json_t *spec = job_place(job), *keys = json_array();

        for (size_t i = 0; i < job->n_disks; i++)
                if (json_array_append_new(keys, json_integer(job->disks[i].key)) < 0)
                        return NULL;
        if (!spec || (with_disks && json_object_set(spec, "disk_keys", keys) < 0))
                return NULL;
        return TAKE(spec);
}

static void on_verified(Job *job, JobDisk *disk, const json_t *result, const char *name,
                        const char *text)
{
        json_int_t n = json_integer_value(json_object_get(result, "damaged"));

        (void) disk;
        if (!result)
                job_fail_unless_going_down(job, name, "The backup cannot be read back: %s", text);
        else if (n > 0)
                job_fail(job, BUS_ERROR_BACKUP_DAMAGED,
                         "%" JSON_INTEGER_FORMAT " layers of %s are damaged; sendensectl backup "
                         "verify %s says where. --damaged-ok restores it as it is",
                         n, job_text(job, "BackupId"), job_text(job, "BackupId"));
        else
                serve(job);
}

static void verify(Job *job)
{
        const ImageTask task = {
                .job = job->id,
                .step = "verify",
                .verb = "verify",
                .as_export_user = true,
        };

        job_set_phase(job, "verifying the backup");
        job_image(job, NULL, &task, place(job, true), on_verified);
}

static void on_record(Job *job, JobDisk *disk, const json_t *result, const char *name,
                      const char *text)
{
        json_t *hardware = json_object_get(result, "hardware");

        (void) disk;
        if (!result) {
                job_fail_unless_going_down(job, name, "The record of the backup cannot be read: %s",
                                           text);
                return;
        }
        if (!hardware) {
                job_fail(job, BUS_ERROR_NOT_ALLOWED,
                         "The record of %s does not say what the VM was made of; restore its disks "
                         "(sendensectl restore disks)",
                         job_text(job, "BackupId"));
                return;
        }
        json_decref(job->vm_state);
        job->vm_state = json_incref(hardware);
        if (!job->work_result && json_is_true(json_object_get(job->work, "verify")) &&
            work_is_in_place(job))
                in_place_look(job, verify);
        else if (!job->work_result && json_is_true(json_object_get(job->work, "verify")))
                verify(job);
        else
                serve(job);
}

static void read_record(Job *job)
{
        const ImageTask task = {
                .job = job->id,
                .step = "record",
                .verb = "record",
                .as_export_user = true,
                .timeout_usec = job_step_usec(job),
                .n_runs = IMAGE_RUNS,
        };

        job_set_phase(job, "reading the record");
        job_image(job, NULL, &task, place(job, false), on_record);
}

static void run(Job *job)
{
        int r = mount_load(job);

        if (r < 0) {
                mount_fail_load(job, r);
                return;
        }
        mount_of(job)->served = on_served;
        if (job->work_result && !mount_is_of_this_boot(job)) {
                /* The disks are gone, and yet the node may have read all of them before. */
                if (job_was_accepted(job))
                        on_served(job);
                else
                        fail_rebooted(job);
        } else if (job_was_accepted(job))
                serve(job);
        else
                read_record(job);
}

static void tick(Job *job, uint64_t now_usec)
{
        node_follow_tick(job, now_usec);
}

/* ── Its end ── */

static void on_steps_gone(Job *job)
{
        Mount *mount = mount_of(job);

        if (job->stop_failed && job->ending != JOB_STATE_INVALID)
                run_undo_again(job);
        else
                mount_stop(job, mount->stopped);
}

static void stop_here(Job *job)
{
        static const char *const steps[] = { "record", "verify", NULL };

        run_stop_steps(job, steps, NULL, on_steps_gone);
}

/* The node first: what it still reads would meet disks that are gone. */
static void stop(Job *job, void (*then)(Job *job))
{
        job->generation++;
        if (mount_load(job) < 0 && !mount_of(job)) {
                then(job);
                return;
        }
        if (job->state == JOB_FINISHING && job->ending == JOB_STATE_INVALID)
                all_is_done(job); /* also when it was another hub that saw it */
        mount_of(job)->stopped = then;
        mount_of(job)->is_stopping = true;
        if (!job->owes_release)
                stop_here(job);
        else if (job->ending == JOB_STATE_INVALID)
                run_release_kept(job, stop_here);
        else
                run_release_abandoned(job, stop_here);
}

const WorkKind work_restore_vm = {
        .type = JOB_RESTORE,
        .unit = UNIT_MOUNT_SERVICE,
        .phase = "being restored",
        .is_kept = true,
        .owes = owes,
        .owes_at_node = true,
        .run = run,
        .stop = stop,
        .on_unit = mount_on_unit,
        .tick = tick,
};
