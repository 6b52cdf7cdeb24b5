/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The steps of a job, one file for each state: run-prepare, run-export, run-node or run-copy,
 * run-finish, run-release, and run-undo for those that end otherwise. Each may be begun anew at any time: after a crash of the hub it
 * finds units, files and rows of the first time, and takes them over or makes them again.
 */
#pragma once

#include "job/job-state.h"
#include "job/job.h"
#include "job/ticket.h"
#include "parse.h"

typedef struct ImageTask ImageTask;

/* Begins what the state of the job asks for. */
void run_enter(Job *job);

void run_start(Job *job); /* out of the queue */
void run_prepare(Job *job);
bool run_prepare_waits(const Job *job); /* for room, until room_due_usec */
void run_prepare_again(Job *job);
void run_export(Job *job);
void run_export_again(Job *job); /* of a job that copies, after a reboot; then run_node() */
void run_copy(Job *job);
void run_node(Job *job); /* the copy, of a job that a node does */
void run_release(Job *job);
void run_finish(Job *job);
void run_undo(Job *job);
void run_undo_again(Job *job); /* after an attempt that failed */

/* Has the node give up what it did, within its time; then() comes in any case, with owes_release as it is. The other: has it keep
 * that, for a job that has no state of its own for it. */
void run_release_abandoned(Job *job, void (*then)(Job *job));
void run_release_kept(Job *job, void (*then)(Job *job));

/* The commit record exists: the rows follow. */
void run_committed(Job *job);

/* Ends target and slice of the job, which are nobody's children. */
void run_stop_groups(Job *job, void (*then)(Job *job));

/* Removes the tasks and results of its units. */
void run_remove_files(Job *job);

/* A unit of the job has changed; kind and disk are of its name. */
void run_export_on_unit(Job *job, JobDisk *disk, const UnitName *name, const char *unit,
                        const void *state);
void run_copy_on_unit(Job *job, const char *unit, const void *state);

/* Looks for the copy again, when systemd did not tell. */
void run_copy_tick(Job *job, uint64_t now_usec);

/* Asks exports that have not answered for a while. Every second. */
void run_export_probe(Job *job);

/* Ends the job as failed: the first reason counts. name is a bus error's. */
void job_fail(Job *job, const char *name, const char *format, ...)
                __attribute__((format(printf, 3, 4)));

/* The same for a death that a machine going down explains: asks systemd first. */
void job_fail_unless_going_down(Job *job, const char *name, const char *format, ...)
                __attribute__((format(printf, 3, 4)));

/* Whoever cancels it is told; nothing when nobody waits. */
void job_answer_cancel(Job *job, int error);

/* Writes down that the job ends, and how; then undoes it. */
void job_decide(Job *job);

/* One transaction. in gets Id, From, EventId, Principal and NowUSec, and is taken. Comes back when the
 * database has it, however long that takes; error is then none of the connection's and none that passes, as of a full disk. */
void job_write(Job *job, StoreWork work, json_t *in, const char *principal, JobWritten written);

/* Sends again what waits, if something does: now, or when its time has come. */
void job_write_again(Job *job);
void job_write_tick(Job *job, uint64_t now_usec);

/* The change of state that event makes, with its row of history; changes (taken, may be NULL) are added
 * to the transaction. Then then(). */
void job_advance_to(Job *job, JobEvent event, const char *reason, json_t *changes,
                    void (*then)(Job *job));

/* Runs sendense-image for the job; then gets its result or error. Fails the job when it cannot be
 * asked for. spec is taken, and gets what every verb wants. */
void job_image(Job *job, JobDisk *disk, const ImageTask *task, json_t *spec, JobResult then);

/* Ends what runs of these steps of sendense-image, whichever hub asked for it; then() follows when all of
 * it is gone, or with job->stop_failed when one cannot be ended. The lists end with NULL, and may be NULL:
 * steps of the job, and those of each disk. */
void run_stop_steps(Job *job, const char *const *steps, const char *const *disk_steps,
                    void (*then)(Job *job));

/* How long a step that touches a few small files may take. A repository that hangs must not hold a job up
 * for ever, nor its end: its files are owed then. */
uint64_t job_step_usec(const Job *job);

/* What create and finish are told about one image. NULL: no memory. */
json_t *job_image_spec(const JobDisk *disk, const char *path);

/* The answer of one of n_waiting; true with the last one. */
bool job_last_of_waiting(Job *job);

/* The parts that the specs of sendense-image share. */
json_t *job_place(const Job *job);

/* Absolute path of the disk's image while it is made. */
enum {
        JOB_PATH_SIZE = 1200,
        OWED_SIZE = 512, /* the subject of an obligation: its column, in bytes */
};
void job_image_path(const Job *job, const JobDisk *disk, char ret_path[static JOB_PATH_SIZE]);
