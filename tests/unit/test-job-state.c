/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The life of a job as a table: every state with every event, against the ways that the design names.
 */
#include "job/job-state.h"
#include "unit.h"

#include <errno.h>
#include <string.h>

static void words_are_there(void **state)
{
        (void) state;
        for (JobEvent e = 0; e < JOB_EVENT_MAX; e++) {
                assert_non_null(job_event_to_string(e));
                for (JobEvent other = 0; other < e; other++)
                        assert_string_not_equal(job_event_to_string(e), job_event_to_string(other));
        }
        assert_null(job_event_to_string(JOB_EVENT_MAX));
        assert_null(job_event_to_string(JOB_EVENT_INVALID));
}

/* The way of a good job. */
static void good_job_completes(void **state)
{
        static const JobEvent way[] = { JOB_EVENT_START, JOB_EVENT_PREPARED, JOB_EVENT_EXPORTED,
                                        JOB_EVENT_COPIED };
        static const JobState states[] = { JOB_PREPARING, JOB_EXPORTING, JOB_COPYING,
                                           JOB_FINISHING };
        JobState at = JOB_QUEUED;

        (void) state;
        for (size_t i = 0; i < 4; i++) {
                at = job_state_after(at, way[i]);
                assert_int_equal(at, states[i]);
        }
        assert_int_equal(job_state_after(at, JOB_EVENT_COMMITTED), JOB_COMPLETED);
        at = job_state_after(at, JOB_EVENT_COMMITTED_HOLDING);
        assert_int_equal(at, JOB_RELEASING);
        assert_int_equal(job_state_after(at, JOB_EVENT_RELEASED), JOB_COMPLETED);
}

/* That of one that works on a backup that is there. */
static void good_work_completes(void **state)
{
        (void) state;
        assert_int_equal(job_state_after(JOB_QUEUED, JOB_EVENT_START_WORK), JOB_COPYING);
        for (JobState s = JOB_PREPARING; s < JOB_STATE_MAX; s++)
                assert_int_equal(job_state_after(s, JOB_EVENT_START_WORK), -EPROTO);
}

/* A deletion that is given up when there is no way back completes, and nothing else does so from there. */
static void done_after_all(void **state)
{
        (void) state;
        for (JobState s = 0; s < JOB_STATE_MAX; s++)
                assert_int_equal(job_state_after(s, JOB_EVENT_DONE_AFTER_ALL),
                                 s == JOB_COPYING || s == JOB_FINISHING ? JOB_COMPLETED : -EPROTO);
        assert_int_equal(job_state_after(JOB_COPYING, JOB_EVENT_COMMITTED), -EPROTO);
}

/* Whatever is open may be undone, but for a job that is a backup already. */
static void open_jobs_can_be_undone(void **state)
{
        (void) state;
        for (JobState s = JOB_QUEUED; s <= JOB_FINISHING; s++) {
                assert_int_equal(job_state_after(s, JOB_EVENT_UNDONE_FAILED), JOB_FAILED);
                assert_int_equal(job_state_after(s, JOB_EVENT_UNDONE_CANCELLED), JOB_CANCELLED);
        }
        assert_int_equal(job_state_after(JOB_RELEASING, JOB_EVENT_UNDONE_FAILED), -EPROTO);
        assert_int_equal(job_state_after(JOB_RELEASING, JOB_EVENT_UNDONE_CANCELLED), -EPROTO);
}

static void nothing_follows_the_end(void **state)
{
        (void) state;
        for (JobState s = 0; s < JOB_STATE_MAX; s++)
                for (JobEvent e = 0; job_state_is_final(s) && e < JOB_EVENT_MAX; e++)
                        assert_int_equal(job_state_after(s, e), -EPROTO);
}

/* No event can happen in two states of the way, and none outside of the table. */
static void events_belong_to_one_step(void **state)
{
        (void) state;
        for (JobEvent e = JOB_EVENT_START; e <= JOB_EVENT_RELEASED; e++) {
                unsigned n = 0;

                for (JobState s = 0; s < JOB_STATE_MAX; s++)
                        n += job_state_after(s, e) >= 0;
                assert_int_equal(n, 1);
        }
        assert_int_equal(job_state_after(JOB_STATE_INVALID, JOB_EVENT_START), -EPROTO);
        assert_int_equal(job_state_after(JOB_QUEUED, JOB_EVENT_INVALID), -EPROTO);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(words_are_there),
                cmocka_unit_test(good_job_completes),
                cmocka_unit_test(good_work_completes),
                cmocka_unit_test(open_jobs_can_be_undone),
                cmocka_unit_test(nothing_follows_the_end),
                cmocka_unit_test(done_after_all),
                cmocka_unit_test(events_belong_to_one_step),
        };

        return RUN_TESTS(tests);
}
