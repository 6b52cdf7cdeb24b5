/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The look before the snapshot: its steps one after the other, and that every disk has its target and every target its disk.
 */
#include "unit.h"

#include "json-cleanup.h"
#include "node-config.h"
#include "node.h"
#include "task-look.h"

#include <errno.h>
#include <string.h>

#define LEFTOVER "{\"name\":\"sendense-inst-3-1\"}"
#define USERS    "{\"name\":\"sendense-other-3-1\"}"

typedef struct Fixture {
        char transport[8];
        NodeConfig config;
        Node *node;
        Task *task;
} Fixture;

/* A task that is accepted, with these targets. */
static void fixture_up(Fixture *f, const char *transport, const char *targets)
{
        json_t *request = json_pack("{s:s, s:s, s:s, s:s, s:s}", "vcenter_host", "vc",
                                    "vcenter_user", "u", "instance_uuid", "x", "vm_path",
                                    "DC0/vm/x", "backup_type", "full");
        json_error_t error;

        *f = (Fixture){ .node = calloc(1, sizeof(*f->node)) };
        assert_non_null(f->node);
        (void) snprintf(f->transport, sizeof(f->transport), "%s", transport);
        f->config.copy_transport = f->transport;
        f->node->config = &f->config;
        (void) snprintf(f->node->installation, sizeof(f->node->installation), "inst");
        assert_int_equal(
                        json_object_set_new(request, "nbd_targets", json_loads(targets, 0, &error)),
                        0);
        f->task = task_new(f->node, json_pack("{s:i, s:i, s:s, s:o}", "Job", 7, "Attempt", 1,
                                              "State", "accepted", "Request", request));
        assert_non_null(f->task);
}

static void fixture_down(Fixture *f)
{
        task_free(f->task);
        free(f->node);
}

/* What vCenter shows: two disks that can be copied, one that cannot. */
static json_t *found(const char *snapshots)
{
        json_error_t error;
        json_t *vm = json_loads("{\"vms\":[{\"disks\":["
                                "{\"disk_key\":2000,\"capacity_bytes\":512,\"verdict\":\"full\","
                                "\"datastore_path\":\"[a] a.vmdk\",\"datacenter\":\"DC0\"},"
                                "{\"disk_key\":2001,\"capacity_bytes\":512,\"verdict\":\"full\","
                                "\"datastore_path\":\"[a] b.vmdk\",\"datacenter\":\"DC0\"},"
                                "{\"disk_key\":2002,\"capacity_bytes\":512,\"verdict\":\"no\","
                                "\"datastore_path\":\"[a] c.vmdk\",\"datacenter\":\"DC0\"}]}]}",
                                0, &error);

        assert_non_null(vm);
        assert_int_equal(json_object_set_new(json_array_get(json_object_get(vm, "vms"), 0),
                                             "snapshots", json_loads(snapshots, 0, &error)),
                         0);
        return vm;
}

static int taken(const char *targets, char ret_why[static 256])
{
        CLEANUP(json_decref_p) json_t *vm = found("[]");
        Fixture f;
        int r;

        fixture_up(&f, "https", targets);
        r = task_look_take(f.task, vm, ret_why);
        fixture_down(&f);
        return r;
}

static void targets(void **state)
{
        char why[256];

        (void) state;
        assert_int_equal(taken("{\"2000\":\"nbd://h/a\",\"2001\":\"nbd://h/b\"}", why), 0);
        /* One that cannot be copied may have one; the snapshot leaves it out with its reason. */
        assert_int_equal(taken("{\"2000\":\"nbd://h/a\",\"2001\":\"nbd://h/b\",\"2002\":\"nbd://h/"
                               "c\"}",
                               why),
                         0);
        assert_int_equal(taken("{\"2001\":\"nbd://h/b\"}", why), -ESTALE);
        assert_non_null(strstr(why, "Disk 2000 ([a] a.vmdk) has no target"));
        assert_int_equal(taken("{\"2000\":\"nbd://h/a\",\"2001\":\"nbd://h/b\",\"2003\":\"nbd://h/"
                               "c\"}",
                               why),
                         -ESTALE);
        assert_non_null(strstr(why, "Disk 2003 has a target"));
}

/* Whether the check of such a VM, read in such a way, is of the targets alone. */
static bool is_targets_only(const char *transport, const char *snapshots)
{
        CLEANUP(json_decref_p) json_t *vm = found(snapshots), *ask = NULL, *check = NULL;
        char why[256];
        Fixture f;
        bool is_only;

        fixture_up(&f, transport, "{\"2000\":\"nbd://h/a\",\"2001\":\"nbd://h/b\"}");
        assert_int_equal(task_look(f.task), TASK_LOOK_ASK);
        ask = task_look_spec(f.task);
        assert_string_equal(json_string_value(json_object_get(ask, "transport")), transport);
        assert_int_equal(task_look_take(f.task, vm, why), 0);
        assert_int_equal(task_look(f.task), TASK_LOOK_CHECK);
        check = task_look_spec(f.task);
        assert_int_equal(json_array_size(json_object_get(check, "disks")), 3);
        assert_string_equal(json_string_value(json_object_get(
                                            json_array_get(json_object_get(check, "disks"), 1),
                                            "target")),
                            "nbd://h/b");
        is_only = json_is_true(json_object_get(check, "targets_only"));
        assert_int_equal(task_look_take(f.task, check, why), 0);
        assert_int_equal(task_look(f.task), TASK_LOOK_DONE);
        fixture_down(&f);
        return is_only;
}

static void steps(void **state)
{
        (void) state;
        assert_false(is_targets_only("https", "[]"));
        assert_false(is_targets_only("https", "[" USERS "]"));
        assert_false(is_targets_only("https", "[" USERS "," LEFTOVER "]"));
        assert_true(is_targets_only("vddk", "[]"));
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(targets), cmocka_unit_test(steps) };

        return RUN_TESTS(tests);
}
