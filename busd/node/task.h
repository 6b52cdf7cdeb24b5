/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One backup or restore at the node: its row of the ledger, what memory knows beside it, and the questions the other rooms ask.
 * task-run.c moves it.
 */
#pragma once

#include "names.h"
#include "secret.h"
#include "task-state.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

typedef struct Node Node;

enum {
        TASK_DISKS_MAX = 60,
        TASK_WAITING_SIZE = 256,
};

typedef struct TaskDisk {
        uint32_t key;
        uint64_t bytes_done, bytes_total;
} TaskDisk;

/* The row: Job, Attempt, State, Request (without a password), Digest (of it), SnapshotName, OwesSnapshot, Look, Checked,
 * Snapshot and Copy (results of the units), IsRepeated (the snapshot step), Outcome, Ending, ErrorName, ErrorText, Warnings,
 * BootId, CreatedUSec, CopiedUSec. Of a restore (task-restore.h) Kind, NewUuid, OwesVm and PowerState; in place Swap (a
 * result), SwapBegan, PowerDone and IsUsed. With exports by TLS HasKeys. */
typedef struct Task {
        Node *node;
        json_t *row;
        uint64_t job, attempt;
        TaskState state;
        Secret *password; /* NULL after a restart, until somebody offers it again */
        Secret *refused; /* the last one that vCenter did not take; NULL when none was */
        Secret *keys; /* of its exports by TLS; NULL without, and after a restart that lost them */
        char unit[UNIT_NAME_SIZE]; /* of the step that is open; "" when none is */
        uint32_t process_id; /* of that unit's program; 0 when it is not known */
        unsigned n_calls; /* to systemd about it, not yet answered */
        bool is_closing; /* the unit is being stopped: nothing it does counts any more */
        bool is_closed; /* it is gone; the task goes on when no call is open */
        bool is_recovered; /* its step may be under way already */
        bool is_proven; /* a step of it went well with this password */
        bool has_newer_login; /* than the unit of its step may have */
        char waiting[TASK_WAITING_SIZE]; /* for what, before its snapshot; "" when it does not */
        unsigned n_tries; /* of the release */
        sd_event_source *timer; /* end of the hold, or the next try */
        TaskDisk disks[TASK_DISKS_MAX];
        unsigned n_disks;
        uint64_t told_usec; /* when progress was last told */
} Task;

/* Takes the reference of row. */
Task *task_new(Node *node, json_t *row);
Task *task_free(Task *task);

/* Members of the row, and of the request in it; "" and 0 when they are not there. */
const char *task_text(const Task *task, const char *key);
uint64_t task_number(const Task *task, const char *key);
const char *task_request(const Task *task, const char *key);
bool task_owes(const Task *task);
void task_set_owes(Task *task, bool owes);

enum {
        TASK_DEBT_SIZE = 400,
};

/* What it owes, for people: "The snapshot '…' of …", "The VM '…' of a restore". */
void task_debt(const Task *task, char ret_text[static TASK_DEBT_SIZE]);

/* Where its vCenter is and who logs in there, as members of the request: what place has, in the place of what was. */
bool task_place_differs(const Task *task, const json_t *place);
void task_set_place(Task *task, const json_t *place);

/* Sets a member; value is taken. */
void task_set(Task *task, const char *key, json_t *value);

/* The same of a text in which a name may have been cut within a letter. */
void task_set_text(Task *task, const char *key, const char *text);

/* What it waits for: before its snapshot, or copied, in place, for its hub, and what to do when that has lost it. "" when it does not
 * wait. */
void task_waits_for(const Task *task, char ret_text[static TASK_WAITING_SIZE]);

/* What the bus shows of it (a new reference): Id, Attempt, Vm, State, … */
json_t *task_show(const Task *task);

/* The same for a list of tasks: without what is long. */
json_t *task_show_briefly(const Task *task);

uint64_t task_bytes_done(const Task *task);
uint64_t task_bytes_total(const Task *task);

/* Of a datagram. false: not a disk of this task. */
bool task_progress(Task *task, uint32_t disk_key, uint64_t bytes_done, uint64_t bytes_total);
