/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the hub counts of its jobs: states that were left, exports that came up, and how those ended that nobody had stopped.
 */
#include "unit.h"

#include "cleanup.h"
#include "job/job-figures.h"

#include <string.h>

static json_int_t number(const json_t *dict, const char *key)
{
        assert_true(json_is_integer(json_object_get(dict, key)));
        return json_integer_value(json_object_get(dict, key));
}

static void deaths(void **state)
{
        static const char *const killed[] = { "signal", "oom-kill", "watchdog" };
        static const char *const crashed[] = { "exit-code", "core-dump", "success", "" };
        JobFigures figures = {};

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(killed); i++)
                job_figures_died(&figures, killed[i]);
        assert_int_equal(figures.exports_killed, 3);
        assert_int_equal(figures.exports_crashed, 0);
        for (size_t i = 0; i < ELEMENTSOF(crashed); i++)
                job_figures_died(&figures, crashed[i]);
        assert_int_equal(figures.exports_killed, 3);
        assert_int_equal(figures.exports_crashed, 4);
}

static void told(void **state)
{
        CLEANUP(json_decrefp) json_t *dict = json_pack("{s:i}", "JobsOpen", 7);
        JobFigures figures = { .exports_started = 5,
                               .leases_failed = 2,
                               .full_instead[FULL_CAPACITY] = 3 };
        const json_t *row;
        size_t i, n = 0;

        (void) state;
        job_figures_left(&figures, JOB_COPYING, 1000, 4096);
        job_figures_left(&figures, JOB_COPYING, 500, 1);
        job_figures_ready(&figures, 300);
        job_figures_ready(&figures, 200);
        assert_int_equal(job_figures_add(&figures, dict), 0);
        assert_int_equal(number(dict, "JobsOpen"), 7);
        assert_int_equal(number(dict, "ExportsStarted"), 5);
        assert_int_equal(number(dict, "LeasesFailed"), 2);
        assert_int_equal(number(dict, "ExportsReady"), 2);
        assert_int_equal(number(dict, "ExportsReadyUSec"), 500);
        assert_int_equal(number(dict, "ExportsReadyMaxUSec"), 300);
        json_array_foreach (json_object_get(dict, "PhaseFigures"), i, row) {
                bool is_copying = strcmp(json_string_value(json_object_get(row, "State")),
                                         "copying") == 0;

                n++;
                assert_int_equal(number(row, "Count"), is_copying ? 2 : 0);
                assert_int_equal(number(row, "USec"), is_copying ? 1500 : 0);
                assert_int_equal(number(row, "Bytes"), is_copying ? 4097 : 0);
        }
        json_array_foreach (json_object_get(dict, "FullInstead"), i, row) {
                assert_string_equal(json_string_value(json_object_get(row, "Reason")),
                                    full_reason_to_string((FullReason) i));
                assert_int_equal(number(row, "Count"), i == FULL_CAPACITY ? 3 : 0);
        }
        assert_int_equal(i, FULL_REASON_MAX);
        /* What is final is left by nobody. */
        assert_int_equal(n, JOB_COMPLETED);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(deaths), cmocka_unit_test(told) };

        return RUN_TESTS(tests);
}
