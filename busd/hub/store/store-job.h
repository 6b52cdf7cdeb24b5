/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Jobs in the database: made, moved on, read. All are StoreWork; request is a StoreRequest. Whatever
 * changes a job names the state it expects and an event id of its own, so that a transaction sent twice
 * counts once.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

typedef struct st_mysql MYSQL;
typedef struct StoreRequest StoreRequest;

/* store-job-create.c: {Vm, Repository, BackupType, Principal, Sources?, Exclude?, Node?, NodesReachable, NowUSec, EventId,
 * IsIdempotent?, RetryOf?, RetryNumber?} -> the job as store_job_load_open has it; the one made before when EventId is known, which IsIdempotent wants
 * to be the same request. Without Sources a node is chosen. VmBusy with the open job's id. */
int store_job_create(MYSQL *database, void *request);

/* {Vm, Repository, BackupType, EventId, IsIdempotent} -> the job that the request made before, as store_job_create(); {} when it
 * made none. */
int store_job_find(MYSQL *database, void *request);

/* store-job-retry.c: {Count, BeforeUSec, AfterUSec} -> {Jobs: [{Job, Name, Vm (context id), Repository, BackupType, Principal, ErrorName,
 * RetryNumber, Node? (that was asked for), Exclude?}]}: backups by a node that failed between them, that have not been tried Count times, and whose VM had no
 * job since. */
int store_job_retries(MYSQL *database, void *request);

/* store-job-change.c */

/* {Id, From, To, EventId, Principal, Reason, NowUSec, DiskState?, Disks?: [{Id, State?, File?,
 * SizeBytes?, StoredBytes?, ErrorText?, ChangeId?, Reason?, Unit?, InvocationId?, BootId?}], Unit?, InvocationId?, BootId?, Obligations?: [{Kind, Subject, NodeId?}], ObligationsDone?: [kind],
 * StartedUSec?, FinishedUSec?, ErrorText?, ChangeIds?, WorkType?, WorkResult?, VmState?} -> {}. DiskState is for all disks that take part and are in no final state. -ESTALE when
 * the job is not in From, or is to end and To is neither final nor releasing. */
int store_job_advance(MYSQL *database, void *request);

/* {Id, From, Ending, ErrorName, ErrorText, EventId, Principal, Reason, NowUSec} -> {}. -ESTALE when the
 * job is not in From, or its end is decided. */
int store_job_decide(MYSQL *database, void *request);

/* store-job-read.c */

/* {Id?} -> {Jobs: [...]}: all that are open, or this one whatever its state is, with all that the runner needs. -ENODATA: there is none of that id.
 * Of all, those whose rows hold what cannot be read are {Unreadable: [{Id, Error (an errno's name)}]} instead */
int store_job_load_open(MYSQL *database, void *request);

/* {Limit, After?, State?, Vm?} -> {Jobs: [...]}, newest first, without disks and events */
int store_job_list(MYSQL *database, void *request);

/* {Id} -> the job with its Disks and its last STORE_LIST_MAX Events, oldest first */
int store_job_get(MYSQL *database, void *request);

/* {Limit, After?, Vm?, Repository?} -> {Backups: [...]}, newest first by their time; NotFound for an After that is no job */
int store_backup_list(MYSQL *database, void *request);

/* store-job-node.c, for store_job_create(): which node backs the VM up. NotFound, NodeUnreachable, NotAllowed. */
int job_choose_node(MYSQL *database, StoreRequest *request, uint64_t vm_id, uint64_t *ret_id);

/* The same of any node but for the one that is wanted (0: none): the named one, or those that answer. */
int job_choose_reachable(MYSQL *database, StoreRequest *request, uint64_t wanted, uint64_t *ret_id);

/* store-restore-vm.c, for store_job_work_create(): completes Work's target, and says which node does it. Besides {Vcenter?, Node?,
 * NodesReachable}. BackupDamaged, NotFound, NotAllowed, NodeUnreachable. */
int job_prepare_restore_vm(MYSQL *database, StoreRequest *request, const json_t *backup,
                           uint64_t *ret_node);

/* store-job-work.c: {Type, BackupId, Work, Principal, NowUSec, EventId} -> the job as store_job_load_open has it: one that works
 * on a backup that is there. VmBusy: what changes the chains of a VM is alone with it. GaveWay besides: the jobs that were cancelled for
 * it, queued verifications of a round (Work.due). */
int store_job_work_create(MYSQL *database, void *request);
#define JOB_GAVE_WAY_FORMAT "Job %" PRIu64 " deletes a backup of its VM; it is due again after that"

/* As store_job_find(). What a key of a caller was used for must be what is asked for now: Work.asked is a digest of it. */
int store_job_work_find(MYSQL *database, void *request);

/* For store_job_advance(): what came of it, {Id, WorkType?, WorkResult?}, and the rows that follow from that. */
int job_work_done(MYSQL *database, const json_t *in);

/* The first line in the history of a job whose node was asked for by name: a retry goes there, too. */
#define JOB_ASKED_AT_NODE "asked for, at this node"

/* store-job-create.c, for what makes jobs. 1: this very request has made its job already. */
int job_find_made(MYSQL *database, const StoreRequest *request, uint64_t *ret_id);
int job_insert_first_event(MYSQL *database, const StoreRequest *request, uint64_t job_id);
int job_answer(MYSQL *database, StoreRequest *request, uint64_t id);

/* For the other rooms of the store: a job as the runner needs it. */
int job_load(MYSQL *database, uint64_t id, json_t **ret_job);
