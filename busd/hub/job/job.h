/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One open job: what its rows say, and what it waits for. jobs.c owns them; run-*.c moves them on.
 * The database is the truth: a job changes its state here only after the transaction that says so.
 */
#pragma once

#include "job-types.h"
#include "log.h"
#include "names.h"
#include "store/store.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Job Job;
typedef struct Jobs Jobs;
typedef struct NodeFollow NodeFollow;
typedef struct NodeRelease NodeRelease;

enum {
        JOB_ERROR_NAME_SIZE = 96,
        JOB_ERROR_TEXT_SIZE = 1024,
        JOB_REASON_SIZE = 1024,
        JOB_DISKS_MAX = 256,
        EXPORT_NAME_SIZE = 96,
        EVENT_ID_SIZE = 33,
};

typedef struct JobDisk {
        json_t *row; /* borrowed from the job's row */
        uint64_t id;
        uint32_t key;
        char text[12]; /* the key, for the journal */
        DiskState state;
        BackupType type;
        uint64_t capacity_bytes;
        char file[512]; /* below the repository, sealed name */

        /* Its export. */
        uint16_t port; /* 0: no lease */
        unsigned n_port_attempts;
        char export_name[EXPORT_NAME_SIZE];
        char invocation_id[33]; /* of the server that answered the handshake */
        uint32_t process_id;
        bool is_direct; /* its file can be written past the page cache */
        bool is_exported; /* answered */
        bool is_starting; /* has a new lease, and its units are to be started */
        bool is_probing;
        uint64_t answered_usec; /* CLOCK_MONOTONIC */
        uint64_t asked_usec; /* CLOCK_MONOTONIC: for its export */
        uint64_t ask_due_usec; /* CLOCK_MONOTONIC: when it is asked again which server it is; 0: not */
        unsigned ask_generation; /* and what is awaited then */
        void (*ask_then)(Job *job, struct JobDisk *disk);
        char dead_id[33]; /* the last of its servers whose death was counted */

        uint64_t bytes_done;
        uint64_t bytes_total; /* that a node has to read of it; 0: not known, so all of it */
        uint64_t size_bytes; /* of the image, when finished */
        uint64_t stored_bytes; /* what it takes up */
} JobDisk;

/* How far the unit of a job about a backup says it is with a disk. */
typedef struct JobProgress {
        uint32_t disk_key;
        uint64_t done, total; /* bytes */
} JobProgress;

/* Told once whether a cancellation is written down: 0, or why not (yet). */
typedef void (*JobCancelled)(int error, void *userdata);

typedef void (*JobWritten)(Job *job, int error, const json_t *out);

/* The one transaction that is under way, kept until the database has it. */
typedef struct JobWrite {
        StoreWork work;
        json_t *in;
        JobWritten written;
        bool is_open; /* there is one */
        bool is_submitted; /* and the store has it */
        unsigned n_held_up; /* how often the database did not take it, though it answered */
        uint64_t due_usec; /* CLOCK_MONOTONIC: not before */
        char phase[64]; /* what the job does, when it can be written */
} JobWrite;

struct Job {
        Jobs *jobs;
        uint64_t id;
        JobType type;
        json_t *row;
        JobState state;
        uint64_t state_usec; /* CLOCK_MONOTONIC: since when, as far as this hub has seen */
        JobState ending; /* JOB_FAILED or JOB_CANCELLED once decided, JOB_STATE_INVALID before */
        JobDisk *disks; /* none, of a job about a backup that is there */
        size_t n_disks;

        bool is_recovered; /* its units may be there already */
        bool is_removed; /* freed when nothing points to it any more */
        bool is_space_taken; /* what it is expected to take up is promised to it */
        bool is_waiting_for_room; /* others have been promised it */
        uint64_t room_due_usec; /* CLOCK_MONOTONIC: when it looks for room again; 0: not waiting */
        bool is_copy_started;
        bool is_collected; /* its copy's result is taken */
        bool is_copying_at_node; /* as the node says, which answers */
        bool is_still; /* was said to stand still */
        uint64_t moved_usec; /* CLOCK_MONOTONIC: when it was last further than before */
        bool files_owed; /* could not be removed */
        bool has_obligations;
        unsigned generation; /* of what is awaited: older answers are for nobody */
        unsigned n_tickets; /* answers that will come and point here */
        unsigned n_waiting; /* of the step that is being done */
        void (*after_stop)(Job *job); /* what follows when its units are gone */
        bool stop_failed;
        char stop_text[256]; /* why the first of its steps cannot be stopped */
        bool is_ending_exports; /* a death of one is wanted, however it looks */

        bool has_error; /* decided to end, the decision not written yet */
        bool wants_cancel;
        bool is_undecidable; /* the database refuses to write it */
        char error_name[JOB_ERROR_NAME_SIZE];
        char error_text[JOB_ERROR_TEXT_SIZE];
        char principal[64]; /* who cancels */
        JobCancelled cancelled; /* and waits for that to be written; NULL: nobody */
        void *cancelled_userdata;

        json_t *vm_state; /* what the VM was at its snapshot; NULL: not known */

        /* Its part at a node, and what is owed there; node-follow.c, run-release.c. */
        const NodeFollow *follow; /* NULL before that */
        uint64_t node_id; /* 0: copied here */
        bool is_at_node; /* the node has accepted it */
        bool is_asking; /* an answer of the node will come */
        bool is_start_on_way; /* and it is to its start */
        bool is_start_lost; /* the last start that was sent has no answer: it may come late */
        bool was_start_lost; /* one of them had none: its node may know the job */
        bool undo_waits; /* for that answer */
        bool owes_release; /* there may be a snapshot of it, or a VM that it makes */
        uint64_t ask_due_usec; /* CLOCK_MONOTONIC; 0: nothing is to be asked */
        uint64_t lost_usec; /* since when the node does not answer; 0: it does */
        NodeRelease *release;
        json_t *copied; /* what the node said when all was copied, while it is asked for its sums; NULL: it has not */
        size_t n_sums_asked; /* disks of which it was */
        uint64_t sums_lost_usec; /* CLOCK_MONOTONIC: since when it does not tell them; 0: it does */

        /* Its work, of a job about a backup that is there; work.h. */
        json_t *work; /* what was asked */
        json_t *work_result; /* NULL: not known yet */
        JobProgress *progress;
        size_t n_progress;
        unsigned n_runs; /* of its unit */
        bool is_unbegun; /* its unit says that it has changed nothing */
        bool is_undoing; /* the unit that runs undoes */
        bool is_vm_untouched; /* its node says that no disk of the VM was exchanged */
        bool is_given_up; /* what it began is neither undone nor brought to its end any more */
        int stream; /* of who asked for files, until its unit has it; -1: none, or its hub is no more */
        void *state_of_work; /* of a type that has one; freed with the job */

        JobWrite write;
        void *advance; /* what follows the change of state that is under way */
        unsigned n_undo_attempts;
        uint64_t undo_due_usec; /* CLOCK_MONOTONIC; 0: not waiting */
        uint64_t finished_usec; /* CLOCK_MONOTONIC, when final */
        char phase[64]; /* for people: what it does now */
        bool is_dirty; /* progress not announced yet */
};

/* The kinds of obligation that a snapshot and a half-made VM at vCenter are: its node removes them. */
#define JOB_OWES_SNAPSHOT "snapshot"
#define JOB_OWES_VM       "vm"

/* Who did it, when nobody asked for it. */
#define HUB_PRINCIPAL "hub"

/* Makes one from a row of job_load_open or job_create. Takes a reference. -EBADMSG for a row that does
 * not hold what a job needs. */
int job_new(Jobs *jobs, json_t *row, Job **ret_job);

/* Frees it, now or when the last answer has come. */
void job_remove(Job *job);

/* The job of a ticket has been answered. */
void job_ticket_done(Job *job);

JobDisk *job_find_disk(Job *job, uint32_t key);

/* Excluded disks are on the list and take part in nothing. */
bool job_disk_takes_part(const JobDisk *disk);
size_t job_n_disks_taking_part(const Job *job);

/* A text of the row, "" when absent. Borrowed. */
const char *job_text(const Job *job, const char *key);
const char *disk_text(const JobDisk *disk, const char *key);

/* The vCenter that its node logs in to: the VM's, or the one that a restore was asked for. 0: none. */
uint64_t job_credential(const Job *job);

/* Its node has said so, and it is written down. */
bool job_was_accepted(const Job *job);

uint64_t job_bytes_done(const Job *job);
uint64_t job_bytes_total(const Job *job);

/* Its unit has it, or never will. */
void job_close_stream(Job *job);

void job_set_phase(Job *job, const char *phase);

/* It is further than before, or has begun with something else. */
void job_moved(Job *job);

/* What the journal's lines about the job carry; disk may be NULL. */
LogContext job_context(const Job *job, const JobDisk *disk);

/* One line of the journal about the job, with its fields; gives error. */
#define job_log(about, of_disk, level, error, message, ...)                     \
        ({                                                                      \
                const LogContext _context = job_context((about), (of_disk));    \
                log_event((level), (error), &_context, (message), __VA_ARGS__); \
        })

/* 32 hex digits that nobody has used. */
int event_id_make(char ret_id[static EVENT_ID_SIZE]);
