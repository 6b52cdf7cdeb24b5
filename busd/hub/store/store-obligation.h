/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Obligations in the database. All are StoreWork; request is a StoreRequest. They are made and ended
 * with the changes of their jobs (store-job.h); here they are found again, and ended later.
 */
#pragma once

typedef struct st_mysql MYSQL;

/* {Limit?, After?: id} -> {Obligations: [{Id, Kind, Subject, Job, Attempts, CreatedUSec, NextAttemptUSec, Error?, and what
 * undoing needs: State, Ending?, InstanceUuid, BackupId, RepositoryPath, RepositoryUuid?, DiskKeys, WasAccepted (by its node)}],
 * Owed}: those open by their ids; without Limit 1000 at most, those that are due the soonest; Owed is how many there are of jobs that are over. */
int store_obligation_list(MYSQL *database, void *request);

/* {} -> {Owed} */
int store_obligation_count(MYSQL *database, void *request);

/* {NodeId, NowUSec} -> {}: all that is owed there, at the hub itself with 0, is due now. */
int store_obligation_hurry(MYSQL *database, void *request);

/* {Id, NowUSec, Note?} -> {}: the note is added to the error of its job. */
int store_obligation_done(MYSQL *database, void *request);

/* {Id, NowUSec, EventId, Principal} -> {Job, Kind, Subject}: ended without being met, which the job's history tells. NotFound,
 * Busy while the job is open, NotAllowed for units, which the hub ends in any case. */
int store_obligation_forgive(MYSQL *database, void *request);

/* {Id, ErrorText, NextAttemptUSec} -> {} */
int store_obligation_failed(MYSQL *database, void *request);
