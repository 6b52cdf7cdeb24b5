/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * busd/hub/job/retention: every kind of period, their order, edges of days and weeks, clocks that go back, damaged
 * backups, and what always stays.
 */
#include "unit.h"

#include "cleanup.h"
#include "job/retention.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { N_MAX = 400 };

/* "2026-11-21 21:00" in local time. */
static uint64_t at(const char *text)
{
        struct tm tm = { .tm_isdst = -1 };
        time_t seconds;

        assert_non_null(strptime(text, "%Y-%m-%d %H:%M", &tm));
        tm.tm_isdst = -1;
        seconds = mktime(&tm);
        assert_true(seconds > 0);
        return (uint64_t) seconds * 1000000;
}

/* A letter for each backup: S stays, - goes. */
static const char *decide(const Retention *rule, RetentionBackup *backups, size_t n)
{
        static char text[N_MAX + 1];

        assert_int_equal(retention_decide(rule, backups, n), 0);
        for (size_t i = 0; i < n; i++) {
                text[i] = backups[i].stays ? 'S' : '-';
                assert_true(backups[i].reason[0] != '\0');
        }
        text[n] = '\0';
        return text;
}

/* Times with spaces between, the newest first; one that ends in ! is damaged, in ~ partial. */
static const char *decide_times(const Retention *rule, const char *const times[])
{
        static RetentionBackup backups[N_MAX];
        size_t n = 0;

        memset(backups, 0, sizeof(backups));
        for (; times[n]; n++) {
                backups[n].created_usec = at(times[n]);
                backups[n].is_damaged = strchr(times[n], '!') != NULL;
                backups[n].is_partial = strchr(times[n], '~') != NULL;
        }
        return decide(rule, backups, n);
}

#define RULE(...)                 (&(Retention){ .keep = { __VA_ARGS__ } })
#define TIMES(...)                ((const char *const[]){ __VA_ARGS__, NULL })
#define EXPECT(want, rule, times) assert_string_equal(decide_times(rule, times), want)

static void words(void **state)
{
        (void) state;
        for (RetentionPeriod period = 0; period < _RETENTION_PERIOD_MAX; period++)
                assert_int_equal(retention_period_from_string(retention_period_to_string(period)),
                                 period);
        assert_int_equal(retention_period_from_string("often"), RETENTION_PERIOD_INVALID);
        assert_int_equal(RETENTION_PERIOD_INVALID, -EINVAL);
        assert_null(retention_period_to_string(_RETENTION_PERIOD_MAX));
        assert_null(retention_period_to_string(RETENTION_PERIOD_INVALID));
}

static void each_kind(void **state)
{
        (void) state;
        const char *const *hours = TIMES("2026-11-21 21:50", "2026-11-21 21:10", "2026-11-21 20:59",
                                         "2026-11-21 18:00", "2026-11-21 17:59");

        EXPECT("SSSSS", RULE(0), hours);
        EXPECT("SS---", RULE([RETENTION_LAST] = 2), hours);
        EXPECT("SSSSS", RULE([RETENTION_LAST] = 99), hours);
        EXPECT("S----", RULE([RETENTION_HOURLY] = 1), hours);
        /* An hour without a backup does not count. */
        EXPECT("S-SS-", RULE([RETENTION_HOURLY] = 3), hours);
        EXPECT("S-SSS", RULE([RETENTION_HOURLY] = 9), hours);
        EXPECT("S-S", RULE([RETENTION_DAILY] = 2),
               TIMES("2026-11-21 00:01", "2026-11-21 00:00", "2026-11-20 23:59"));
        /* The 23rd is a Monday. */
        EXPECT("S-S-", RULE([RETENTION_WEEKLY] = 2),
               TIMES("2026-11-23 12:00", "2026-11-23 00:00", "2026-11-22 23:59",
                     "2026-11-16 00:00"));
        /* The last days of a year may lie in the first week of the next one. */
        EXPECT("S-S", RULE([RETENTION_WEEKLY] = 5),
               TIMES("2026-01-01 12:00", "2025-12-29 12:00", "2025-12-28 12:00"));
        EXPECT("S-S", RULE([RETENTION_MONTHLY] = 2),
               TIMES("2026-11-21 12:00", "2026-11-01 00:00", "2026-10-31 23:59"));
        EXPECT("SS-", RULE([RETENTION_YEARLY] = 2),
               TIMES("2026-01-01 00:00", "2025-12-31 23:59", "2025-01-01 00:00"));
}

/* A year of two backups a day: the numbers of a plan that people use. */
static void together(void **state)
{
        static RetentionBackup backups[N_MAX];
        const Retention rule = { .keep = { [RETENTION_LAST] = 3,
                                           [RETENTION_DAILY] = 7,
                                           [RETENTION_WEEKLY] = 4,
                                           [RETENTION_MONTHLY] = 5 } };
        size_t n_stay = 0;

        (void) state;
        for (size_t i = 0; i < N_MAX; i++)
                backups[i] = (RetentionBackup){
                        .created_usec = at("2026-11-21 22:00") - (uint64_t) i * 12 * 3600 * 1000000
                };
        (void) decide(&rule, backups, N_MAX);
        for (size_t i = 0; i < N_MAX; i++)
                n_stay += backups[i].stays;
        assert_int_equal(n_stay, 3 + 7 + 4 + 5);
        assert_string_equal(backups[0].reason, "1 of 3 last");
        assert_string_equal(backups[2].reason, "3 of 3 last");
        /* The day of the last ones is served. */
        assert_string_equal(backups[4].reason, "1 of 7 daily");
        assert_string_equal(backups[3].reason, "no period needs it");

        /* Decided again without those that went, nothing more goes. */
        size_t n = 0;
        for (size_t i = 0; i < N_MAX; i++)
                if (backups[i].stays)
                        backups[n++] = backups[i];
        assert_string_equal(decide(&rule, backups, n), "SSSSSSSSSSSSSSSSSSS");
}

static void damaged(void **state)
{
        (void) state;
        /* It serves no day, and is not touched. */
        EXPECT("SS-", RULE([RETENTION_DAILY] = 1),
               TIMES("2026-11-21 22:00!", "2026-11-21 21:00", "2026-11-21 20:00"));
        EXPECT("SSS", RULE([RETENTION_LAST] = 2),
               TIMES("2026-11-21 22:00", "2026-11-21 21:00!", "2026-11-21 20:00"));
        EXPECT("SS", RULE([RETENTION_LAST] = 1), TIMES("2026-11-21 22:00!", "2026-11-20 22:00!"));
}

static void partial(void **state)
{
        (void) state;
        /* It drives no complete one out, and stays as long as it is newer. */
        EXPECT("SS-", RULE([RETENTION_LAST] = 1),
               TIMES("2026-11-21 22:00~", "2026-11-21 21:00", "2026-11-21 20:00"));
        EXPECT("SSSS-", RULE([RETENTION_DAILY] = 2),
               TIMES("2026-11-21 22:00~", "2026-11-21 21:00~", "2026-11-21 20:00",
                     "2026-11-20 20:00", "2026-11-20 19:00"));
        /* A day of which there is nothing else is served by the newest, and does not count. */
        EXPECT("SS-S-", RULE([RETENTION_DAILY] = 2),
               TIMES("2026-11-21 22:00", "2026-11-20 21:00~", "2026-11-20 20:00~",
                     "2026-11-19 20:00", "2026-11-18 20:00~"));
        /* A day of which there is a complete one needs no partial one. */
        EXPECT("SS-", RULE([RETENTION_LAST] = 1, [RETENTION_DAILY] = 2),
               TIMES("2026-11-21 22:00", "2026-11-20 21:00", "2026-11-20 20:00~"));
        /* Each may have what the other lacks. */
        EXPECT("SSS", RULE([RETENTION_DAILY] = 1),
               TIMES("2026-11-21 22:00~", "2026-11-21 21:00~", "2026-11-20 20:00~"));
        EXPECT("SSS", RULE([RETENTION_LAST] = 1),
               TIMES("2026-11-21 22:00!", "2026-11-21 21:00~", "2026-11-20 20:00"));
}

/* 2026-10-25, 3 o'clock comes twice in Berlin: two hours, two periods. */
static void clocks_go_back(void **state)
{
        RetentionBackup backups[] = { { .created_usec = UINT64_C(1792890600) * 1000000 },
                                      { .created_usec = UINT64_C(1792887000) * 1000000 } };

        (void) state;
        assert_string_equal(decide(RULE([RETENTION_HOURLY] = 2), backups, 2), "SS");
        assert_string_equal(decide(RULE([RETENTION_DAILY] = 2), backups, 2), "S-");
}

static void order(void **state)
{
        RetentionBackup backups[] = { { .created_usec = 1 }, { .created_usec = 2 } };

        (void) state;
        assert_int_equal(retention_decide(RULE([RETENTION_LAST] = 1), backups, 2), -EINVAL);
        assert_int_equal(retention_decide(RULE([RETENTION_LAST] = 1), NULL, 0), 0);
        backups[1].created_usec = 1;
        assert_string_equal(decide(RULE([RETENTION_LAST] = 1), backups, 2), "S-");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(words),          cmocka_unit_test(each_kind),
                cmocka_unit_test(together),       cmocka_unit_test(damaged),
                cmocka_unit_test(clocks_go_back), cmocka_unit_test(order),
                cmocka_unit_test(partial),
        };

        (void) setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
        tzset();
        return RUN_TESTS(tests);
}
