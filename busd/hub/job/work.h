/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Jobs about a backup that is there: one file work-<type>.c for each type says what its unit is given and what comes of it, and
 * run-work.c leads all of them from the queue to their end. What a type does not say is done the same way for all.
 */
#pragma once

#include "job/job.h"
#include "names.h"

#include <jansson.h>
#include <stdbool.h>

/* The kind of obligation that a half-made target of a restore is. */
#define JOB_OWES_TARGET "target"

typedef struct WorkVerdict {
        char name[JOB_ERROR_NAME_SIZE]; /* of the bus; empty: all is well */
        char text[JOB_ERROR_TEXT_SIZE];
} WorkVerdict;

typedef struct WorkKind {
        JobType type;
        UnitKind unit;
        const char *phase; /* for people, while the unit works */
        const char *program; /* absolute */
        const char *verb; /* NULL: none */
        bool is_repeatable; /* begun anew when it died without a word, or with the machine */
        /* Of such a type: whether this job must not be begun anew, and why. NULL: all may. */
        bool (*is_once)(const Job *job, WorkVerdict *ret_verdict);
        /* Whether its target is not there at the moment, so that it can neither be begun nor undone; the verdict says so. NULL: never. */
        bool (*is_away)(const Job *job, WorkVerdict *ret_verdict);
        bool wants_stream; /* cannot begin without that of who asked, which no row can hold */
        bool is_irrevocable; /* once begun it cannot be cancelled, only repeated */
        bool is_kept; /* from finishing on what it made stays, and it cannot be cancelled */
        /* Run to its end when a job that had begun fails or is cancelled; NULL: nothing is to be undone. */
        const char *undo_verb;

        /* Of a type that cannot always be taken back: whether what undid it says that it was brought to its end instead. Then the job
         * completes, whatever was decided before; and one that could not be brought to either end is tried again for as long as it
         * takes. NULL: what is undone is undone. */
        bool (*is_done_after_all)(const json_t *result);

        /* The user of the unit; NULL, or NULL returned: the packaged sandbox names it. */
        const char *(*user)(const Job *job);
        /* Adds to spec what the type wants beyond repository, repository_uuid, instance_uuid, backup_id, job and progress. */
        int (*fill)(const Job *job, json_t *spec);
        /* Appends what the unit may write; NULL: nothing. */
        int (*write_paths)(const Job *job, json_t *paths);
        /* The one device that the unit may open; NULL, or NULL returned: none. */
        const char *(*device)(const Job *job);
        /* What is to be undone, beyond the units: a text for people; NULL: nothing. Kind JOB_OWES_TARGET, or JOB_OWES_VM when it
         * is the job's node that has to undo it. */
        const char *(*owes)(const Job *job);
        bool owes_at_node;
        /* Whether what the unit found lets the job complete; its result is written down in any case. NULL: it does. */
        void (*judge)(const Job *job, const json_t *result, WorkVerdict *ret_verdict);

        /* A type that is more than one unit does it all by itself; then run() is all that of the above is used with type, phase and
         * owes. It ends with run_work_done() or job_fail(). stop() ends what runs, then then(). */
        void (*run)(Job *job);
        void (*stop)(Job *job, void (*then)(Job *job));
        void (*on_unit)(Job *job, const UnitName *name, const char *unit, const void *state);
        void (*tick)(Job *job,
                     uint64_t now_usec); /* CLOCK_MONOTONIC; every half second while it is copying */
} WorkKind;

/* NULL for a backup. */
const WorkKind *work_kind(const Job *job);

extern const WorkKind work_restore;
extern const WorkKind work_restore_vm; /* of a restore whose target is of kind "vm" */

/* Whether it exchanges the disks of the VM that is there; and whether it is known that it has not begun to. */
bool work_is_in_place(const Job *job);
bool work_left_vm_alone(const Job *job);

/* The obligations of the job that are done with it: a list of kinds. */
json_t *work_obligations_done(const Job *job);

/* As whom the unit of a restore runs, by what was decided when it was asked for. */
const char *restore_work_user(const json_t *work);
extern const WorkKind work_verify;
extern const WorkKind work_delete;
extern const WorkKind work_files;
