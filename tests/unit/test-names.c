/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lib/names: unit names both ways, ids from the worst names a VM can have.
 */
#include "unit.h"

#include "cleanup.h"
#include "names.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void expect_unit(UnitName name, const char *want)
{
        char text[UNIT_NAME_SIZE];
        UnitName back;

        assert_int_equal(unit_name_to_string(&name, text), 0);
        assert_string_equal(text, want);
        assert_int_equal(unit_name_from_string(text, &back), 0);
        assert_int_equal(back.kind, name.kind);
        assert_true(back.job == name.job);
        assert_int_equal(back.disk_key, name.disk_key);
        assert_string_equal(back.step, name.step);
}

static void units_both_ways(void **state)
{
        (void) state;
        expect_unit((UnitName){ UNIT_EXPORT_SOCKET, 5, 2000, "" }, "sendense-export-5-2000.socket");
        expect_unit((UnitName){ UNIT_EXPORT_SERVICE, 5, 2000, "" },
                    "sendense-export-5-2000.service");
        expect_unit((UnitName){ UNIT_MOUNT_SOCKET, 5, 2000, "" }, "sendense-mount-5-2000.socket");
        expect_unit((UnitName){ UNIT_MOUNT_SERVICE, 5, 2000, "" }, "sendense-mount-5-2000.service");
        expect_unit((UnitName){ UNIT_COPY_SERVICE, 5, 0, "" }, "sendense-copy-5.service");
        expect_unit((UnitName){ UNIT_IMPORT_SERVICE, 5, 0, "" }, "sendense-import-5.service");
        expect_unit((UnitName){ UNIT_VERIFY_SERVICE, 5, 0, "" }, "sendense-verify-5.service");
        expect_unit((UnitName){ UNIT_RESTORE_SERVICE, 5, 0, "" }, "sendense-restore-5.service");
        expect_unit((UnitName){ UNIT_DELETE_SERVICE, 5, 0, "" }, "sendense-delete-5.service");
        expect_unit((UnitName){ UNIT_FILES_SERVICE, 5, 0, "" }, "sendense-files-5.service");
        expect_unit((UnitName){ UNIT_TASK_TARGET, 5, 0, "" }, "sendense-task@5.target");
        expect_unit((UnitName){ UNIT_TASK_SLICE, 5, 0, "" }, "sendense-tasks-5.slice");
        expect_unit((UnitName){ UNIT_IMAGE_SERVICE, 5, 0, "check-2000" },
                    "sendense-image-5-check-2000.service");
        expect_unit((UnitName){ UNIT_VSPHERE_SERVICE, 7, 0, "snapshot" },
                    "sendense-vsphere-7-snapshot.service");
        expect_unit((UnitName){ UNIT_REPOSITORY_SERVICE, 1, 0, "health" },
                    "sendense-repository-1-health.service");
        expect_unit((UnitName){ UNIT_JOB_TARGET, 5, 0, "" }, "sendense-job@5.target");
        expect_unit((UnitName){ UNIT_JOB_SLICE, 5, 0, "" }, "sendense-jobs-5.slice");
        expect_unit((UnitName){ UNIT_EXPORT_SERVICE, JOB_NUMBER_MAX, DISK_KEY_MAX, "" },
                    "sendense-export-9223372036854775807-2147483647.service");
        expect_unit((UnitName){ UNIT_IMAGE_SERVICE, JOB_NUMBER_MAX, 0,
                                "abcdefghijklmnopqrstuvwxyz012345" },
                    "sendense-image-9223372036854775807-abcdefghijklmnopqrstuvwxyz012345.service");
}

/* A machine that is hub and node: what is one's is never the other's. */
static void sides(void **state)
{
        (void) state;
        for (UnitKind kind = 0; kind < UNIT_KIND_MAX; kind++) {
                UnitSide side = unit_kind_side(kind);

                assert_int_equal(unit_kind_side(unit_kind_target(kind)), side);
                assert_int_equal(unit_kind_side(unit_kind_slice(kind)), side);
        }
        assert_int_equal(unit_kind_side(UNIT_IMPORT_SERVICE), UNITS_OF_HUB);
        assert_int_equal(unit_kind_side(UNIT_COPY_SERVICE), UNITS_OF_NODE);
        assert_int_equal(unit_kind_side(UNIT_VSPHERE_SERVICE), UNITS_OF_NODE);
        assert_int_equal(unit_kind_slice(UNIT_EXPORT_SERVICE), UNIT_JOB_SLICE);
        assert_int_equal(unit_kind_slice(UNIT_COPY_SERVICE), UNIT_TASK_SLICE);
}

static void sockets(void **state)
{
        (void) state;
        for (UnitKind kind = 0; kind < UNIT_KIND_MAX; kind++) {
                UnitName name = { kind, 5, 0, "" }, service = { unit_kind_service(kind), 5, 0, "" };
                char text[UNIT_NAME_SIZE], service_text[UNIT_NAME_SIZE];

                name.disk_key = service.disk_key = 2000;
                if (unit_name_to_string(&name, text) < 0 || !strstr(text, ".socket")) {
                        assert_int_equal(unit_kind_service(kind), UNIT_KIND_INVALID);
                        continue;
                }
                assert_int_equal(unit_name_to_string(&service, service_text), 0);
                (void) snprintf(strstr(text, ".socket"), sizeof(".service"), ".service");
                assert_string_equal(service_text, text);
        }
}

static void units_out_of_bounds(void **state)
{
        const UnitName bad[] = {
                { UNIT_KIND_INVALID, 5, 0, "" },
                { UNIT_KIND_MAX, 5, 0, "" },
                { UNIT_COPY_SERVICE, 0, 0, "" },
                { UNIT_COPY_SERVICE, JOB_NUMBER_MAX + 1, 0, "" },
                { UNIT_COPY_SERVICE, 5, 2000, "" },
                { UNIT_COPY_SERVICE, 5, 0, "x" },
                { UNIT_EXPORT_SOCKET, 5, 0, "" },
                { UNIT_EXPORT_SOCKET, 5, DISK_KEY_MAX + 1, "" },
                { UNIT_EXPORT_SOCKET, 5, 2000, "x" },
                { UNIT_IMAGE_SERVICE, 5, 0, "" },
                { UNIT_IMAGE_SERVICE, 5, 0, "-x" },
                { UNIT_IMAGE_SERVICE, 5, 0, "x-" },
                { UNIT_IMAGE_SERVICE, 5, 0, "x--y" },
                { UNIT_IMAGE_SERVICE, 5, 0, "X" },
                { UNIT_IMAGE_SERVICE, 5, 0, "x/y" },
                { UNIT_IMAGE_SERVICE, 5, 0, "x.y" },
                { UNIT_IMAGE_SERVICE, 5, 2000, "x" },
                { UNIT_REPOSITORY_SERVICE, 1, 0, "" },
                { UNIT_REPOSITORY_SERVICE, 1, 2000, "x" },
        };
        UnitName unterminated = { UNIT_IMAGE_SERVICE, 5, 0, "" };
        char text[UNIT_NAME_SIZE] = "untouched";

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(unit_name_to_string(bad + i, text), -EINVAL);
        memset(unterminated.step, 'x', sizeof(unterminated.step));
        assert_int_equal(unit_name_to_string(&unterminated, text), -EINVAL);
        assert_string_equal(text, "untouched");
}

static void units_not_ours(void **state)
{
        static const char *const bad[] = {
                "",
                "sendense-hub.service",
                "sendense-copy-.service",
                "sendense-copy-0.service",
                "sendense-copy-05.service",
                "sendense-copy-5.socket",
                "sendense-copy-5.service ",
                " sendense-copy-5.service",
                "sendense-copy-5-6.service",
                "sendense-copy-+5.service",
                "sendense-copy-9223372036854775808.service",
                "sendense-copy-18446744073709551621.service", /* 5 beyond 2^64 */
                "sendense-export-5.socket",
                "sendense-export-5-.socket",
                "sendense-export--2000.socket",
                "sendense-export-5-2000-1.socket",
                "sendense-export-5-2147483648.socket",
                "sendense-export-5-02000.socket",
                "sendense-image-5.service",
                "sendense-image-5-.service",
                "sendense-image-5-Check.service",
                "sendense-image-5-abcdefghijklmnopqrstuvwxyz0123456.service",
                "sendense-repository-1.service",
                "sendense-repository-1-scan.socket",
                "sendense-job@.target",
                "sendense-job@x.target",
                "sendense-jobs.slice",
                "sendense-jobs-5.slice.slice",
                "/sendense-copy-5.service",
                ".service",
                "sendense-copy-",
        };
        static const char prefix[] = "sendense-copy-";
        _cleanup_free_ char *longest = unit_repeat('5', (size_t) UNIT_NAME_SIZE * 2);
        UnitName name = { .job = 77 };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                if (unit_name_from_string(bad[i], &name) != -EINVAL)
                        fail_msg("'%s' was taken for ours", bad[i]);
        memcpy(longest, prefix, sizeof(prefix) - 1);
        assert_int_equal(unit_name_from_string(longest, &name), -EINVAL);
        assert_int_equal(name.job, 77);
}

static void slugs(void **state)
{
        static const struct {
                const char *name, *slug;
        } known[] = {
                { "pgtest1", "pgtest1" },
                { "Web Server 01", "Web-Server-01" },
                { "../../etc/passwd", "etc-passwd" },
                { "a/b\\c", "a-b-c" },
                { "Büro [1] & Co.", "B-ro-1-Co" },
                { "...", "vm" },
                { "", "vm" },
                { "-", "vm" },
                { "--a--b--", "a-b" },
                { "日本語", "vm" },
                { "x\n$(reboot)`;'\"", "x-reboot" },
                { "under_score", "under_score" },
                { "\x01\xff\xfe", "vm" },
                { "%2e%2e", "2e-2e" },
        };
        _cleanup_free_ char *n40 = unit_repeat('a', 40), *n41 = unit_repeat('a', 41);
        char slug[VM_SLUG_MAX + 1];

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(known); i++) {
                vm_slug(known[i].name, slug);
                assert_string_equal(slug, known[i].slug);
        }
        vm_slug(n40, slug);
        assert_string_equal(slug, n40);
        vm_slug(n41, slug);
        assert_string_equal(slug, n40);
        n41[39] = ' '; /* a cut must not leave a '-' at the end */
        vm_slug(n41, slug);
        assert_int_equal(strlen(slug), 39);
}

static void backup_ids(void **state)
{
        static const char *const bad[] = {
                "",
                "backup-",
                "backup-vm",
                "backup-vm-",
                "backup--1700000000",
                "backup-vm-01",
                "backup-vm-1 ",
                "backup-vm-1/..",
                "backup-../x-1",
                "backup-a b-1",
                "backup-a--b-1",
                "Backup-vm-1",
                "backup-vm-x",
                "backup-vm-9223372036854775808",
                "backup-.-1",
                "backup-a-b.qcow2",
                "backup-5",
        };
        _cleanup_free_ char *slug = unit_repeat('a', 40), *longer = NULL,
                            *other = unit_repeat('a', 41);
        char id[BACKUP_ID_SIZE];

        (void) state;
        assert_int_equal(backup_id_format("pgtest1", 1700000000, 0, id), 0);
        assert_string_equal(id, "backup-pgtest1-1700000000");
        assert_true(backup_id_is_valid(id));
        assert_int_equal(backup_id_format("../x", 1700000000, 3, id), 0);
        assert_string_equal(id, "backup-x-1700000000-3");
        assert_true(backup_id_is_valid(id));
        assert_int_equal(backup_id_format(slug, INT64_MAX, UINT32_MAX, id), 0);
        assert_true(backup_id_is_valid(id));
        assert_int_equal(backup_id_format("web-1", 0, 0, id), 0);
        assert_true(backup_id_is_valid(id));
        assert_int_equal(backup_id_format("x", -1, 0, id), -EINVAL);

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                if (backup_id_is_valid(bad[i]))
                        fail_msg("'%s' was taken for an id", bad[i]);
        assert_true(asprintf(&longer, "backup-%s-1700000000-4294967296", slug) > 0);
        assert_false(backup_id_is_valid(longer));
        free(longer);
        assert_true(asprintf(&longer, "backup-%s-1700000000", other) > 0);
        assert_false(backup_id_is_valid(longer));
}

static void context_ids(void **state)
{
        static const char *const bad[] = {
                "",
                "ctx-",
                "ctx-vm-20261121",
                "ctx-vm-20261121-12345",
                "ctx-vm-2026112-123456",
                "ctx--20261121-123456",
                "ctx-20261121-123456",
                "ctx-a/b-20261121-123456",
                "ctx-vm-2026112x-123456",
                "ctx-vm-20261121-123456 ",
                "ctx-vm-20261121--123456",
        };
        char id[CONTEXT_ID_SIZE];

        (void) state;
        assert_int_equal(context_id_format("Büro", 1795221296, id), 0);
        assert_string_equal(id, "ctx-B-ro-20261121-003456");
        assert_true(context_id_is_valid(id));
        assert_int_equal(context_id_format("x", 0, id), 0);
        assert_string_equal(id, "ctx-x-19700101-000000");
        assert_int_equal(context_id_format("x", 253402300799, id), 0);
        assert_string_equal(id, "ctx-x-99991231-235959");
        assert_int_equal(context_id_format("x", 253402300800, id), -EINVAL);
        assert_int_equal(context_id_format("x", -1, id), -EINVAL);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                if (context_id_is_valid(bad[i]))
                        fail_msg("'%s' was taken for an id", bad[i]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(units_both_ways), cmocka_unit_test(sides),
                cmocka_unit_test(sockets),         cmocka_unit_test(units_out_of_bounds),
                cmocka_unit_test(units_not_ours),  cmocka_unit_test(slugs),
                cmocka_unit_test(backup_ids),      cmocka_unit_test(context_ids),
        };

        return RUN_TESTS(tests);
}
