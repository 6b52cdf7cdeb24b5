/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Policies in the database. All store_… are StoreWork; request is a StoreRequest.
 *
 * A policy as it is answered: {Id, Name, Match: [pattern], Except: [pattern], Repository, RepositoryId, Node?, Calendar?, RandomizedDelayUSec,
 * Persistent, Enabled, FullEveryUSec?, KeepLast … KeepYearly, Principal, CreatedUSec, ChangedUSec, HeardUSec, LastRun?, LastRunUSec?,
 * LastRunKind?, LastRunCause?, LastRunState?, LastRunSummary?, LastSuccessUSec?}.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

typedef struct StoreRequest StoreRequest;
typedef struct st_mysql MYSQL;

enum {
        POLICIES_MAX = 200,
};

/* {Name, Principal, NowUSec, and of Match, Except, Repository, Node ("": none), Calendar ("": none), RandomizedDelayUSec, Persistent,
 * Enabled, FullEveryUSec (0: never), KeepLast … KeepYearly what is to be set} -> the policy. What is not given stays, or is what a
 * new one has. */
int store_policy_set(MYSQL *database, void *request);

/* {} -> {Policies: [...]}, by name */
int store_policy_list(MYSQL *database, void *request);

/* {Policy: name} -> the policy, with Runs: the newest 20, and the newest 20 that were left out since the first of them, each {Id, Kind,
 * Cause, State, Principal, CreatedUSec, FinishedUSec?, Summary?, Vms: [{Vm, ContextId, State, Full, BackupJob?, BackupId?,
 * DeleteJob?, Deleted, BeforeBytes?, AfterBytes?, Reason?}]} */
int store_policy_get(MYSQL *database, void *request);

/* {Policy, NowUSec} -> {Id, Name}. Its runs stay as history. */
int store_policy_remove(MYSQL *database, void *request);

/* {Id, NowUSec} -> {}: what its timer told until then is no concern any more. */
int store_policy_heard(MYSQL *database, void *request);

/* For the other rooms of the store: of the policy p, when the last run was over that backed something up and failed at nothing. What it
 * makes no backup of, since another job has the VM or it is of no vCenter, is no success. */
#define POLICY_LAST_SUCCESS                                                   \
        "(SELECT s.finished_usec FROM policy_runs s WHERE s.policy_id = p.id" \
        " AND s.kind = 'backup' AND s.state = 'completed' AND EXISTS"         \
        "  (SELECT 1 FROM policy_run_vms w WHERE w.run_id = s.id"             \
        "   AND w.state = 'completed' AND w.backup_job_id IS NOT NULL)"       \
        " ORDER BY s.id DESC LIMIT 1)"

/* The policy of that name, its row locked. NotFound. */
int policy_find(MYSQL *database, StoreRequest *request, const char *name, json_t **ret_policy);

/* All that are not removed, in a repository; 0: in all. */
int policy_rows(MYSQL *database, uint64_t repository_id, json_t **ret_policies);
