/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What sendense-appliance.service does before a job about files: the appliance is made of this machine's own kernel and programs, again
 * when these are others, and whether KVM runs it is found out once after each boot. Jobs read both and can change neither.
 */
#pragma once

/* What was found out, or why there is no appliance, goes into FILES_STATE_FILE, so that a job can say it. */
int appliance_prepare(void);
