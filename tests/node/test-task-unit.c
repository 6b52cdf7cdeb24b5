/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the node asks to be read of each disk: changes alone when the hub knows this very disk and its changes are tracked,
 * all of it in every other case, and then with a reason. And by what a VM is found whose snapshot is to go.
 */
#include "unit.h"

#include "json-cleanup.h"
#include "node-config.h"
#include "node.h"
#include "task-unit.h"

#include <string.h>

typedef struct Case {
        const char *type; /* of the backup */
        const char *known; /* what the hub knows of disk 2000; NULL: nothing */
        const char *disk; /* what the snapshot shows of it, beside its key */
        const char *read, *reason; /* reason: NULL when there is none */
} Case;

#define KNOWN "{\"key\":2000,\"capacity_bytes\":1024,\"backing_uuid\":\"u\",\"change_id\":\"a/1\"}"
#define NOW   "\"capacity_bytes\":1024,\"backing_uuid\":\"u\",\"change_id\":\"a/2\""

static const Case cases[] = {
        { "incremental", KNOWN, NOW, "changed", NULL },
        { "full", KNOWN, NOW, "allocated", NULL },
        { "full", NULL, "\"capacity_bytes\":1024,\"backing_uuid\":\"u\"", "all", NULL },
        { "incremental", NULL, NOW, "allocated", "no change id is known of this disk" },
        { "incremental",
          "{\"key\":2001,\"capacity_bytes\":1024,\"backing_uuid\":\"u\",\"change_id\":\"a/1\"}",
          NOW, "allocated", "no change id is known of this disk" },
        { "incremental",
          "{\"key\":2000,\"capacity_bytes\":1024,\"backing_uuid\":\"u\",\"change_id\":\"\"}", NOW,
          "allocated", "no change id is known of this disk" },
        { "incremental", "{\"key\":2000,\"capacity_bytes\":1024,\"backing_uuid\":\"u\"}", NOW,
          "allocated", "no change id is known of this disk" },
        { "incremental", KNOWN,
          "\"capacity_bytes\":1024,\"backing_uuid\":\"v\",\"change_id\":\"a/2\"", "allocated",
          "another disk is under this key" },
        { "incremental", KNOWN,
          "\"capacity_bytes\":1024,\"backing_uuid\":\"\",\"change_id\":\"a/2\"", "allocated",
          "another disk is under this key" },
        { "incremental", KNOWN,
          "\"capacity_bytes\":2048,\"backing_uuid\":\"u\",\"change_id\":\"a/2\"", "allocated",
          "its capacity has changed" },
        { "incremental", KNOWN,
          "\"capacity_bytes\":512,\"backing_uuid\":\"u\",\"change_id\":\"a/2\"", "allocated",
          "its capacity has changed" },
        { "incremental", KNOWN, "\"capacity_bytes\":1024,\"backing_uuid\":\"u\"", "all",
          "changed block tracking is off" },
};

static json_t *parse(const char *format, ...) __attribute__((format(printf, 1, 2)));
static json_t *parse(const char *format, ...)
{
        char text[1024];
        json_t *json;
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        json = json_loads(text, 0, NULL);
        assert_non_null(json);
        return json;
}

/* A task whose snapshot is made. */
static Task *copying(Node *node, const Case *c)
{
        Task *task = task_new(
                        node,
                        parse("{\"Job\":7,\"Attempt\":1,\"State\":\"copying\",\"Request\":{"
                              "\"vcenter_host\":\"vc\",\"vcenter_user\":\"u\",\"instance_uuid\":"
                              "\"x\",\"backup_type\":\"%s\",\"disks\":[%s],\"nbd_targets\":{"
                              "\"2000\":\"nbd://h/a\"}},\"Snapshot\":{\"vm_moref\":\"vm-1\","
                              "\"snapshot_moref\":\"snapshot-1\",\"disks\":[{\"disk_key\":2000,"
                              "\"datastore_path\":\"[a] a.vmdk\",\"datacenter\":\"DC0\",%s}]}}",
                              c->type, c->known ? c->known : "", c->disk));

        assert_non_null(task);
        return task;
}

static const char *text_of(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key));
}

static void check(Node *node, const Case *c)
{
        bool is_changed = strcmp(c->read, "changed") == 0;
        CLEANUP(json_decref_p) json_t *spec = NULL;
        const char *reason = NULL, *now;
        char error[256];
        const json_t *from, *disk;
        Task *task = copying(node, c);

        from = json_array_get(json_object_get(json_object_get(task->row, "Snapshot"), "disks"), 0);
        assert_int_equal(task_disk_is_incremental(task, from, &reason), is_changed);
        if (!c->reason)
                assert_null(reason);
        else
                assert_string_equal(reason, c->reason);
        spec = task_unit_task(task, error);
        assert_non_null(spec);
        disk = json_array_get(json_object_get(spec, "disks"), 0);
        now = text_of(from, "change_id");
        assert_string_equal(text_of(disk, "read"), c->read);
        /* Whatever is read lies on top of the last backup, where an increment was asked for. */
        assert_int_equal(json_is_true(json_object_get(disk, "parent")),
                         strcmp(c->type, "incremental") == 0);
        if (now)
                assert_string_equal(text_of(disk, "change_id_now"), now);
        else
                assert_null(json_object_get(disk, "change_id_now"));
        if (is_changed)
                assert_string_equal(text_of(disk, "change_id"), "a/1");
        else
                assert_null(json_object_get(disk, "change_id"));
        task_free(task);
}

static void read_of_each_disk(void **state)
{
        NodeConfig config = { .copy_transport = (char[]){ "https" } };
        Node *node = calloc(1, sizeof(*node));

        (void) state;
        assert_non_null(node);
        node->config = &config;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
                check(node, &cases[i]);
        free(node);
}

static void check_release(Node *node, const char *row, const char *moref)
{
        char error[256];
        Task *task = task_new(node, parse("{\"Job\":7,\"Attempt\":1,\"State\":\"releasing\","
                                          "\"SnapshotName\":\"sendense-i-7-1\",\"Request\":{"
                                          "\"vcenter_host\":\"vc\",\"vcenter_user\":\"u\","
                                          "\"instance_uuid\":\"x\"}%s}",
                                          row));
        CLEANUP(json_decref_p) json_t *spec = task_unit_task(task, error);

        assert_non_null(spec);
        assert_string_equal(text_of(spec, "instance_uuid"), "x");
        assert_string_equal(text_of(spec, "name"), "sendense-i-7-1");
        if (moref)
                assert_string_equal(text_of(spec, "vm_moref"), moref);
        else
                assert_null(json_object_get(spec, "vm_moref"));
        task_free(task);
}

/* Also when the node died while the snapshot was made: the look had seen the VM. */
static void moref_of_release(void **state)
{
        Node *node = calloc(1, sizeof(*node));

        (void) state;
        assert_non_null(node);
        check_release(node, "", NULL);
        check_release(node, ",\"Look\":{\"moref\":\"vm-1\"}", "vm-1");
        check_release(node, ",\"Look\":{\"moref\":\"vm-1\"},\"Snapshot\":{\"vm_moref\":\"vm-2\"}",
                      "vm-2");
        free(node);
}

static void check_end(Node *node, const char *place, const char *row, const char *vm,
                      const char *staging)
{
        char error[256];
        Task *task = task_new(node, parse("{\"Job\":7,\"Attempt\":1,\"State\":\"releasing\","
                                          "\"Kind\":\"restore\",\"NewUuid\":\"n\",\"Ending\":"
                                          "\"failed\",\"Request\":{\"vcenter_host\":\"vc\","
                                          "\"vcenter_user\":\"u\"%s}%s}",
                                          place, row));
        CLEANUP(json_decref_p) json_t *spec = task_unit_task(task, error);

        assert_non_null(spec);
        assert_string_equal(text_of(spec, "vm_moref") ?: "", vm);
        assert_string_equal(text_of(spec, "staging_moref") ?: "", staging);
        task_free(task);
}

static void morefs_of_end(void **state)
{
        const char *place = ",\"in_place\":{\"instance_uuid\":\"x\"}";
        const char *look = ",\"Look\":{\"vm_moref\":\"vm-1\",\"disks\":[]}";
        const char *both = ",\"Look\":{\"vm_moref\":\"vm-1\",\"disks\":[]},"
                           "\"Copy\":{\"vm_moref\":\"vm-2\",\"disks\":[]}";
        Node *node = calloc(1, sizeof(*node));

        (void) state;
        assert_non_null(node);
        check_end(node, "", "", "", "");
        check_end(node, "", ",\"Copy\":{\"vm_moref\":\"vm-2\"}", "vm-2", "");
        check_end(node, place, look, "vm-1", "");
        check_end(node, place, both, "vm-1", "vm-2");
        free(node);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(read_of_each_disk),
                cmocka_unit_test(moref_of_release),
                cmocka_unit_test(morefs_of_end),
        };

        return RUN_TESTS(tests);
}
