/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * busd/hub/policy/policy-plan and policy-match: which VMs are meant, what goes and why, what several policies keep together, and that
 * nothing goes while anything is in doubt.
 */
#include "unit.h"

#include "cleanup.h"
#include "json-cleanup.h"
#include "policy/policy-match.h"
#include "policy/policy-plan.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static json_t *parse(const char *text)
{
        json_t *value = json_loads(text, 0, NULL);

        assert_non_null(value);
        return value;
}

static bool meant(const char *match, const char *except)
{
        CLEANUP(json_decref_p)
        json_t *vm = parse("{\"Name\": \"web-01\", \"Path\": "
                           "\"/DC/vm/prod/web-01\", \"ContextId\": "
                           "\"ctx-web-1\", \"InstanceUuid\": \"5011\"}");
        CLEANUP(json_decref_p) json_t *m = parse(match);
        CLEANUP(json_decref_p) json_t *e = parse(except);

        return policy_matches(m, e, vm);
}

static void matching(void **state)
{
        (void) state;
        assert_true(meant("[\"*\"]", "[]"));
        assert_true(meant("[\"db*\", \"web-0?\"]", "[]"));
        assert_true(meant("[\"ctx-web-1\"]", "[]"));
        assert_true(meant("[\"5011\"]", "[]"));
        assert_true(meant("[\"/DC/vm/prod/*\"]", "[]"));
        assert_false(meant("[\"web\"]", "[]"));
        assert_false(meant("[\"WEB*\"]", "[]"));
        assert_false(meant("[\"*/test/*\"]", "[]"));
        assert_false(meant("[]", "[]"));
        assert_false(meant("[\"*\"]", "[\"web*\"]"));
        assert_false(meant("[\"*\"]", "[\"*/prod/*\"]"));
        /* An id is no pattern. */
        assert_false(meant("[\"ctx-*\"]", "[]"));
}

/* A name with what patterns are made of is a name, too; letters of a UUID are of any case. */
static void literally(void **state)
{
        CLEANUP(json_decref_p)
        json_t *vm = parse("{\"Name\": \"db[1]\", \"Path\": \"/DC/vm/[old]/db[1]\", \"ContextId\": "
                           "\"ctx\", \"InstanceUuid\": \"5011ab\"}");
        CLEANUP(json_decref_p) json_t *all = parse("[\"*\"]");
        static const char *const names[] = { "[\"db[1]\"]", "[\"/DC/vm/[old]/db[1]\"]",
                                             "[\"5011AB\"]", "[\"db[[]1]\"]" };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                CLEANUP(json_decref_p) json_t *list = parse(names[i]);

                assert_true(policy_matches(list, NULL, vm));
                assert_false(policy_matches(all, list, vm));
        }
        assert_true(meant("[\"web-0[1]\"]", "[]"));
        assert_false(meant("[\"CTX-WEB-1\"]", "[]"));
        assert_false(meant("[\"WEB-01\"]", "[]"));
}

enum { NOW_USEC = 1000 };

#define BACKUP(id, usec, damaged)                                                            \
        "{\"Job\": 1, \"BackupId\": \"" id "\", \"CreatedUSec\": " #usec ", \"SizeBytes\": " \
        "10, \"Damaged\": " #damaged "}"

#define VM(policies, owed, backups)                                                            \
        "{\"Vm\": 1, \"Name\": \"v\", \"ContextId\": \"c\", \"Repository\": \"r\", \"Owed\": " \
        "" #owed ", \"Policies\": [" policies "], \"Backups\": [" backups "]}"

#define THREE BACKUP("c", 3, false) ", " BACKUP("b", 2, false) ", " BACKUP("a", 1, false)

/* A letter for each backup, S or -, and the reasons joined in ret_reasons. */
static const char *plan(const char *text, const char *repository, char ret_reasons[static 1024])
{
        static char letters[16];
        CLEANUP(json_decref_p) json_t *vm = parse(text);
        CLEANUP(json_decref_p) json_t *rows = NULL;
        const json_t *row;
        size_t i, n = 0;

        assert_int_equal(policy_plan(vm, repository, NOW_USEC, &rows), 0);
        ret_reasons[0] = '\0';
        memset(letters, 0, sizeof(letters));
        json_array_foreach (rows, i, row) {
                const char *reason = json_string_value(json_object_get(row, "Reason"));

                letters[i] = json_is_true(json_object_get(row, "Stays")) ? 'S' : '-';
                n += (size_t) snprintf(ret_reasons + n, 1024 - n, "%s;", reason);
                assert_true(n < 1024);
        }
        if (strchr(letters, '-'))
                assert_string_equal(json_string_value(json_object_get(policy_plan_next(rows),
                                                                      "BackupId")),
                                    "a");
        else
                assert_null(policy_plan_next(rows));
        return letters;
}

static void one_policy(void **state)
{
        char reasons[1024];

        (void) state;
        assert_string_equal(plan(VM("{\"Name\": \"p\", \"KeepLast\": 1}", 0, THREE), "ok", reasons),
                            "S--");
        assert_string_equal(reasons, "1 of 1 last;no period needs it;no period needs it;");
        assert_string_equal(plan(VM("{\"Name\": \"p\"}", 0, THREE), "ok", reasons), "SSS");
        assert_string_equal(reasons, "no rule;no rule;no rule;");
        assert_string_equal(plan(VM("{\"Name\": \"p\", \"KeepLast\": 9}", 0, ""), "ok", reasons),
                            "");
}

static void partial(void **state)
{
        CLEANUP(json_decref_p)
        json_t *vm = parse(VM("{\"Name\": \"p\", \"KeepLast\": 1}", 0, THREE));
        _cleanup_free_ char *text = NULL;
        char reasons[1024];

        (void) state;
        json_object_set_new(json_array_get(json_object_get(vm, "Backups"), 0), "IsPartial",
                            json_integer(1));
        text = json_dumps(vm, 0);
        assert_string_equal(plan(text, "ok", reasons), "SS-");
        assert_string_equal(reasons,
                            "lacks a disk that another one has;1 of 1 last;no period needs it;");
}

/* A backup of a time to come would be the newest for ever, and each new one would go. */
static void clock_jumps(void **state)
{
        static const char future[] = VM("{\"Name\": \"p\", \"KeepLast\": 1}", 0,
                                        BACKUP("c", 300001001, false) ", " BACKUP("a", 1, false));
        static const char near[] = VM("{\"Name\": \"p\", \"KeepLast\": 1}", 0,
                                      BACKUP("c", 300001000, false) ", " BACKUP("a", 1, false));
        char reasons[1024];

        (void) state;
        assert_string_equal(plan(future, "ok", reasons), "SS");
        assert_string_equal(reasons,
                            "1 of 1 last;no period needs it, but c is of a time to come; set the "
                            "clock, or delete that backup;");
        assert_string_equal(plan(near, "ok", reasons), "S-");
}

/* Three backups, the newest first, of these jobs; the run made that of own. */
static const char *plan_of_run(const int jobs[static 3], int own, char ret_reasons[static 1024])
{
        CLEANUP(json_decref_p)
        json_t *vm = parse(VM("{\"Name\": \"p\", \"KeepLast\": 1}", 0, THREE));
        _cleanup_free_ char *text = NULL;

        json_object_set_new(vm, "BackupJob", own > 0 ? json_integer(own) : json_null());
        for (size_t i = 0; i < 3; i++)
                json_object_set_new(json_array_get(json_object_get(vm, "Backups"), i), "Job",
                                    json_integer(jobs[i]));
        text = json_dumps(vm, 0);
        return plan(text, "ok", ret_reasons);
}

static void own_backup(void **state)
{
        char reasons[1024];

        (void) state;
        assert_string_equal(plan_of_run((const int[]){ 7, 6, 5 }, 7, reasons), "S--");
        assert_string_equal(plan_of_run((const int[]){ 6, 7, 5 }, 0, reasons), "S--");
        assert_string_equal(plan_of_run((const int[]){ 6, 7, 5 }, 7, reasons), "SSS");
        assert_string_equal(reasons,
                            "1 of 1 last;made by this run;no period needs it, but the clock went "
                            "back: c is older and has a later time;");
        /* Somebody has made another one since: that is newer, and this one stays all the same. */
        assert_string_equal(plan_of_run((const int[]){ 8, 7, 5 }, 7, reasons), "SS-");
}

static void several(void **state)
{
        char reasons[1024];

        (void) state;
        assert_string_equal(plan(VM("{\"Name\": \"p\", \"KeepLast\": 1}, {\"Name\": \"q\", "
                                    "\"KeepLast\": 2}",
                                    0, THREE),
                                 "ok", reasons),
                            "SS-");
        assert_string_equal(reasons, "p: 1 of 1 last;q: 2 of 2 last;no period needs it;");
        /* One that keeps all keeps all. */
        assert_string_equal(
                        plan(VM("{\"Name\": \"p\", \"KeepLast\": 1}, {\"Name\": \"q\"}", 0, THREE),
                             "ok", reasons),
                        "SSS");
        assert_string_equal(plan(VM("", 0, THREE), "ok", reasons), "SSS");
        assert_non_null(strstr(reasons, "no policy is for it any more"));
}

static void doubt(void **state)
{
        static const char one[] = VM("{\"Name\": \"p\", \"KeepLast\": 1}", 0, THREE);
        static const char owed[] = VM("{\"Name\": \"p\", \"KeepLast\": 1}", 1, THREE);
        static const char damaged[] = VM(
                        "{\"Name\": \"p\", \"KeepLast\": 1}", 0,
                        BACKUP("c", 3, false) ", " BACKUP("b", 2, true) ", " BACKUP("a", 1, false));
        char reasons[1024];

        (void) state;
        assert_string_equal(plan(one, "failed", reasons), "SSS");
        assert_non_null(strstr(reasons, "no period needs it, but repository r is not well;"));
        assert_string_equal(plan(one, "unknown", reasons), "SSS");
        assert_non_null(strstr(reasons, "repository r is not looked at yet;"));
        assert_string_equal(plan(owed, "ok", reasons), "SSS");
        assert_non_null(strstr(reasons, "an earlier deletion is not at its end;"));
        assert_string_equal(plan(damaged, "ok", reasons), "SSS");
        assert_string_equal(reasons,
                            "1 of 1 last;damaged, serves no period;no period needs it, but b "
                            "is damaged;");
}

static void hindrance(void **state)
{
        CLEANUP(json_decref_p)
        json_t *vm = parse(VM("{\"Name\": \"p\", \"KeepLast\": 1}", 0, THREE));
        CLEANUP(json_decref_p) json_t *rows = NULL, *well = NULL;

        (void) state;
        assert_int_equal(policy_plan(vm, "failed", NOW_USEC, &rows), 0);
        assert_string_equal(policy_plan_hindrance(rows), "repository r is not well");
        assert_int_equal(policy_plan(vm, "ok", NOW_USEC, &well), 0);
        assert_null(policy_plan_hindrance(well));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(matching),    cmocka_unit_test(one_policy),
                cmocka_unit_test(several),     cmocka_unit_test(doubt),
                cmocka_unit_test(hindrance),   cmocka_unit_test(partial),
                cmocka_unit_test(clock_jumps), cmocka_unit_test(own_backup),
                cmocka_unit_test(literally),
        };

        return RUN_TESTS(tests);
}
