/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * busd/node/ledger: rows that come back, files that are none, and whose credential a peer's address means.
 */
#include "unit.h"

#include "cleanup.h"
#include "credentials.h"
#include "json-cleanup.h"
#include "ledger.h"
#include "names.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

typedef struct Seen {
        unsigned n_rows, n_bad;
        uint64_t job;
} Seen;

static void take(const json_t *row, void *userdata)
{
        Seen *seen = userdata;

        seen->n_rows++;
        seen->job = (uint64_t) json_integer_value(json_object_get(row, "Job"));
}

static void bad(const char *name, int error, void *userdata)
{
        Seen *seen = userdata;

        assert_non_null(strstr(name, ".json"));
        assert_true(error < 0);
        seen->n_bad++;
}

static json_t *row(uint64_t job)
{
        return json_pack("{s:I, s:i, s:s, s:{}, s:s}", "Job", (json_int_t) job, "Attempt", 1,
                         "State", "copying", "Request", "Digest", "d");
}

static void rows(void **state)
{
        _cleanup_free_ char *top = unit_folder(), *folder = unit_path(top, "ledger");
        CLEANUP(json_decref_p) json_t *one = row(7), *two = row(INT64_MAX);
        Ledger *ledger = NULL;
        Seen seen = {};

        (void) state;
        assert_int_equal(ledger_open(folder, &ledger), 0);
        assert_int_equal(ledger_read(ledger, take, bad, &seen), 0);
        assert_int_equal(seen.n_rows, 0);
        assert_int_equal(ledger_write(ledger, two), 0);
        assert_int_equal(ledger_write(ledger, one), 0);
        assert_int_equal(ledger_write(ledger, one), 0);
        assert_int_equal(ledger_write_result(ledger, 7, one), 0);
        assert_int_equal(ledger_read(ledger, take, bad, &seen), 0);
        assert_int_equal(seen.n_rows, 2);
        assert_int_equal(ledger_remove(ledger, INT64_MAX), 0);
        assert_int_equal(ledger_remove(ledger, INT64_MAX), 0);
        seen = (Seen){};
        assert_int_equal(ledger_read(ledger, take, bad, &seen), 0);
        assert_int_equal(seen.n_rows, 1);
        assert_int_equal(seen.job, 7);
        assert_int_equal(seen.n_bad, 0);
        ledger_close(ledger);
}

static json_t *result_of(size_t size)
{
        const size_t n = size - strlen("{\"x\":\"\"}");
        _cleanup_free_ char *text = malloc(n + 1);
        json_t *result;

        assert_non_null(text);
        (void) memset(text, 'x', n);
        text[n] = '\0';
        result = json_pack("{s:s}", "x", text);
        assert_non_null(result);
        return result;
}

/* The largest that may be is kept; one byte more is refused, and what was kept stays. */
static void large_results(void **state)
{
        _cleanup_free_ char *top = unit_folder(), *folder = unit_path(top, "ledger");
        CLEANUP(json_decref_p) json_t *fits = result_of(LEDGER_RESULT_MAX);
        CLEANUP(json_decref_p) json_t *larger = result_of(LEDGER_RESULT_MAX + 1);
        _cleanup_close_ int fd = -1;
        Ledger *ledger = NULL;
        struct stat st;

        (void) state;
        assert_int_equal(ledger_open(folder, &ledger), 0);
        assert_int_equal(ledger_write_result(ledger, 7, larger), -EFBIG);
        assert_int_equal(ledger_open_result(ledger, 7, &fd), -ENOENT);
        assert_int_equal(ledger_write_result(ledger, 7, fits), 0);
        assert_int_equal(ledger_write_result(ledger, 7, larger), -EFBIG);
        assert_int_equal(ledger_open_result(ledger, 7, &fd), 0);
        assert_int_equal(fstat(fd, &st), 0);
        assert_int_equal(st.st_size, LEDGER_RESULT_MAX);
        ledger_close(ledger);
}

/* Each is told and left alone; none of them hides the others. */
static void no_rows(void **state)
{
        static const char *const texts[] = {
                "",
                "{",
                "[]",
                "{}",
                "{\"Job\":2}",
                "{\"Job\":1,\"Attempt\":1,\"State\":\"copying\",\"Request\":{},"
                "\"Digest\":\"d\"}", /* not its name's */
                "{\"Job\":7,\"Attempt\":1,\"State\":\"nonsense\",\"Request\":{},"
                "\"Digest\":\"d\"}",
                "{\"Job\":8,\"Attempt\":1,\"State\":\"copying\",\"Request\":[],"
                "\"Digest\":\"d\"}",
                "{\"Job\":9,\"Attempt\":\"1\",\"State\":\"copying\",\"Request\":{},"
                "\"Digest\":\"d\"}",
                "{\"Job\":10,\"Attempt\":1,\"State\":\"copying\",\"Request\":{}}",
        };
        _cleanup_free_ char *folder = unit_folder();
        CLEANUP(json_decref_p) json_t *good = row(99);
        Ledger *ledger = NULL;
        Seen seen = {};

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                char name[24];

                (void) snprintf(name, sizeof(name), "%zu.json", i + 2);
                _cleanup_free_ char *path = unit_path(folder, name);

                unit_write(path, texts[i], strlen(texts[i]), 0600);
        }
        assert_int_equal(ledger_open(folder, &ledger), 0);
        assert_int_equal(ledger_write(ledger, good), 0);
        assert_int_equal(ledger_read(ledger, take, bad, &seen), 0);
        assert_int_equal(seen.n_rows, 1);
        assert_int_equal(seen.job, 99);
        assert_int_equal(seen.n_bad, ELEMENTSOF(texts));
        ledger_close(ledger);
}

static int address(const char *text, size_t size, char *unit, char *credential)
{
        return credentials_read_address(text, size, unit, UNIT_NAME_SIZE, credential, 64);
}

static void addresses(void **state)
{
        static const char good[] = "\0abcdef/unit/sendense-copy-7.service/vcenter";
        static const struct {
                const char *text;
                size_t size;
        } none[] = {
                { "", 0 },
                { "\0", 1 },
                { "/run/x", 6 },
                { "\0a/unit/", 8 },
                { "\0a/unit/u", 9 },
                { "\0a/unit/u/", 10 },
                { "\0a/unit//c", 10 },
                { "\0a/unit/u/c/d", 13 },
                { "\0a/unit/u\0/c", 12 },
                { "\0a/tinu/u/c", 11 },
        };
        char unit[UNIT_NAME_SIZE], credential[64];

        (void) state;
        assert_int_equal(address(good, sizeof(good) - 1, unit, credential), 0);
        assert_string_equal(unit, "sendense-copy-7.service");
        assert_string_equal(credential, "vcenter");
        for (size_t i = 0; i < ELEMENTSOF(none); i++)
                assert_int_equal(address(none[i].text, none[i].size, unit, credential), -EINVAL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(rows),
                cmocka_unit_test(no_rows),
                cmocka_unit_test(large_results),
                cmocka_unit_test(addresses),
        };

        return RUN_TESTS(tests);
}
