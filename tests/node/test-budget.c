/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Turns at hosts and datastores: who waits, for what, and that nobody who came first is overtaken where it waits.
 */
#include "unit.h"

#include "budget.h"
#include "json-cleanup.h"

#include <string.h>

static char transport[] = "https";
static NodeConfig config;
static Node *node;

static void set_up(uint64_t connections, uint64_t host_max, uint64_t datastore_max)
{
        config = (NodeConfig){ .copy_transport = transport,
                               .copy_connections = connections,
                               .copy_host_connections_max = host_max,
                               .snapshot_datastore_max = datastore_max };
        node = calloc(1, sizeof(*node));
        assert_non_null(node);
        node->config = &config;
}

static void tear_down(void)
{
        for (size_t i = 0; i < node->n_tasks; i++)
                (void) task_free(node->tasks[i]);
        free(node);
}

/* A task that was looked at, with n disks on the datastore. Later ones came later. */
static Task *add(const char *state, const char *host, const char *datastore, unsigned n)
{
        json_t *disks = json_array(), *row;
        int job = (int) node->n_tasks + 1;
        char path[64];
        Task *task;

        for (unsigned i = 0; i < n; i++) {
                (void) snprintf(path, sizeof(path), "[%s] vm/%u.vmdk", datastore, i);
                (void) json_array_append_new(disks,
                                             json_pack("{s:s, s:s, s:s}", "datastore_path", path,
                                                       "datacenter", "DC0", "verdict", "full"));
        }
        row = json_pack("{s:i, s:i, s:s, s:i, s:b, s:{s:s}, s:{s:s, s:o}}", "Job", job, "Attempt",
                        1, "State", state, "CreatedUSec", 1000 + job, "Checked", 1, "Request",
                        "vcenter_host", "vc", "Look", "host", host, "disks", disks);
        assert_non_null(row);
        task = task_new(node, row);
        assert_non_null(task);
        node->tasks[node->n_tasks++] = task;
        return task;
}

static bool admits(const Task *task, const char *reason)
{
        char why[TASK_WAITING_SIZE] = "";
        bool r = budget_admits(node, task, why);

        if (!r && (!reason || !strstr(why, reason)))
                fail_msg("the reason is '%s'", why);
        return r;
}

static void connections(void **state)
{
        (void) state;
        set_up(8, 24, 64);
        assert_int_equal(budget_connections(add("accepted", "h", "a", 1)), 8);
        assert_int_equal(budget_connections(add("accepted", "h", "a", 3)), 6);
        assert_int_equal(budget_connections(add("accepted", "h", "a", 8)), 8);
        assert_int_equal(budget_connections(add("accepted", "h", "a", 60)), 8);
        config.copy_connections = 64;
        assert_int_equal(budget_connections(node->tasks[0]), 8);
        assert_int_equal(budget_connections(node->tasks[3]), 24);
        transport[0] = 'v';
        assert_int_equal(budget_connections(node->tasks[1]), 3);
        transport[0] = 'h';
        tear_down();
}

/* Three of eight fit into 24; the fourth waits until one of them does not read any more. */
static void host(void **state)
{
        Task *running[3], *fourth;

        (void) state;
        set_up(8, 24, 64);
        running[0] = add("copying", "h", "a", 1);
        running[1] = add("snapshotting", "h", "b", 1);
        assert_true(admits(add("accepted", "h", "c", 1), NULL));
        running[2] = node->tasks[2];
        running[2]->state = TASK_SNAPSHOTTING;
        fourth = add("accepted", "h", "d", 1);
        assert_false(admits(fourth, "the host h: 24 of 24 connections"));
        assert_true(admits(add("accepted", "other", "d", 1), NULL));
        running[0]->state = TASK_COPIED;
        assert_true(admits(fourth, NULL));
        running[0]->state = TASK_COPYING;
        running[1]->state = TASK_RELEASING;
        assert_true(admits(fourth, NULL));
        tear_down();
}

/* A small one that came later would fit in, but takes the room that the first waits for. */
static void in_order(void **state)
{
        Task *large, *small, *elsewhere;

        (void) state;
        set_up(8, 10, 64);
        (void) add("copying", "h", "a", 5); /* 5 */
        large = add("accepted", "h", "b", 1); /* 8 */
        small = add("accepted", "h", "c", 5); /* 5 */
        elsewhere = add("accepted", "i", "c", 1);
        assert_false(admits(large, "5 of 10"));
        assert_false(admits(small, "13 of 10"));
        assert_true(admits(elsewhere, NULL));
        large->state = TASK_FAILED;
        assert_true(admits(small, NULL));
        tear_down();
}

/* Held snapshots count, those that cannot be removed do not. */
static void datastore(void **state)
{
        Task *held, *third;

        (void) state;
        set_up(1, 256, 2);
        held = add("copied", "h", "a", 2);
        (void) add("copying", "i", "a", 1);
        third = add("accepted", "j", "a", 1);
        assert_false(admits(third, "the datastore [a]: 2 of 2"));
        assert_true(admits(add("accepted", "j", "aa", 1), NULL));
        held->state = TASK_RELEASING;
        assert_true(admits(third, NULL));
        (void) snprintf(held->unit, sizeof(held->unit), "sendense-vsphere-1-release.service");
        assert_false(admits(third, "[a]"));
        (void) json_object_set_new(json_object_get(held->row, "Request"), "vcenter_host",
                                   json_string("another"));
        assert_true(admits(third, NULL));
        tear_down();
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(connections),
                cmocka_unit_test(host),
                cmocka_unit_test(in_order),
                cmocka_unit_test(datastore),
        };

        return RUN_TESTS(tests);
}
