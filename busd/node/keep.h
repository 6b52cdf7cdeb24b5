/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Passwords over a restart of the node: sealed memory that systemd keeps for the unit (FDSTORE=), under the number of the
 * job. It is gone with the machine, and on no disk. Where there is no such systemd, a restart forgets them.
 */
#pragma once

#include <stdint.h>

typedef struct Secret Secret;

/* Keeps a copy in place of an earlier one. */
void keep_password(uint64_t job, const Secret *password);
void keep_nothing(uint64_t job);

/* Whether a descriptor from systemd is one of them: its job, or 0. */
uint64_t keep_name_job(const char *name);
