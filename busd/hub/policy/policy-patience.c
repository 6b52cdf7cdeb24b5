/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The patience of runs (see policy-patience.h).
 */
#include "policy/policy-patience.h"

#include "bus/bus-error.h"
#include "job-types.h"
#include "parse.h"

#include <string.h>

/* A retry begins at most so long after it is due. */
#define RETRY_SLACK_USEC (UINT64_C(600) * USEC_PER_SEC)
/* A clock that is only corrected goes back by less. */
#define CLOCK_SLACK_USEC (UINT64_C(300) * USEC_PER_SEC)

static const char *text_of(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key)) ?: "";
}

static uint64_t number_of(const json_t *object, const char *key)
{
        return (uint64_t) json_integer_value(json_object_get(object, key));
}

bool policy_is_patient(uint64_t since_usec, uint64_t span_usec, uint64_t now_usec)
{
        return since_usec <= now_usec + CLOCK_SLACK_USEC && now_usec < since_usec + span_usec;
}

bool policy_backup_is_tried_again(const json_t *vm, const HubConfig *config, uint64_t now_usec)
{
        return job_state_from_string(text_of(vm, "BackupState")) == JOB_FAILED &&
               bus_error_passes(text_of(vm, "BackupErrorName")) &&
               number_of(vm, "RetryNumber") < config->jobs_retries &&
               policy_is_patient(number_of(vm, "BackupFinishedUSec"),
                                 config->jobs_retry_usec + RETRY_SLACK_USEC, now_usec);
}
