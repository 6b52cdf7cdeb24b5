/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The appliance with the disks of a backup: a small virtual machine of libguestfs in which the kernel reads the guest's file systems. What
 * a hostile one breaks is that machine. Nothing here writes on a disk: each has a throw-away layer above it, into which a journal that
 * was open at the snapshot is replayed.
 */
#pragma once

#include "spec.h"

typedef struct Guest {
        guestfs_h *handle;
        const char *accel; /* kvm or tcg, whichever it was */
} Guest;

enum {
        GUEST_CALL_SEC = 600, /* for one answer of the appliance */
};

/* ToolMissing when there is no appliance: it says which package is. */
int guest_open(Guest *guest, const FilesSpec *spec, Failure *failure);
void guest_close(Guest *guest);

/* Before a call that reads: it has GUEST_CALL_SEC. */
void guest_expect(const char *what);
