/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Secrets over a restart of the node: sealed memory that systemd keeps for the unit (FDSTORE=), under the number of the
 * job. It is gone with the machine, and on no disk. Where there is no such systemd, a restart forgets them.
 */
#pragma once

#include <stdint.h>

typedef struct Secret Secret;

typedef enum KeepKind {
        KEEP_LOGIN, /* the password for vCenter */
        KEEP_KEYS, /* of the hub's exports, which have TLS */
        KEEP_KIND_MAX,
        KEEP_KIND_INVALID = -22,
} KeepKind;

/* Keeps a copy in place of an earlier one. */
void keep_secret(uint64_t job, KeepKind kind, const Secret *secret);

/* Nothing of the job any more. */
void keep_nothing(uint64_t job);

/* Whether a descriptor from systemd is one of them: its job and what it is, or 0. */
uint64_t keep_name_job(const char *name, KeepKind *ret_kind);
