/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lib/manifest: each field of each file missing, of a wrong type and at its bounds; what no table says;
 * and one text for one content.
 */
#include "unit.h"

#include "cleanup.h"
#include "manifest.h"

#include <errno.h>
#include <string.h>

#define UUID "4210a1b2-0000-1111-2222-333344445555"
#define HASH "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define GIB  (INT64_C(1) << 30)

static char error[JSON_FIELDS_ERROR_SIZE];

static json_t *marker(void)
{
        return json_pack("{s:i, s:s}", "format", 1, "repository_uuid", UUID);
}

static json_t *disk(void)
{
        return json_pack(
                        "{s:i, s:s, s:s, s:i, s:s, s:s, s:I, s:s, s:s, s:s, s:i, s:i, s:{s:s, s:i, "
                        "s:i, s:{s:s, s:s}}}",
                        "format", 1, "backup_id", "backup-web-1700000000", "instance_uuid", UUID,
                        "disk_key", 2000, "backup_type", "incremental", "parent_backup_id",
                        "backup-web-1600000000", "capacity_bytes", (json_int_t) 8 * GIB,
                        "backing_uuid", "6000C29-x", "change_id", "52 3c/7", "reason",
                        "its first one\nfailed", "size_bytes", 4711, "created_usec", 1, "digest",
                        "algorithm", "sha256-tree", "leaf_bytes", 1 << 20, "block_bytes", 4 << 20,
                        "blocks", "0", HASH, "2047", HASH);
}

static json_t *record(void)
{
        return json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:s, s:s, "
                         "s:[{s:i, s:i, s:s, s:I, s:s, s:s, s:i, s:s}], s:[{s:i, s:i, s:s, s:I, "
                         "s:s}]}",
                         "format", 1, "backup_id", "backup-web-1700000000", "instance_uuid", UUID,
                         "context_id", "ctx-web-20231114-221320", "vm_name", "Büro [1]", "vm_path",
                         "/DC/vm/Büro [1]", "backup_type", "full", "created_usec", 1,
                         "committed_usec", 2, "principal", "uid:0", "version", "0.1.0", "disks",
                         "disk_key", 2000, "unit_number", 0, "controller", "scsi0",
                         "capacity_bytes", (json_int_t) GIB, "backup_type", "full", "file",
                         UUID "/2000/backup-web-1700000000.qcow2", "size_bytes", 1,
                         "manifest_sha256", HASH, "excluded", "disk_key", 2001, "unit_number", 1,
                         "controller", "scsi0", "capacity_bytes", (json_int_t) GIB, "reason",
                         "independent");
}

static void expect(ManifestKind kind, json_t *object, int want, const char *text)
{
        int r;

        error[0] = '\0';
        r = manifest_check(kind, object, error);
        if (r != want || !strstr(error, text))
                fail_msg("%i \"%s\" instead of %i \"%s\"", r, error, want, text);
}

static void good_ones(void **state)
{
        json_t *objects[] = { marker(), disk(), record() };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(objects); i++) {
                _cleanup_free_ char *text = NULL, *again = NULL;
                json_t *back = NULL;

                assert_non_null(objects[i]);
                expect((ManifestKind) i, objects[i], 0, "");
                assert_int_equal(manifest_format((ManifestKind) i, objects[i], &text, error), 0);
                assert_int_equal(manifest_parse((ManifestKind) i, text, strlen(text), &back, error),
                                 0);
                assert_true(json_equal(objects[i], back));
                assert_int_equal(manifest_format((ManifestKind) i, back, &again, error), 0);
                assert_string_equal(text, again);
                assert_int_equal(text[strlen(text) - 1], '\n');
                json_decref(back);
                json_decref(objects[i]);
        }
}

/* Without it, with a value of a type that no field has, and beside one that nobody knows. */
static void each_member(ManifestKind kind, json_t *(*make)(void), const char *const optional[])
{
        json_t *whole = make(), *value;
        const char *key;

        json_object_foreach (whole, key, value) {
                json_t *object = make();
                bool may_miss = false;

                for (size_t i = 0; optional[i]; i++)
                        may_miss = may_miss || strcmp(optional[i], key) == 0;
                assert_int_equal(json_object_del(object, key), 0);
                expect(kind, object, may_miss ? 0 : -EBADMSG, may_miss ? "" : key);
                assert_int_equal(json_object_set_new(object, key, json_true()), 0);
                expect(kind, object, -EBADMSG, key);
                if (json_is_string(value)) {
                        assert_int_equal(json_object_set_new(object, key, json_string("")), 0);
                        expect(kind, object, -EBADMSG, key);
                }
                if (json_is_integer(value)) {
                        assert_int_equal(json_object_set_new(object, key, json_integer(-1)), 0);
                        expect(kind, object, -EBADMSG, key);
                }
                json_decref(object);
        }
        assert_int_equal(json_object_set_new(whole, "more\n", json_true()), 0);
        expect(kind, whole, -EBADMSG, "\"more?\" is unknown");
        json_decref(whole);
}

static void members(void **state)
{
        static const char *const none[] = { NULL };
        static const char *const layer[] = { "backing_uuid", "change_id", "reason", NULL };

        (void) state;
        each_member(MANIFEST_MARKER, marker, none);
        each_member(MANIFEST_DISK, disk, layer);
        each_member(MANIFEST_RECORD, record, none);
}

static void set(ManifestKind kind, json_t *(*make)(void), const char *list, const char *key,
                json_t *value, const char *text)
{
        json_t *object = make();
        json_t *target = list ? json_object_get(object, list) : object;

        if (json_is_array(target))
                target = json_array_get(target, 0);
        assert_int_equal(json_object_set_new(target, key, value), 0);
        expect(kind, object, *text ? -EBADMSG : 0, text);
        json_decref(object);
}

static void bounds(void **state)
{
        _cleanup_free_ char *fits = unit_repeat('x', 255), *too_long = unit_repeat('x', 256);

        (void) state;
        set(MANIFEST_DISK, disk, NULL, "change_id", json_string(fits), "");
        set(MANIFEST_DISK, disk, NULL, "change_id", json_string(too_long), "256 characters");
        set(MANIFEST_DISK, disk, NULL, "disk_key", json_integer(INT32_MAX), "");
        set(MANIFEST_DISK, disk, NULL, "disk_key", json_integer(INT64_C(1) << 31), "disk_key");
        set(MANIFEST_DISK, disk, NULL, "capacity_bytes", json_integer(8 * GIB - 100), "512");
        set(MANIFEST_DISK, disk, NULL, "capacity_bytes", json_integer(9 * GIB), "block_bytes");
        set(MANIFEST_DISK, disk, NULL, "backup_type", json_string("full"), "parent");
        set(MANIFEST_DISK, disk, NULL, "backup_type", json_string("Full"), "backup_type");
        set(MANIFEST_DISK, disk, NULL, "parent_backup_id", json_string("backup-web-1700000000"),
            "own parent");
        set(MANIFEST_DISK, disk, NULL, "parent_backup_id", json_string("../x"), "parent_backup_id");
        set(MANIFEST_DISK, disk, "digest", "block_bytes", json_integer(8 << 20), "block_bytes");
        set(MANIFEST_DISK, disk, "digest", "algorithm", json_string("sha256"), "algorithm");
        set(MANIFEST_DISK, disk, "digest", "leaf_bytes", json_integer(2 << 20), "leaf_bytes");
        set(MANIFEST_DISK, disk, "digest", "blocks", json_pack("{s:s}", "2048", HASH), "2048");
        set(MANIFEST_DISK, disk, "digest", "blocks", json_pack("{s:s}", "01", HASH), "01");
        set(MANIFEST_DISK, disk, "digest", "blocks", json_pack("{s:s}", "1", "00"), "block 1");
        set(MANIFEST_DISK, disk, "digest", "blocks", json_pack("{s:i}", "1", 1), "block 1");
        set(MANIFEST_DISK, disk, "digest", "blocks", json_object(), "");
        set(MANIFEST_MARKER, marker, NULL, "repository_uuid",
            json_string("4210A1B2-0000-1111-2222-333344445555"), "lower case");
        set(MANIFEST_RECORD, record, "disks", "file", json_string("x.qcow2"), "file must be");
        set(MANIFEST_RECORD, record, "disks", "disk_key", json_integer(2001), "file must be");
        set(MANIFEST_RECORD, record, "disks", "more", json_true(), "more");
        set(MANIFEST_RECORD, record, "disks", "manifest_sha256", json_string("00"), "64 hex");
        set(MANIFEST_RECORD, record, "disks", "backup_type", json_string("incremental"), "parent");
        set(MANIFEST_RECORD, record, "excluded", "disk_key", json_integer(2000), "twice");
        set(MANIFEST_RECORD, record, "excluded", "reason", json_string(""), "reason");
        set(MANIFEST_RECORD, record, NULL, "disks", json_array(), "0 elements");
        set(MANIFEST_RECORD, record, NULL, "excluded", json_array(), "");
        set(MANIFEST_RECORD, record, NULL, "context_id", json_string("ctx"), "context_id");
}

static void incremental_in_full(void **state)
{
        json_t *object = record(), *first = json_array_get(json_object_get(object, "disks"), 0);

        (void) state;
        (void) json_object_set_new(first, "backup_type", json_string("incremental"));
        (void) json_object_set_new(first, "parent_backup_id", json_string("backup-web-1"));
        expect(MANIFEST_RECORD, object, -EBADMSG, "incremental in a full");
        (void) json_object_set_new(object, "backup_type", json_string("incremental"));
        expect(MANIFEST_RECORD, object, 0, "");
        json_decref(object);
}

/* A later format is told apart from a broken file, whatever else is in it. */
static void newer(void **state)
{
        json_t *object = json_pack("{s:i, s:b}", "format", 2, "anything", 1);

        (void) state;
        expect(MANIFEST_RECORD, object, -EPROTONOSUPPORT, "newer");
        json_decref(object);
}

static void no_files(void **state)
{
        _cleanup_free_ char *spaces = unit_repeat(' ', MANIFEST_SIZE_MAX + 1);
        json_t *object = NULL;

        (void) state;
        assert_int_equal(manifest_parse(MANIFEST_DISK, "", 0, &object, error), -EBADMSG);
        assert_int_equal(manifest_parse(MANIFEST_DISK, "[]", 2, &object, error), -EBADMSG);
        assert_int_equal(manifest_parse(MANIFEST_DISK, "{}", 2, &object, error), -EBADMSG);
        assert_string_equal(error, "the manifest: format is missing");
        assert_int_equal(manifest_parse(MANIFEST_DISK, spaces, MANIFEST_SIZE_MAX + 1, &object,
                                        error),
                         -EFBIG);
        assert_null(object);
        expect(MANIFEST_DISK, NULL, -EBADMSG, "no object");
}

static void block_sizes(void **state)
{
        (void) state;
        assert_int_equal(manifest_block_bytes(0), 4 << 20);
        assert_int_equal(manifest_block_bytes(1), 4 << 20);
        assert_int_equal(manifest_block_bytes(8 * GIB), 4 << 20);
        assert_int_equal(manifest_block_bytes(8 * GIB + 1), 8 << 20);
        assert_int_equal(manifest_block_bytes(16 * GIB), 8 << 20);
        assert_int_equal(manifest_block_bytes(62 * GIB * 1024), 32 * GIB);
        assert_int_equal(manifest_block_bytes(MANIFEST_CAPACITY_MAX), 512 * GIB);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(good_ones),   cmocka_unit_test(members),
                cmocka_unit_test(bounds),      cmocka_unit_test(incremental_in_full),
                cmocka_unit_test(newer),       cmocka_unit_test(no_files),
                cmocka_unit_test(block_sizes),
        };

        return RUN_TESTS(tests);
}
