/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the copy of a task is told: every disk of the snapshot has its target, and every target its disk.
 */
#include "unit.h"

#include "json-cleanup.h"
#include "node-config.h"
#include "node.h"
#include "task-unit.h"

#include <string.h>

/* The copy's spec for these targets; NULL with the reason in ret_why. */
static json_t *copy_of(const char *targets, char ret_why[static 256])
{
        char transport[] = "https";
        NodeConfig config = { .copy_transport = transport, .copy_connections = 4 };
        Node *node = calloc(1, sizeof(*node));
        json_error_t error;
        json_t *row, *spec;
        Task *task;

        assert_non_null(node);
        node->config = &config;
        row = json_loads("{\"Job\":7,\"Attempt\":1,\"State\":\"copying\",\"Request\":{\"vcenter_"
                         "host\":\"vc\","
                         "\"vcenter_user\":\"u\",\"instance_uuid\":\"x\",\"backup_type\":\"full\"},"
                         "\"Snapshot\":{\"vm_moref\":\"vm-1\",\"snapshot_moref\":\"snapshot-1\","
                         "\"disks\":["
                         "{\"disk_key\":2000,\"capacity_bytes\":512,\"datastore_path\":\"[a] "
                         "b.vmdk\"}],"
                         "\"excluded\":[{\"disk_key\":2001,\"reason\":\"independent\"}]}}",
                         0, &error);
        assert_non_null(row);
        assert_int_equal(json_object_set_new(json_object_get(row, "Request"), "nbd_targets",
                                             json_loads(targets, 0, &error)),
                         0);
        task = task_new(node, row);
        assert_non_null(task);
        spec = task_unit_task(task, ret_why);
        task_free(task);
        free(node);
        return spec;
}

static void targets(void **state)
{
        CLEANUP(json_decref_p) json_t *one = NULL, *excluded = NULL;
        char why[256];

        (void) state;
        one = copy_of("{\"2000\":\"nbd://h/a\"}", why);
        assert_non_null(one);
        assert_int_equal(json_array_size(json_object_get(one, "disks")), 1);
        excluded = copy_of("{\"2000\":\"nbd://h/a\",\"2001\":\"nbd://h/b\"}", why);
        assert_non_null(excluded);
        assert_null(copy_of("{\"2001\":\"nbd://h/b\"}", why));
        assert_non_null(strstr(why, "Disk 2000"));
        assert_null(copy_of("{\"2000\":\"nbd://h/a\",\"2002\":\"nbd://h/b\"}", why));
        assert_non_null(strstr(why, "Disk 2002"));
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(targets) };

        return RUN_TESTS(tests);
}
