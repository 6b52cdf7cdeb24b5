/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What was gathered (gather.h), as a verdict and as figures. Pure.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum {
        HEALTH_OBLIGATION_SEC = 600, /* older ones are a failure */
};

/* {"status": "ok" or "failed", "checks": […], "last_backups": […]}; NULL without memory. */
json_t *health_of(const json_t *gathered, uint64_t now_usec, bool *ret_is_ok);

/* In the text format of Prometheus, for free(); NULL without memory. started_usec: of this program. */
char *metrics_of(const json_t *gathered, uint64_t started_usec, uint64_t now_usec);
