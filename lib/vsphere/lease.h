/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The lease on a VM that is being imported: vCenter makes the VM and its empty disks, and gives an URL for each; whoever holds the lease
 * tells it now and then that he is still there, and completes or aborts it. A lease belongs to its session and ends with it, and with a
 * lease that ends without being completed goes the VM.
 */
#pragma once

#include "vsphere/place.h"
#include "vsphere/session.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct LeaseUrl {
        char *address; /* what follows the last slash of its key: "ParaVirtualSCSIController0:3" */
        char *target; /* its file */
        char *url;
        char *thumbprint; /* SHA-1 of the certificate of the host that the URL names; may be empty */
} LeaseUrl;

typedef struct Lease {
        VSphereRef ref; /* its value is empty: there is none */
        bool may_be; /* vCenter was asked for one: there may be a VM */
        unsigned generation; /* of the session that it belongs to */
        VSphereRef vm;
        LeaseUrl *urls; /* of disks */
        size_t n_urls;
} Lease;

/* Asks for the import. Whatever it returns, lease->may_be says whether something may be left at vCenter. */
int lease_begin(VSphere *v, const Place *place, const char *spec, Lease *lease,
                VSphereError *error);

/* Waits until vCenter has made everything, and reads the URLs. */
int lease_wait(VSphere *v, Lease *lease, VSphereError *error);

/* "I am still here." At least every few minutes; VCenterSession when the lease has died with its session. */
int lease_tell(VSphere *v, const Lease *lease, unsigned percent, VSphereError *error);

/* The VM is whole. 0 only when vCenter has taken it, also when its answer was lost. */
int lease_complete(VSphere *v, const Lease *lease, VSphereError *error);

/* The opposite; what it answers does not matter, import_undo() looks. */
void lease_abort(VSphere *v, const Lease *lease);

void lease_done(Lease *lease);

/* Waits until there is no VM of that instance UUID, and destroys one that stays; in a session that is not the lease's, which was closed
 * before. moref: of that VM, NULL when it is not known. may_appear: nobody knows its lease, so it is looked for more than once. VmLeft,
 * also of one that is not switched off, or has another UUID by now; VmNotUsable, when it is there and cannot be reached; or why it could
 * not look. */
int import_undo(VSphere *v, const char *instance_uuid, const char *moref, bool may_appear,
                VSphereError *error);

/* The VM of an import, for those who go on with it: as inventory_find_again(), but one that has another UUID is VmLeft. */
int import_find(VSphere *v, const char *instance_uuid, const char *moref, VSphereRef *ret_vm,
                VSphereError *error);
