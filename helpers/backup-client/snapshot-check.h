/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The look behind the copy: whether the snapshot that was read outlived the reading. A file of a datastore is frozen for as
 * long as there is a snapshot above it and not a moment longer, and its path, size and answers stay the same when
 * somebody else removes that. The verbs copy and migrate call it when nothing is under way any more; it waits.
 */
#pragma once

#include "failure.h"
#include "spec.h"

/* A spec that reads at vCenter names its VM and its snapshot. -EINVAL with failure set. */
int snapshot_is_named(const CopySpec *spec, Failure *failure);

/* When a disk was read at vCenter: the spec's snapshot is there still. One that is gone does not come back, so what it held when
 * it was there was read. A vCenter that cannot be asked is waited for as long as a source. Negative with
 * failure set; -ECANCELED: a signal came. Call it before the sources are freed: the login is theirs. */
int snapshot_check(const CopySpec *spec, int signal_fd, Failure *failure);
