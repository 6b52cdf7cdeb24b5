/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lib/message-id against units/sendense.catalog: each event has its own id, each id its text, and no
 * text explains an event that is gone.
 */
#include "unit.h"

#include "cleanup.h"
#include "message-id.h"
#include "small-file.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static void ids_are_ids(void **state)
{
        (void) state;
        assert_null(message_id_to_string(MESSAGE_NONE));
        assert_null(message_id_to_string(MESSAGE_ID_MAX));
        assert_null(message_id_name(MESSAGE_NONE));
        for (int i = MESSAGE_NONE + 1; i < MESSAGE_ID_MAX; i++) {
                const char *id = message_id_to_string((MessageId) i);

                assert_non_null(id);
                assert_int_equal(strlen(id), 32);
                assert_int_equal(strspn(id, "0123456789abcdef"), 32);
                assert_non_null(message_id_name((MessageId) i));
        }
}

static void ids_are_unique(void **state)
{
        (void) state;
        for (int i = MESSAGE_NONE + 1; i < MESSAGE_ID_MAX; i++)
                for (int j = MESSAGE_NONE + 1; j < i; j++) {
                        assert_string_not_equal(message_id_to_string((MessageId) i),
                                                message_id_to_string((MessageId) j));
                        assert_string_not_equal(message_id_name((MessageId) i),
                                                message_id_name((MessageId) j));
                }
}

/* "# name" directly before "-- id": the event of the entry, MESSAGE_NONE when the table has none. */
static MessageId find_event(const char *name_line, const char *id_line)
{
        for (int i = MESSAGE_NONE + 1; i < MESSAGE_ID_MAX; i++)
                if (strcmp(name_line + 2, message_id_name((MessageId) i)) == 0 &&
                    strcmp(id_line + 3, message_id_to_string((MessageId) i)) == 0)
                        return (MessageId) i;
        return MESSAGE_NONE;
}

static void catalog_is_the_table(void **state)
{
        const char *source = getenv("SENDENSE_SRC");
        _cleanup_free_ char *path = NULL, *text = NULL;
        const char *last = "", *entry = "";
        bool found[MESSAGE_ID_MAX] = {}, in_header = false;
        int n_header_lines = 0, n_body_lines = 0;
        size_t size;
        char *rest;

        (void) state;
        assert_non_null(source);
        path = unit_path(source, "units/sendense.catalog");
        assert_int_equal(small_file_read(path, (size_t) 1024 * 1024, &text, &size), 0);
        rest = text;
        for (char *line; (line = strsep(&rest, "\n")); last = line) {
                if (strncmp(line, "-- ", 3) == 0) {
                        MessageId id = find_event(last, line);

                        if (id == MESSAGE_NONE || found[id])
                                fail_msg("catalog: '%s' below '%s' is not in lib/message-id.c",
                                         line, last);
                        found[id] = true;
                        entry = line;
                        in_header = true;
                        n_header_lines = n_body_lines = 0;
                        continue;
                }
                if (!*entry)
                        continue;
                if (in_header && *line == '\0')
                        in_header = false;
                else if (in_header)
                        n_header_lines++;
                else if (*line && *line != '#')
                        n_body_lines++;
                if (strncmp(line, "# ", 2) == 0 && (n_header_lines < 3 || n_body_lines == 0))
                        fail_msg("catalog: '%s' lacks its header or its text", entry);
        }
        for (int i = MESSAGE_NONE + 1; i < MESSAGE_ID_MAX; i++)
                if (!found[i])
                        fail_msg("catalog: no entry for %s", message_id_name((MessageId) i));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(ids_are_ids),
                cmocka_unit_test(ids_are_unique),
                cmocka_unit_test(catalog_is_the_table),
        };

        return RUN_TESTS(tests);
}
