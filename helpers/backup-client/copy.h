/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The copy of all disks of a VM at once: one loop, one thread, a budget of connections and memory. Knows disks,
 * and no kinds of sources.
 */
#pragma once

#include "failure.h"
#include "spec.h"

#include <jansson.h>

/* Copies all disks. signal_fd becomes readable when it is to be cancelled. *ret_disks is the list of their
 * results, the caller's reference; otherwise failure is set. */
int copy_disks(const CopySpec *spec, int signal_fd, json_t **ret_disks, Failure *failure);
