/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * helpers/hub-api/backup-request: what a backup is asked for with, and every way in which it may be wrong.
 */
#include "unit.h"

#include "backup-request.h"
#include "cleanup.h"
#include "text.h"

#include <errno.h>
#include <string.h>

static void parse(const char *text, BackupRequest *ret_request)
{
        char error[JSON_FIELDS_ERROR_SIZE] = "";

        if (backup_request_parse(text, strlen(text), ret_request, error) < 0)
                fail_msg("%s: %s", text, error);
}

static void refused(const char *text, size_t size, const char *why)
{
        char error[JSON_FIELDS_ERROR_SIZE] = "";
        BackupRequest request;

        assert_int_equal(backup_request_parse(text, size, &request, error), -EBADMSG);
        assert_null(request.object);
        if (!strstr(error, why))
                fail_msg("%.80s: \"%s\" is not in \"%s\"", text, why, error);
}

static void whole(void **state)
{
        BackupRequest request;

        (void) state;
        parse("{\"vm_name\": \"B\\u00fcro\", \"repository_id\": 7, \"backup_type\": \"full\", "
              "\"node\": \"edge\", \"exclude\": {\"2001\": \"swap\"}, "
              "\"sources\": {\"2000\": \"nbd://127.0.0.1/\"}}",
              &request);
        assert_string_equal(request.vm, "B\xc3\xbcro");
        assert_string_equal(request.repository, "7");
        assert_string_equal(request.type, "full");
        assert_string_equal(request.node, "edge");
        assert_int_equal(json_object_size(request.exclude), 1);
        assert_string_equal(json_string_value(json_object_get(request.sources, "2000")),
                            "nbd://127.0.0.1/");
        backup_request_done(&request);
}

static void least(void **state)
{
        BackupRequest request;

        (void) state;
        parse("{\"vm_name\": \"a\"}", &request);
        assert_string_equal(request.repository, "");
        assert_null(request.type);
        assert_null(request.node);
        assert_null(request.exclude);
        assert_null(request.sources);
        backup_request_done(&request);
        parse("{\"vm_name\": \"[[[[{{{{\", \"repository_id\": \"1\", \"sources\": {}}", &request);
        assert_string_equal(request.vm, "[[[[{{{{"); /* in a text they are no depth */
        assert_string_equal(request.repository, "1");
        backup_request_done(&request);
}

static void wrong(void **state)
{
        static const struct {
                const char *text, *why;
        } cases[] = {
                { "", "no JSON" },
                { "{", "no JSON" },
                { "{} x", "no JSON" },
                { "[]", "is no object" },
                { "7", "no JSON" },
                { "{}", "vm_name is missing" },
                { "{\"vm_name\":\"\"}", "vm_name" },
                { "{\"vm_name\":7}", "vm_name must be" },
                { "{\"vm_name\":null}", "vm_name must be" },
                { "{\"vm_name\":\"a\\nb\"}", "one line of text" },
                { "{\"vm_name\":\"a\",\"vm_name\":\"b\"}", "duplicate" },
                { "{\"vm_name\":\"a\",\"x\":1}", "\"x\" is unknown" },
                { "{\"vm_name\":\"a\",\"disk_id\":null}", "disk_id is not taken" },
                { "{\"vm_name\":\"a\",\"repository_id\":0}", "repository_id must be" },
                { "{\"vm_name\":\"a\",\"repository_id\":-1}", "repository_id must be" },
                { "{\"vm_name\":\"a\",\"repository_id\":1.0}", "repository_id must be" },
                { "{\"vm_name\":\"a\",\"repository_id\":\"\"}", "repository_id must be" },
                { "{\"vm_name\":\"a\",\"repository_id\":null}", "repository_id must be" },
                { "{\"vm_name\":\"a\",\"repository_id\":99999999999999999999}", "no JSON" },
                { "{\"vm_name\":\"a\",\"backup_type\":\"none\"}", "full or incremental" },
                { "{\"vm_name\":\"a\",\"exclude\":[]}", "exclude must be" },
                { "{\"vm_name\":\"a\",\"exclude\":{\"a\":\"b\"}}", "disk keys" },
                { "{\"vm_name\":\"a\",\"exclude\":{\"0\":\"b\"}}", "disk keys" },
                { "{\"vm_name\":\"a\",\"exclude\":{\"02\":\"b\"}}", "disk keys" },
                { "{\"vm_name\":\"a\",\"exclude\":{\"4294967296\":\"b\"}}", "disk keys" },
                { "{\"vm_name\":\"a\",\"sources\":{\"1\":{}}}", "one line of text" },
                { "{\"vm_name\":\"a\",\"sources\":{\"1\":\"a\\u0001\"}}", "one line of text" },
                { "{\"vm_name\":[[[1]]]}", "nested deeper" },
                { "[[[[", "nested deeper" },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                refused(cases[i].text, strlen(cases[i].text), cases[i].why);
        refused("{\"vm_name\":\"a\0b\"}", sizeof("{\"vm_name\":\"a\0b\"}") - 1, "no JSON");
}

static void bounds(void **state)
{
        _cleanup_free_ char *long_text = NULL, *text = NULL, *keys = NULL;
        BackupRequest request;

        (void) state;
        long_text = calloc(1, BACKUP_REQUEST_TEXT_MAX + 2);
        assert_non_null(long_text);
        memset(long_text, 'a', BACKUP_REQUEST_TEXT_MAX + 1);
        text = text_format("{\"vm_name\":\"a\",\"exclude\":{\"1\":\"%s\"}}", long_text);
        refused(text, strlen(text), "1024 bytes at most");
        free(text);
        text = text_format("{\"vm_name\":\"a\",\"exclude\":{\"1\":\"%s\"}}", long_text + 1);
        parse(text, &request);
        backup_request_done(&request);

        keys = strdup("\"1\":\"\"");
        for (unsigned i = 2; i <= BACKUP_REQUEST_KEYS_MAX + 1; i++) {
                char *more = text_format("%s,\"%u\":\"\"", keys, i);

                free(keys);
                keys = more;
        }
        free(text);
        text = text_format("{\"vm_name\":\"a\",\"exclude\":{%s}}", keys);
        refused(text, strlen(text), "256 disks at most");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(whole),
                cmocka_unit_test(least),
                cmocka_unit_test(wrong),
                cmocka_unit_test(bounds),
        };

        return RUN_TESTS(tests);
}
