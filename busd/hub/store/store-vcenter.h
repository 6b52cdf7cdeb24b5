/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vCenters in the database: where each is, and how one logs in. A password is here only sealed. All store_… are StoreWork;
 * request is a StoreRequest.
 */
#pragma once

#include <jansson.h>

typedef struct StoreRequest StoreRequest;
typedef struct st_mysql MYSQL;

/* {Name, Host, Port, User, PasswordSealed (hex), CertificateSha256? (64 hex digits), Node? (name or id), NowUSec} -> {Id}.
 * Exists: the name is taken. */
int store_vcenter_add(MYSQL *database, void *request);

/* {} -> {Vcenters: [{Id, Name, Host, Port, User, CertificateSha256?, NodeId?, Node?, CreatedUSec, ChangedUSec, Vms}]}, by
 * name. No password in any form. */
int store_vcenter_list(MYSQL *database, void *request);

/* {Vcenter: name or id} -> a row as above, without Vms and with PasswordSealed: for who logs in, never for the bus. */
int store_vcenter_get(MYSQL *database, void *request);

/* {Vcenter} -> a row as in the list. */
int store_vcenter_show(MYSQL *database, void *request);

/* {Vcenter, PasswordSealed, User?, CertificateSha256?, NowUSec} -> {Id, Name}: what is not given stays. */
int store_vcenter_rotate(MYSQL *database, void *request);

/* {Vcenter, Force} -> {Id, Name, Vms}. Busy while VMs refer to it, unless Force: they are then as if entered by hand. */
int store_vcenter_remove(MYSQL *database, void *request);

/* {Vm: as store_vm_get()} -> {InstanceUuid, Name, NodeId?, Vcenter: as store_vcenter_get()}: who looks at a VM, and how. NodeId: of
 * the VM, or of its vCenter. NotAllowed: it is of no vCenter. */
int store_vcenter_of_vm(MYSQL *database, void *request);

/* {Enter, CredentialId, NowUSec, Vms: [as store_vm_set()]} -> {Contexts: {uuid: ContextId}} of those that are known, which
 * are all when they are entered. One transaction: keep them few. */
int store_vcenter_vms(MYSQL *database, void *request);

/* The row of what {Vcenter} of a request means, with PasswordSealed. For the other rooms of the store. */
int vcenter_find(MYSQL *database, StoreRequest *request, json_t **ret_row);
