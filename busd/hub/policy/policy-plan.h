/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which backups of a VM a policy deletes, and why. What several policies keep stays for each of them. Where anything about the
 * backups is in doubt nothing goes: a rule decides about what is known. Pure.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

/* vm: of store_policy_look(); repository_state: the hub's last look at the repository; now_usec: by the clock. Makes {Vm, ContextId, BackupId, CreatedUSec,
 * SizeBytes, Damaged, Stays, Reason} of each backup, the newest first. */
int policy_plan(const json_t *vm, const char *repository_state, uint64_t now_usec,
                json_t **ret_rows);

/* The one that goes first, the oldest; NULL when all stay. */
const json_t *policy_plan_next(const json_t *rows);

/* Why nothing goes although the rule says so; NULL when that is not the case. */
const char *policy_plan_hindrance(const json_t *rows);
