/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One run at a time of one job at one VM, of this machine: two of them would take each other's snapshot for one that a killed run
 * has left. Used by the verb migrate.
 */
#pragma once

/* The turn is ours until *ret_fd is closed, or the process ends in whatever way. -EADDRINUSE: another process has it. */
int migrate_turn_take(const char *snapshot_name, const char *instance_uuid, int *ret_fd);
