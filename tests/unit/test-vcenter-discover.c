/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * busd/hub/node/vcenter-discover: what a node says of a VM as the hub's row, what of it is refused, and which disks cannot be backed
 * up. The answers are a stranger's.
 */
#include "unit.h"

#include "cleanup.h"
#include "job/job.h"
#include "json-cleanup.h"
#include "node/vcenter-discover.h"

#include <string.h>

#define UUID "50112233-4455-6677-8899-aabbccddeeff"

static json_t *good(void)
{
        json_t *vm = json_loads(
                        "{\"name\":\"web\",\"path\":\"DC0/vm/web\",\"instance_uuid\":\"" UUID
                        "\",\"surprise\":null,\"disks\":[{\"disk_key\":2000,"
                        "\"controller\":\"scsi0\",\"unit_number\":0,\"capacity_bytes\":1024,"
                        "\"backing_uuid\":\"b0\",\"verdict\":\"incremental\"},"
                        "{\"disk_key\":2001,\"controller\":\"scsi0\",\"unit_number\":1,"
                        "\"capacity_bytes\":512,\"backing_uuid\":\"\",\"verdict\":\"no\","
                        "\"reason\":\"a raw device\"}]}",
                        0, NULL);

        assert_non_null(vm);
        return vm;
}

static void rows(void **state)
{
        CLEANUP(json_decref_p) json_t *vm = good(), *want = NULL, *row = NULL;
        const char *reason = "";

        (void) state;
        want = json_loads("{\"InstanceUuid\":\"" UUID "\",\"Name\":\"web\",\"Path\":\"DC0/vm/web\","
                          "\"Disks\":[{\"Key\":2000,\"Controller\":\"scsi0\",\"UnitNumber\":0,"
                          "\"CapacityBytes\":1024,\"BackingUuid\":\"b0\"},{\"Key\":2001,"
                          "\"Controller\":\"scsi0\",\"UnitNumber\":1,\"CapacityBytes\":512}]}",
                          0, NULL);
        row = vcenter_vm_row(vm, &reason);
        assert_non_null(row);
        assert_null(reason);
        assert_true(json_equal(row, want));
}

static void unusable(void **state)
{
        CLEANUP(json_decref_p) json_t *vm = good(), *list = NULL, *want = NULL, *none = NULL;
        CLEANUP(json_decref_p) json_t *empty = json_object();

        (void) state;
        list = vcenter_vm_unusable(vm);
        want = json_loads("[{\"Key\":2001,\"Reason\":\"a raw device\"}]", 0, NULL);
        assert_true(json_equal(list, want));
        none = vcenter_vm_unusable(empty);
        assert_int_equal(json_array_size(none), 0);
}

/* A member with another value, of the VM or of its first disk. */
static void refused_with(bool of_disk, const char *key, json_t *value, const char *word)
{
        CLEANUP(json_decref_p) json_t *vm = good();
        json_t *object = of_disk ? json_array_get(json_object_get(vm, "disks"), 0) : vm;
        const char *reason = NULL;

        assert_int_equal(json_object_set_new(object, key, value), 0);
        assert_null(vcenter_vm_row(vm, &reason));
        assert_non_null(reason);
        if (!strstr(reason, word))
                fail_msg("%s: '%s' does not say %s", key, reason, word);
}

static json_t *text_of_size(size_t size)
{
        char text[2048];

        memset(text, 'x', sizeof(text));
        assert_true(size < sizeof(text));
        return json_stringn(text, size);
}

static json_t *many_disks(size_t n)
{
        json_t *disks = json_array();

        for (size_t i = 0; i < n; i++)
                assert_int_equal(json_array_append_new(disks, json_pack("{s:i, s:i}", "disk_key",
                                                                        (int) (2000 + i),
                                                                        "capacity_bytes", 512)),
                                 0);
        return disks;
}

static void refusals(void **state)
{
        static const char *const bad_uuids[] = {
                "",
                "50112233-4455-6677-8899-aabbccddeeff0",
                "50112233445566778899aabbccddeeff0000",
                "50112233-4455-6677-8899-AABBCCDDEEFF",
                "../../../../../../../../../etc/passwd",
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(bad_uuids); i++)
                refused_with(false, "instance_uuid", json_string(bad_uuids[i]), "UUID");
        refused_with(false, "instance_uuid", json_integer(7), "UUID");
        refused_with(false, "name", json_string(""), "name");
        refused_with(false, "name", text_of_size(256), "name");
        refused_with(false, "path", text_of_size(1025), "path");
        refused_with(false, "disks", json_null(), "disks");
        refused_with(false, "unusable", json_string("a disk without a capacity"),
                     "a disk without a capacity");
        refused_with(false, "disks", many_disks(JOB_DISKS_MAX + 1), "too many disks");
        refused_with(true, "disk_key", json_integer(0), "disk");
        refused_with(true, "disk_key", json_integer(INT64_C(1) << 31), "disk");
        refused_with(true, "disk_key", json_integer(2001), "disk");
        refused_with(true, "disk_key", json_string("2000"), "disk");
        refused_with(true, "capacity_bytes", json_integer(0), "disk");
        refused_with(true, "capacity_bytes", json_integer(-512), "disk");
        refused_with(true, "capacity_bytes", json_integer(513), "disk");
        refused_with(true, "unit_number", json_integer(-1), "disk");
        refused_with(true, "unit_number", json_integer(INT64_C(1) << 32), "disk");
        refused_with(true, "controller", text_of_size(65), "disk");
        refused_with(true, "backing_uuid", text_of_size(65), "disk");
}

static void bounds(void **state)
{
        CLEANUP(json_decref_p) json_t *vm = good(), *row = NULL;
        const char *reason;

        (void) state;
        assert_int_equal(json_object_set_new(vm, "name", text_of_size(255)), 0);
        assert_int_equal(json_object_set_new(vm, "path", text_of_size(1024)), 0);
        assert_int_equal(json_object_set_new(vm, "disks", many_disks(JOB_DISKS_MAX)), 0);
        row = vcenter_vm_row(vm, &reason);
        assert_int_equal(json_array_size(json_object_get(row, "Disks")), JOB_DISKS_MAX);
        assert_null(json_object_get(row, "Host"));
        json_decref(row);
        assert_int_equal(json_object_set_new(vm, "host", text_of_size(80)), 0);
        row = vcenter_vm_row(vm, &reason);
        assert_int_equal(strlen(json_string_value(json_object_get(row, "Host"))), 80);
        json_decref(row);
        assert_int_equal(json_object_set_new(vm, "host", text_of_size(81)), 0);
        row = vcenter_vm_row(vm, &reason);
        assert_non_null(row);
        assert_null(json_object_get(row, "Host"));
        reason = NULL;
        assert_null(vcenter_vm_row(NULL, &reason));
        assert_non_null(reason);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(rows),
                cmocka_unit_test(unusable),
                cmocka_unit_test(refusals),
                cmocka_unit_test(bounds),
        };

        return RUN_TESTS(tests);
}
