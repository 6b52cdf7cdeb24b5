/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How long a run waits for what may pass by itself. A time that is to come says that the clock was set back: a run that waited for it
 * would hold its policy until then, so it does not wait. Pure.
 */
#pragma once

#include "hub-config.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Less than span_usec has passed since then. */
bool policy_is_patient(uint64_t since_usec, uint64_t span_usec, uint64_t now_usec);

/* vm: of store_policy_run_load(). Its backup failed, and the hub tries it again by itself; the next job then stands for it. */
bool policy_backup_is_tried_again(const json_t *vm, const HubConfig *config, uint64_t now_usec);
