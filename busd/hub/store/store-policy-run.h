/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs of policies in the database: begun, led on, ended. All are StoreWork; request is a StoreRequest. What has begun is in the rows
 * before anything follows it, and each change names the state it expects, so that it may be sent twice.
 */
#pragma once

#include <jansson.h>

typedef struct st_mysql MYSQL;

/* {Policy, Kind, Cause, Principal, NowUSec} -> {Run, Policy: name, Vms: how many, Skipped: boolean}. While a run of the policy is
 * open: Busy when somebody asked; else it is written down as skipped. */
int store_policy_run_begin(MYSQL *database, void *request);

/* {} -> {Runs: [{Id, PolicyId, Policy, IsRemoved, Kind, Repository, RepositoryId, Node?, CreatedUSec, Open, Vms: [{Vm (id), ContextId, Name, State, IsFull,
 * BackupJob?, BackupState?, BackupErrorName?, BackupErrorText?, BackupFinishedUSec?, RetryNumber?, RetryJob?, DeleteJob?,
 * DeleteState?, DeleteErrorText?, DeleteResult?, BeforeBytes?}]}]}: those that are open, of each as many VMs as are worked on at a time. */
int store_policy_run_load(MYSQL *database, void *request);

/* {Run, Vm, From, State, BackupJob?, DeleteJob?, Deleted?: how many more, BeforeBytes?: the first counts, AfterBytes?: the last, Reason?} -> {}. -ESTALE when the
 * VM is not in From. */
int store_policy_run_vm(MYSQL *database, void *request);

/* {Run, NowUSec} -> {Policy, State, Summary}: when no VM of it is open any more. -ESTALE. */
int store_policy_run_end(MYSQL *database, void *request);

/* store-policy-look.c: {Policy: name, Vm?: as in meant VMs} or {Run, Vm: number} -> {Vms: [{Vm (number), Name, ContextId, BackupJob?: of the run, RepositoryId,
 * Repository, Policies: [policy], Backups: [{Job, BackupId, CreatedUSec, SizeBytes, Damaged, IsPartial: 0 or 1}], Owed: how many deletions are half done}]}:
 * what decides which backups of its VMs stay. Policies are all of that repository that mean the VM; backups the newest first. */
int store_policy_look(MYSQL *database, void *request);

/* For the rooms of runs: rows of the VMs that a policy means, {Vm (number), ContextId, InstanceUuid, Name, Path, CredentialId?}. */
int policy_vms(MYSQL *database, const json_t *policy, json_t **ret_vms);
