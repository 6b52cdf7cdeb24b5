/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * helpers/files/fstab: which lines of a guest's fstab mean a disk that should be there.
 */
#include "unit.h"

#include "fstab.h"

#include <stdio.h>
#include <string.h>

/* The places of the lines that are disks, one after the other. */
static void expect(const char *text, const char *places)
{
        char copy[1024], found[256] = "", *rest = copy;
        FstabLine line;

        (void) snprintf(copy, sizeof(copy), "%s", text);
        while (fstab_next(&rest, &line))
                if (fstab_line_is_disk(&line))
                        (void) snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s;",
                                        line.place);
        assert_string_equal(found, places);
        assert_null(rest);
}

static void test_which_lines_are_disks(void **state)
{
        (void) state;
        expect("", "");
        expect("# /dev/sda1 /x ext4\n\n   \nUUID=1 / ext4 defaults 0 1\n", "");
        expect("/dev/sda2 /home\n\t/dev/vg/var   /var\text4\r\nLABEL=x /srv/ xfs noatime",
               "/home;/var;/srv;");
        expect("UUID=1 /a\nPARTUUID=2 /b\nPARTLABEL=c /c\n", "/a;/b;/c;");
        expect("proc /proc proc\ntmpfs /tmp tmpfs\nnas:/x /x nfs\n//nas/y /y cifs\n/home /h none "
               "bind\n",
               "");
        expect("/dev/sda5 none swap sw\n/dev/sda5 /swap swap\n/dev/sr0 /cd auto\n/dev/fd0 /fd "
               "auto\n",
               "");
        expect("UUID=1 /usb ext4 user,noauto,nofail\nUUID=1 /data ext4 nofail,x-noauto\n",
               "/data;");
        expect("UUID=1\n/dev/sda1 /ok", "/ok;");
}

static void test_escapes(void **state)
{
        static const struct {
                const char *in, *out;
        } cases[] = {
                { "/my\\040data", "/my data" },
                { "/a\\134b", "/a\\b" },
                { "/a\\", "/a\\" },
                { "/a\\04", "/a\\04" },
                { "/a\\400", "/a\\400" },
                { "/a\\000b", "/a\\000b" },
                { "/a\\377", "/a\377" },
                { "/a///", "/a" },
                { "/", "/" },
                { "", "" },
                { "//", "/" },
                { "/a\\057", "/a" },
        };

        (void) state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                char field[32];

                (void) snprintf(field, sizeof(field), "%s", cases[i].in);
                fstab_unescape(field);
                assert_string_equal(field, cases[i].out);
        }
}

static void test_options(void **state)
{
        FstabLine line = { .options = "rw,noauto,x" };

        (void) state;
        assert_true(fstab_line_has_option(&line, "rw"));
        assert_true(fstab_line_has_option(&line, "noauto"));
        assert_true(fstab_line_has_option(&line, "x"));
        assert_false(fstab_line_has_option(&line, "auto"));
        assert_false(fstab_line_has_option(&line, "noaut"));
        line.options = "";
        assert_false(fstab_line_has_option(&line, "noauto"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_which_lines_are_disks),
                cmocka_unit_test(test_escapes),
                cmocka_unit_test(test_options),
        };

        return RUN_TESTS(tests);
}
