/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What of each disk has to be read, asked of vCenter before the copy: what has changed since a change id, or what was ever
 * written. Doubt about a disk means that this disk is read whole, with a reason; the others are not touched by it. The
 * verb copy calls it; it waits for vCenter and has a login of its own, which is over when it returns.
 */
#pragma once

#include "failure.h"
#include "spec.h"

/* Fills areas of the disks that want them and do not have them. Disks of other sources than vCenter's are left alone. */
int changes_ask(CopySpec *spec, int cancel_fd, Failure *failure);
