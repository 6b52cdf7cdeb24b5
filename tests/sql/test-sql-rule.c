/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which statements a migration may use, and that ours do. That the allowed forms are harmless to repeat is
 * shown on a server by rules.sh.
 */
#include "sql-rule.h"

#include "cleanup.h"
#include "migration.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int check(const char *text)
{
        SqlStatement statement = { .text = text, .length = strlen(text), .line = 1 };
        SqlKind kind = SQL_KIND_INVALID;
        const char *error = NULL;
        int r = sql_rule_check(&statement, &kind, &error);

        if (r < 0) {
                assert_int_equal(r, -EINVAL);
                assert_non_null(error);
                return -1;
        }
        return (int) kind;
}

static void test_definitions(void **state)
{
        static const char *const good[] = {
                "CREATE TABLE IF NOT EXISTS t (a INT)",
                "create table if not exists t (a int)",
                "CREATE /* x */ TABLE -- y\n IF NOT EXISTS t (a INT)",
                "CREATE UNIQUE INDEX IF NOT EXISTS i ON t (a)",
                "CREATE OR REPLACE VIEW v AS SELECT 1",
                "DROP TABLE IF EXISTS t",
                "ALTER TABLE t ADD COLUMN IF NOT EXISTS a INT",
                ("ALTER TABLE `t` ADD COLUMN IF NOT EXISTS a ENUM('x,y', 'ADD'), DROP INDEX IF "
                 "EXISTS i"),
                "ALTER TABLE t ADD COLUMN IF NOT EXISTS a INT AS (b + (c, d)), MODIFY COLUMN e INT",
                ("ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY IF NOT EXISTS (a, b) REFERENCES u "
                 "(a, b)"),
                "ALTER TABLE t ADD CONSTRAINT IF NOT EXISTS c CHECK (a IN (1, 2))",
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                assert_int_equal(check(good[i]), SQL_DEFINITION);
}

static void test_data(void **state)
{
        (void) state;
        assert_int_equal(check("INSERT INTO t VALUES (1)"), SQL_DATA);
        assert_int_equal(check("UPDATE t SET a = 1"), SQL_DATA);
        assert_int_equal(check("DELETE FROM t"), SQL_DATA);
}

static void test_refused(void **state)
{
        static const char *const bad[] = {
                "CREATE TABLE t (a INT)",
                "CREATE TABLE IF EXISTS t (a INT)",
                "CREATE TABLE 'IF NOT EXISTS' t (a INT)",
                "CREATE INDEX i ON t (a)",
                "DROP TABLE t",
                "TRUNCATE t",
                "RENAME TABLE a TO b",
                "SET NAMES utf8",
                "USE mysql",
                "GRANT ALL ON *.* TO x",
                "CREATE USER IF NOT EXISTS x",
                "CREATE OR REPLACE TABLE t (a INT)",
                "CREATE OR REPLACE TRIGGER x",
                "DELIMITER //",
                "COMMIT",
                "REPLACE INTO t VALUES (1)",
                "LOAD DATA INFILE 'x' INTO TABLE t",
                "",
                "ALTER TABLE",
                "ALTER TABLE t",
                "ALTER TABLE t ADD COLUMN a INT",
                "ALTER TABLE t ADD a INT",
                "ALTER TABLE t RENAME TO u",
                "ALTER TABLE t DROP COLUMN a",
                "ALTER TABLE t ADD CONSTRAINT c UNIQUE (a)",
                "ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES u (a)",
                "ALTER TABLE t ADD COLUMN IF NOT EXISTS a INT, ADD COLUMN b INT",
                "ALTER TABLE t ADD COLUMN IF NOT EXISTS a INT, DROP COLUMN b, MODIFY COLUMN c INT",
                "ALTER TABLE t ADD COLUMN IF NOT EXISTS a INT,",
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(check(bad[i]), -1);
}

static void test_our_migrations(void **state)
{
        const char *error = NULL;
        unsigned line = 0;

        (void) state;
        for (size_t i = 0; i < n_migrations; i++) {
                assert_int_equal(migrations[i].number, i);
                assert_true(migration_count(&migrations[i], &line, &error) > 0);
        }
}

static void test_count_says_where(void **state)
{
        static const Migration bad_rule = { 1, "x", "DELETE FROM t;\n\nDROP TABLE t;\n" },
                               bad_text = { 1, "x", "DELETE FROM t;\nDELETE FROM 't;\n" };
        const char *error = NULL;
        unsigned line = 0;

        (void) state;
        assert_int_equal(migration_count(&bad_rule, &line, &error), -EINVAL);
        assert_int_equal(line, 3);
        assert_int_equal(migration_count(&bad_text, &line, &error), -EINVAL);
        assert_int_equal(line, 2);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_definitions),      cmocka_unit_test(test_data),
                cmocka_unit_test(test_refused),          cmocka_unit_test(test_our_migrations),
                cmocka_unit_test(test_count_says_where),
        };

        (void) setenv("CMOCKA_MESSAGE_OUTPUT", "TAP", 0);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
