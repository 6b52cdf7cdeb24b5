/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The copy client's reader of --nbd-targets: what people write, what they get wrong, and its bounds.
 */
#include "unit.h"

#include "cleanup.h"
#include "nbd-targets.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void parsed(void **state)
{
        CLEANUP(nbd_targets_done) NbdTargets targets = {};
        Failure failure = {};

        (void) state;
        assert_int_equal(nbd_targets_parse("2000:nbd://127.0.0.1:10100/a,"
                                           "32000:nbd+unix:///b%2Cc?socket=/run/x.sock",
                                           &targets, &failure),
                         0);
        assert_int_equal(targets.n, 2);
        assert_int_equal(targets.list[1].disk_key, 32000);
        assert_string_equal(nbd_targets_find(&targets, 2000), "nbd://127.0.0.1:10100/a");
        assert_string_equal(nbd_targets_find(&targets, 32000),
                            "nbd+unix:///b%2Cc?socket=/run/x.sock");
        assert_null(nbd_targets_find(&targets, 2001));
}

static void refused(void **state)
{
        static const struct {
                const char *text, *why;
                uint32_t disk_key;
        } lists[] = {
                { "", "does not begin with the key", 0 },
                { "2000", "does not begin with the key", 0 },
                { "nbd://h/x", "does not begin with the key", 0 },
                { "0:nbd://h/x", "does not begin with the key", 0 },
                { "-1:nbd://h/x", "does not begin with the key", 0 },
                { "99999999999999999999:nbd://h/x", "does not begin with the key", 0 },
                { " 2000:nbd://h/x", "does not begin with the key", 0 },
                { "2000:", "is no target for disk 2000", 2000 },
                { "2000:http://h/x", "is no target for disk 2000", 2000 },
                { "2000:nbd://h/x,", "does not begin with the key", 0 },
                { "2000:nbd://h/x, 2001:nbd://h/y", "does not begin with the key", 0 },
                { "2000:nbd://h/x,2000:nbd://h/y", "two targets for disk 2000", 2000 },
                { "2000:nbd://h/x,2001:nbd://h/x", "disks 2000 and 2001 have the same", 2001 },
                { "2000:nbd://h/x,2001:nbd://h:10809/x", "disks 2000 and 2001 have", 2001 },
                { "2000:nbd://h/x,2001:nbd://h/%78", "disks 2000 and 2001 have", 2001 },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(lists); i++) {
                NbdTargets targets = {};
                Failure failure = {};

                assert_int_equal(nbd_targets_parse(lists[i].text, &targets, &failure), -EINVAL);
                assert_non_null(failure.name);
                if (!strstr(failure.text, lists[i].why))
                        fail_msg("\"%s\": %s", lists[i].text, failure.text);
                assert_int_equal(failure.disk_key, lists[i].disk_key);
                assert_null(targets.list);
        }
}

/* n targets, for free(). */
static char *many(size_t n)
{
        char *text = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&text, &size);

        assert_non_null(f);
        for (size_t i = 0; i < n; i++)
                (void) fprintf(f, "%s%zu:nbd://h/%zu", i > 0 ? "," : "", i + 1, i);
        (void) fclose(f);
        return text;
}

static void bounds(void **state)
{
        (void) state;
        for (size_t n = NBD_TARGETS_MAX; n <= NBD_TARGETS_MAX + 1; n++) {
                CLEANUP(nbd_targets_done) NbdTargets targets = {};
                _cleanup_free_ char *text = many(n);
                Failure failure = {};

                assert_int_equal(nbd_targets_parse(text, &targets, &failure),
                                 n <= NBD_TARGETS_MAX ? 0 : -EINVAL);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(parsed),
                cmocka_unit_test(refused),
                cmocka_unit_test(bounds),
        };

        return RUN_TESTS(tests);
}
