/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * VM contexts and their disks in the database. All store_… are StoreWork; request is a StoreRequest.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

typedef struct StoreRequest StoreRequest;
typedef struct st_mysql MYSQL;

/* {InstanceUuid, Name, Path, Disks: [{Key, UnitNumber, Controller, CapacityBytes, BackingUuid?}],
 * NowUSec, CredentialId?} -> {ContextId}. Makes it or brings it up to date; without a CredentialId it stays with the vCenter that it
 * is of. */
int store_vm_set(MYSQL *database, void *request);

/* {Limit, After?} -> {Vms: [...]}, newest first */
int store_vm_list(MYSQL *database, void *request);

/* {Vm: name, context id or instance UUID} -> {Id, ..., Disks: [...]} */
int store_vm_get(MYSQL *database, void *request);

/* The row of what {Vm} of a request means, without its disks. Refuses what is not
 * there, and a name that several have. For the other rooms of the store. */
int vm_find(MYSQL *database, StoreRequest *request, const char *vm, json_t **ret_row);

/* Its disks, those the VM still has. */
int vm_disks(MYSQL *database, uint64_t vm_id, json_t **ret_disks);
