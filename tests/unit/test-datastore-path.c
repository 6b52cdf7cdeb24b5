/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lib/datastore-path: names that people give, addresses in which each of their characters means itself,
 * and paths that lead elsewhere.
 */
#include "unit.h"

#include "cleanup.h"
#include "datastore-path.h"

#include <errno.h>
#include <string.h>

static void parsed(void **state)
{
        static const struct {
                const char *text, *datastore, *file;
        } paths[] = {
                { "[ds] vm.vmdk", "ds", "vm.vmdk" },
                { "[datastore1] web01/web01.vmdk", "datastore1", "web01/web01.vmdk" },
                { "[fast disks] odd & ü [x] a%2fb/odd & ü [x] a%2fb.vmdk", "fast disks",
                  "odd & ü [x] a%2fb/odd & ü [x] a%2fb.vmdk" },
                { "[a[b]c] d/e", "a[b]c", "d/e" },
                { "[a]  b/c", "a", " b/c" },
                { "[a] .b/..c/...", "a", ".b/..c/..." },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
                CLEANUP(datastore_path_done) DatastorePath path = {};

                assert_int_equal(datastore_path_parse(paths[i].text, &path), 0);
                assert_string_equal(path.datastore, paths[i].datastore);
                assert_string_equal(path.file, paths[i].file);
        }
}

static void refused(void **state)
{
        static const char *const paths[] = {
                "",          "ds/vm.vmdk", "[ds]",           "[ds] ",      "[ds]x",
                "[] a/b",    "[ds a/b",    "[ds] /a/b",      "[ds] a//b",  "[ds] a/",
                "[ds] ./a",  "[ds] ../a",  "[ds] a/../../b", "[ds] a/.",   "[ds] ..",
                "[ds] a\nb", "[d\rs] a",   "[ds] a\x7f",     "[ds] a\xfc", "[\xc3] a",
                " [ds] a/b", "[ds]\ta/b",  "[ds] a\x1b[2Jb", "x[ds] a/b",  "[ds] /",
        };
        DatastorePath path = {};

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(paths); i++)
                assert_int_equal(datastore_path_parse(paths[i], &path), -EINVAL);
        assert_null(path.datastore);
        assert_null(path.file);
}

static void lengths(void **state)
{
        static const struct {
                size_t datastore, file;
                int result;
        } sizes[] = {
                { DATASTORE_NAME_MAX, DATASTORE_FILE_MAX, 0 },
                { DATASTORE_NAME_MAX + 1, 1, -E2BIG },
                { 1, DATASTORE_FILE_MAX + 1, -E2BIG },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                _cleanup_free_ char *datastore = unit_repeat('d', sizes[i].datastore),
                                    *file = unit_repeat('f', sizes[i].file), *text = NULL;
                CLEANUP(datastore_path_done) DatastorePath path = {};

                assert_true(asprintf(&text, "[%s] %s", datastore, file) > 0);
                assert_int_equal(datastore_path_parse(text, &path), sizes[i].result);
        }
}

static void beside(void **state)
{
        CLEANUP(datastore_path_done) DatastorePath deep = {}, top = {}, flat = {};

        (void) state;
        assert_int_equal(datastore_path_parse("[d s] a/b/c.vmdk", &deep), 0);
        assert_int_equal(datastore_path_beside(&deep, "c-flat.vmdk", &flat), 0);
        assert_string_equal(flat.datastore, "d s");
        assert_string_equal(flat.file, "a/b/c-flat.vmdk");
        datastore_path_done(&flat);
        assert_int_equal(datastore_path_parse("[ds] c.vmdk", &top), 0);
        assert_int_equal(datastore_path_beside(&top, "c-flat.vmdk", &flat), 0);
        assert_string_equal(flat.file, "c-flat.vmdk");
        datastore_path_done(&flat);
        assert_int_equal(datastore_path_beside(&deep, "../x", &flat), -EINVAL);
        assert_int_equal(datastore_path_beside(&deep, "x/y", &flat), -EINVAL);
        assert_int_equal(datastore_path_beside(&deep, "..", &flat), -EINVAL);
        assert_int_equal(datastore_path_beside(&deep, "", &flat), -EINVAL);
        assert_null(flat.file);
}

static void urls(void **state)
{
        static const struct {
                const char *path, *host, *datacenter, *url;
        } urls[] = {
                { "[ds] a/b.vmdk", "vc.example", "DC0",
                  "https://vc.example:443/folder/a/b.vmdk?dcPath=DC0&dsName=ds" },
                { "[fast disks] Pröd & [x]/100%25 #1?.vmdk", "vc", "Sites/DC 1&2",
                  "https://vc:443/folder/Pr%C3%B6d%20%26%20%5Bx%5D/100%2525%20%231%3F.vmdk"
                  "?dcPath=Sites%2FDC%201%262&dsName=fast%20disks" },
                { "[a=b;c+d] e:f@g", "10.0.0.1", "ha-datacenter",
                  "https://10.0.0.1:443/folder/"
                  "e%3Af%40g?dcPath=ha-datacenter&dsName=a%3Db%3Bc%2Bd" },
                { "[ds] ~-._", "fe80::1", "DC0",
                  "https://[fe80::1]:443/folder/~-._?dcPath=DC0&dsName=ds" },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(urls); i++) {
                CLEANUP(datastore_path_done) DatastorePath path = {};
                _cleanup_free_ char *url = NULL;

                assert_int_equal(datastore_path_parse(urls[i].path, &path), 0);
                assert_int_equal(datastore_path_url(&path, urls[i].host, 443, urls[i].datacenter,
                                                    &url),
                                 0);
                assert_string_equal(url, urls[i].url);
        }
}

static void urls_refused(void **state)
{
        static const char *const hosts[] = {
                "", "a/b", "a b", "u@h", "h?x", "h#x", "[::1]", "h\n"
        };
        static const char *const datacenters[] = { "", "D\nC", "D\xfc" };
        CLEANUP(datastore_path_done) DatastorePath path = {};
        char *url = NULL;

        (void) state;
        assert_int_equal(datastore_path_parse("[ds] a/b.vmdk", &path), 0);
        for (size_t i = 0; i < ELEMENTSOF(hosts); i++)
                assert_int_equal(datastore_path_url(&path, hosts[i], 443, "DC0", &url), -EINVAL);
        for (size_t i = 0; i < ELEMENTSOF(datacenters); i++)
                assert_int_equal(datastore_path_url(&path, "h", 443, datacenters[i], &url),
                                 -EINVAL);
        assert_int_equal(datastore_path_url(&path, "h", 0, "DC0", &url), -EINVAL);
        assert_null(url);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(parsed), cmocka_unit_test(refused), cmocka_unit_test(lengths),
                cmocka_unit_test(beside), cmocka_unit_test(urls),    cmocka_unit_test(urls_refused),
        };

        return RUN_TESTS(tests);
}
