/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Port leases in the database. All are StoreWork; request is a StoreRequest.
 */
#pragma once

typedef struct st_mysql MYSQL;

/* {Job, Leases: [{DiskId, Port, ExportName, Unit, BootId}], NowUSec} -> {}. All or none; a lease that a
 * disk of the job had before goes. PortTaken when another job holds one of the ports. */
int store_lease_take(MYSQL *database, void *request);

/* {Port, Job, InvocationId} -> {} */
int store_lease_set_invocation(MYSQL *database, void *request);

/* {Job} or {Job, Port} -> {} */
int store_lease_free(MYSQL *database, void *request);

/* {Limit?, After?: port} -> {Leases: [{Port, Job, DiskKey, ExportName, Unit, LeasedUSec}]} */
int store_lease_list(MYSQL *database, void *request);
