/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * busd/hub/job/target-mount: tables of mounts as kernels write them, and which line is that of a path.
 */
#include "unit.h"

#include "cleanup.h"
#include "job/target-mount.h"

#include <string.h>

static const char table[] =
                "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
                "22 21 0:20 / /tmp rw - tmpfs tmpfs rw\n"
                "30 21 8:17 / /srv/nas rw shared:3 master:2 - ext4 /dev/sdb1 rw\n"
                "31 30 0:40 / /srv/nas rw - nfs4 filer:/export/a\\040b rw,addr=10.0.0.1\n"
                "32 21 0:41 / /srv/two\\040words rw - cifs //filer/share rw\n"
                "33 21 0:42 / /auto rw - autofs systemd-1 rw,fd=30\n"
                "34 33 8:33 / /auto/disk rw - xfs /dev/sdc1 rw\n"
                "a line that is none\n";

static void is_on(const char *path, const char *want)
{
        FILE *file = fmemopen((char *) table, sizeof(table) - 1, "r");
        json_t *found, *expected = want ? json_loads(want, 0, NULL) : NULL;

        assert_non_null(file);
        found = target_mount_find(file, path);
        assert_int_equal(fclose(file), 0);
        assert_true(found ? json_equal(found, expected) : !want);
        json_decref(found);
        json_decref(expected);
}

static void test_finds_the_longest_and_topmost(void **state)
{
        (void) state;
        is_on("/srv/out/disk.raw", "{\"point\": \"/\", \"type\": \"ext4\"}");
        is_on("/tmp/disk.raw", "{\"point\": \"/tmp\", \"type\": \"tmpfs\", \"source\": \"tmpfs\"}");
        is_on("/srv/nas/deep/disk.raw", "{\"point\": \"/srv/nas\", \"type\": \"nfs4\", "
                                        "\"source\": \"filer:/export/a b\"}");
        is_on("/srv/nas2/disk.raw", "{\"point\": \"/\", \"type\": \"ext4\"}");
        is_on("/srv/two words/x", "{\"point\": \"/srv/two words\", \"type\": \"cifs\", "
                                  "\"source\": \"//filer/share\"}");
}

static void test_automounter_is_not_known(void **state)
{
        (void) state;
        is_on("/auto/other/disk.raw", NULL);
        is_on("/auto/disk/disk.raw", "{\"point\": \"/auto/disk\", \"type\": \"xfs\"}");
}

static void test_away(void **state)
{
        char text[300] = "";
        json_t *now = target_mount_look("/proc/self"), *was;

        (void) state;
        assert_non_null(now);
        assert_string_equal(json_string_value(json_object_get(now, "type")), "proc");
        assert_false(target_mount_is_away(now, "/proc/self", text, sizeof(text)));
        assert_false(target_mount_is_away(NULL, "/proc/self", text, sizeof(text)));
        assert_string_equal(text, "");
        was = json_pack("{s:s, s:s, s:s}", "point", "/proc/self", "type", "nfs4", "source",
                        "filer:/x");
        assert_true(target_mount_is_away(was, "/proc/self", text, sizeof(text)));
        assert_string_equal(text, "/proc/self is not on the file system that it was on: "
                                  "/proc/self (nfs4 of filer:/x) is not mounted; mount it again");
        json_decref(was);
        json_decref(now);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_finds_the_longest_and_topmost),
                cmocka_unit_test(test_automounter_is_not_known),
                cmocka_unit_test(test_away),
        };

        return RUN_TESTS(tests);
}
