/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What sendense-migrate decides for every kind of database it may find, and what the hub makes of the
 * same tables.
 */
#include "plan.h"
#include "store-schema.h"

#include "cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const Migration known[] = {
        { 0, "books", "" },
        { 1, "one", "DELETE FROM a;" },
        { 2, "two", "DELETE FROM b; DELETE FROM c;" },
        { 3, "three", "DELETE FROM d;" },
};

static Record record_for(uint32_t number, uint32_t done, uint32_t statements)
{
        Record record = { .number = number, .statements_done = done, .statements = statements };

        (void) snprintf(record.program_version, sizeof(record.program_version), "1.%u", number);
        (void) snprintf(record.name, sizeof(record.name), "%s",
                        number < ELEMENTSOF(known) ? known[number].name : "future");
        if (number < ELEMENTSOF(known))
                migration_sha256(&known[number], record.sha256);
        return record;
}

static Plan plan_for(const Record *records, size_t n)
{
        Plan plan;

        plan_make(&plan, known, ELEMENTSOF(known), records, n, "0.9");
        return plan;
}

static void test_nothing_applied(void **state)
{
        Plan plan = plan_for(NULL, 0);

        (void) state;
        assert_int_equal(plan.outcome, PLAN_APPLY);
        assert_int_equal(plan.first, 1);
        assert_false(plan.begun);
        assert_int_equal(plan.found, 0);
}

static void test_all_applied(void **state)
{
        const Record records[] = { record_for(1, 1, 1), record_for(2, 2, 2), record_for(3, 1, 1) };
        Plan plan = plan_for(records, 3);

        (void) state;
        assert_int_equal(plan.outcome, PLAN_NOTHING);
        assert_int_equal(plan.found, 3);
        assert_string_equal(plan.error, "");
}

static void test_interrupted(void **state)
{
        const Record records[] = { record_for(1, 1, 1), record_for(2, 1, 2) };
        Plan plan = plan_for(records, 2);

        (void) state;
        assert_int_equal(plan.outcome, PLAN_APPLY);
        assert_int_equal(plan.first, 2);
        assert_int_equal(plan.statements_done, 1);
        assert_true(plan.begun);
        assert_int_equal(plan.found, 1);
}

static void test_begun_without_a_statement(void **state)
{
        const Record records[] = { record_for(1, 0, 1) };
        Plan plan = plan_for(records, 1);

        (void) state;
        assert_int_equal(plan.first, 1);
        assert_int_equal(plan.statements_done, 0);
        assert_true(plan.begun);
}

static void test_newer(void **state)
{
        const Record records[] = { record_for(1, 1, 1), record_for(2, 2, 2), record_for(3, 1, 1),
                                   record_for(4, 0, 1), record_for(5, 0, 1) };
        Plan plan = plan_for(records, 5);

        (void) state;
        assert_int_equal(plan.outcome, PLAN_NEWER);
        assert_non_null(strstr(plan.error, "schema 5 of version 1.5"));
        assert_non_null(strstr(plan.error, "knows schema 3 and is version 0.9"));
}

static void test_changed(void **state)
{
        Record records[] = { record_for(1, 1, 1), record_for(2, 1, 2) };
        Plan plan;

        (void) state;
        records[1].sha256[0] = records[1].sha256[0] == 'a' ? 'b' : 'a';
        plan = plan_for(records, 2);
        assert_int_equal(plan.outcome, PLAN_CHANGED);
        assert_non_null(strstr(plan.error, "0002-two.sql"));

        records[1] = record_for(2, 2, 2);
        (void) snprintf(records[1].name, sizeof(records[1].name), "other");
        plan = plan_for(records, 2);
        assert_int_equal(plan.outcome, PLAN_CHANGED);
        assert_non_null(strstr(plan.error, "0002-other.sql"));
}

static void test_gap(void **state)
{
        const Record records[] = { record_for(1, 1, 1), record_for(3, 1, 1) };
        Plan plan = plan_for(records, 2);

        (void) state;
        assert_int_equal(plan.outcome, PLAN_CHANGED);
        assert_non_null(strstr(plan.error, "migration 0003 but not 0002"));
}

static void test_hub_judges(void **state)
{
        static const struct {
                uint32_t whole, newest;
                DatabaseState want;
                uint32_t schema;
        } cases[] = {
                { 0, 0, DATABASE_SCHEMA_OLDER, 0 }, { 2, 2, DATABASE_SCHEMA_OLDER, 2 },
                { 2, 3, DATABASE_SCHEMA_OLDER, 2 }, { 3, 3, DATABASE_READY, 3 },
                { 3, 4, DATABASE_SCHEMA_NEWER, 4 }, { 4, 4, DATABASE_SCHEMA_NEWER, 4 },
                { 0, 4, DATABASE_SCHEMA_NEWER, 4 },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                StoreSchema schema = { .whole = cases[i].whole,
                                       .newest = cases[i].newest,
                                       .version = "7" };
                StoreStatus status;

                store_schema_judge(&schema, "sendense", 3, "0.9", &status);
                assert_int_equal(status.state, cases[i].want);
                assert_int_equal(status.schema, cases[i].schema);
                assert_true((status.error[0] == '\0') == (status.state == DATABASE_READY));
        }
}

static void test_states_both_ways(void **state)
{
        (void) state;
        for (int i = 0; i < DATABASE_STATE_MAX; i++)
                assert_int_equal(database_state_from_string(
                                                 database_state_to_string((DatabaseState) i)),
                                 i);
        assert_null(database_state_to_string(DATABASE_STATE_MAX));
        assert_null(database_state_to_string(DATABASE_STATE_INVALID));
        assert_int_equal(database_state_from_string("gone"), DATABASE_STATE_INVALID);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_nothing_applied),
                cmocka_unit_test(test_all_applied),
                cmocka_unit_test(test_interrupted),
                cmocka_unit_test(test_begun_without_a_statement),
                cmocka_unit_test(test_newer),
                cmocka_unit_test(test_changed),
                cmocka_unit_test(test_gap),
                cmocka_unit_test(test_hub_judges),
                cmocka_unit_test(test_states_both_ways),
        };

        (void) setenv("CMOCKA_MESSAGE_OUTPUT", "TAP", 0);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
