/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * busd/hub/policy/policy-patience: a run waits for what the hub tries again, and for nothing whose time a clock that was set back has made
 * one to come.
 */
#include "unit.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "json-cleanup.h"
#include "parse.h"
#include "policy/policy-patience.h"

#define NOW  (UINT64_C(1700000000) * USEC_PER_SEC)
#define HOUR (UINT64_C(3600) * USEC_PER_SEC)

static void patience(void **state)
{
        (void) state;
        assert_true(policy_is_patient(NOW, HOUR, NOW));
        assert_true(policy_is_patient(NOW - HOUR + 1, HOUR, NOW));
        assert_false(policy_is_patient(NOW - HOUR, HOUR, NOW));
        assert_false(policy_is_patient(NOW, 0, NOW));
        /* A clock that was put right by a little, and one that was set back. */
        assert_true(policy_is_patient(NOW + 300 * USEC_PER_SEC, HOUR, NOW));
        assert_false(policy_is_patient(NOW + 300 * USEC_PER_SEC + 1, HOUR, NOW));
        assert_false(policy_is_patient(NOW + 24 * HOUR, HOUR, NOW));
}

static bool is_tried_again(const char *state, const char *error, int number, uint64_t finished_usec)
{
        const HubConfig config = { .jobs_retries = 2, .jobs_retry_usec = HOUR };
        CLEANUP(json_decref_p)
        json_t *vm = json_pack("{s:s, s:s, s:i, s:I}", "BackupState", state, "BackupErrorName",
                               error, "RetryNumber", number, "BackupFinishedUSec",
                               (json_int_t) finished_usec);

        assert_non_null(vm);
        return policy_backup_is_tried_again(vm, &config, NOW);
}

static void retries(void **state)
{
        const uint64_t slack_usec = 600 * USEC_PER_SEC;

        (void) state;
        assert_true(is_tried_again("failed", BUS_ERROR_NODE_UNREACHABLE, 0, NOW));
        assert_true(is_tried_again("failed", BUS_ERROR_NODE_UNREACHABLE, 1, NOW));
        assert_false(is_tried_again("failed", BUS_ERROR_NODE_UNREACHABLE, 2, NOW));
        assert_false(is_tried_again("failed", BUS_ERROR_INVALID_ARGUMENT, 0, NOW));
        assert_false(is_tried_again("cancelled", BUS_ERROR_NODE_UNREACHABLE, 0, NOW));
        /* The retry is due after an hour, and may be late by ten minutes. */
        assert_true(is_tried_again("failed", BUS_ERROR_NODE_UNREACHABLE, 0,
                                   NOW - HOUR - slack_usec + 1));
        assert_false(is_tried_again("failed", BUS_ERROR_NODE_UNREACHABLE, 0,
                                    NOW - HOUR - slack_usec));
        /* It failed tomorrow: until then nothing is tried. */
        assert_false(is_tried_again("failed", BUS_ERROR_NODE_UNREACHABLE, 0, NOW + 24 * HOUR));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(patience),
                cmocka_unit_test(retries),
        };

        return RUN_TESTS(tests);
}
