/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * busd/hub/job/plan: every way in which a disk can differ from its newest layer, and every way in which
 * a request can fail to fit its disks.
 */
#include "unit.h"

#include "cleanup.h"
#include "job/plan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static json_t *parse(const char *text)
{
        json_t *value = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;

        assert_true(!text || value);
        return value;
}

/* The plan as text, or "EINVAL: …". */
static const char *plan(BackupType type, const char *disks, const char *layers, const char *sources,
                        const char *exclude)
{
        CLEANUP(json_decrefp)
        json_t *d = parse(disks), *l = parse(layers), *s = parse(sources), *e = parse(exclude);
        const PlanRequest request = { type, d, l, s, e };
        static char text[4096];
        char error[256] = "";
        json_t *out = NULL;
        int r;

        r = job_plan(&request, &out, error, sizeof(error));
        if (r < 0) {
                assert_null(out);
                (void) snprintf(text, sizeof(text), "%s: %s", strerrorname_np(-r), error);
                return text;
        }
        assert_string_equal(error, "");
        text[json_dumpb(out, text, sizeof(text) - 1, JSON_COMPACT | JSON_SORT_KEYS)] = '\0';
        json_decref(out);
        return text;
}

#define DISK(key, more) "{\"Key\":" #key ",\"CapacityBytes\":1024,\"UnitNumber\":0" more "}"
#define UUID(uuid)      ",\"BackingUuid\":\"" uuid "\""
#define LAYER(key, more) \
        "{\"Key\":" #key ",\"Id\":7,\"BackupId\":\"b1\",\"CapacityBytes\":1024" more "}"
#define CHANGED ",\"ChangeId\":\"52/1\""
#define PENDING "\"State\":\"pending\""

/* One disk against each layer it can meet: only all the same is an incremental. */
static void one_disk(void **state)
{
        static const struct {
                const char *disk_uuid, *layer_uuid; /* as members; layer NULL: there is none */
                int capacity;
                const char *reason; /* NULL: incremental */
        } cases[] = {
                { UUID("a"), UUID("a"), 1024, NULL },
                { UUID("a"), NULL, 1024, "there is no backup of this disk in this repository yet" },
                { UUID("a"), UUID("a"), 2048, "its capacity has changed since the last backup" },
                { UUID("a"), UUID("a"), 512, "its capacity has changed since the last backup" },
                { UUID("a"), UUID("b"), 2048, "its capacity has changed since the last backup" },
                { UUID("a"), UUID("b"), 1024,
                  "another disk has its key now (its UUID has changed)" },
                { UUID("a"), UUID("A"), 1024,
                  "another disk has its key now (its UUID has changed)" },
                { UUID("a"), "", 1024, "another disk has its key now (its UUID has changed)" },
                { "", UUID("a"), 1024, "it has no UUID that would tell it from another disk" },
                { "", "", 1024, "it has no UUID that would tell it from another disk" },
                { "", NULL, 1024, "there is no backup of this disk in this repository yet" },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                assert_true(!cases[i].reason ||
                            full_reason_of_text(cases[i].reason) != FULL_AT_NODE);
        assert_int_equal(full_reason_of_text("change tracking is off"), FULL_AT_NODE);
        assert_string_equal(full_reason_to_string(full_reason_of_text(
                                            "its capacity has changed since the last backup")),
                            "capacity");
        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                for (int type = 0; type < BACKUP_TYPE_MAX; type++) {
                        char disks[256], layers[256] = "[]", want[512], end[256];

                        (void) snprintf(disks, sizeof(disks),
                                        "[{\"Key\":2000,\"CapacityBytes\":%d%s}]",
                                        cases[i].capacity, cases[i].disk_uuid);
                        if (cases[i].layer_uuid)
                                (void) snprintf(layers, sizeof(layers),
                                                "[{\"Key\":2000,\"Id\":7,\"BackupId\":\"b1\","
                                                "\"CapacityBytes\":1024,\"ChangeId\":\"52/1\"%s}]",
                                                cases[i].layer_uuid);
                        if (type == BACKUP_FULL)
                                (void) snprintf(end, sizeof(end), "%s", PENDING);
                        else if (cases[i].reason)
                                (void) snprintf(end, sizeof(end), "\"Reason\":\"%s\"," PENDING,
                                                cases[i].reason);
                        else
                                (void) snprintf(end, sizeof(end),
                                                "\"ParentBackupId\":\"b1\",\"ParentId\":"
                                                "7," PENDING);
                        (void) snprintf(want, sizeof(want),
                                        "[{%s%s\"BackupType\":\"%s\",\"CapacityBytes\":%d,"
                                        "\"Key\":2000,%s}]",
                                        *cases[i].disk_uuid ? cases[i].disk_uuid + 1 : "",
                                        *cases[i].disk_uuid ? "," : "",
                                        type == BACKUP_FULL || cases[i].reason ? "full"
                                                                               : "incremental",
                                        cases[i].capacity, end);
                        assert_string_equal(plan((BackupType) type, disks, layers, NULL, NULL),
                                            want);
                }
}

/* Without sources the changes since the layer must be known; a source is read as a whole anyway. */
static void change_id(void **state)
{
        const char *disk = "[" DISK(2000, UUID("a")) "]", *source = "{\"2000\":\"nbd://h/x\"}",
                   *known = "[" LAYER(2000, UUID("a") CHANGED) "]",
                   *unknown = "[" LAYER(2000, UUID("a")) "]";

        (void) state;
        assert_non_null(strstr(plan(BACKUP_INCREMENTAL, disk, known, NULL, NULL),
                               "\"ParentId\":7"));
        assert_non_null(strstr(plan(BACKUP_INCREMENTAL, disk, unknown, NULL, NULL),
                               "\"Reason\":\"the backup before it has no change id\""));
        assert_non_null(strstr(plan(BACKUP_INCREMENTAL, disk, unknown, source, NULL),
                               "\"ParentId\":7"));
}

/* Nothing is put on a layer that does not read back. */
static void damaged(void **state)
{
        const char *disk = "[" DISK(2000, UUID("a")) "]",
                   *layer = "[" LAYER(2000, UUID("a") CHANGED ",\"IsDamaged\":1") "]",
                   *sound = "[" LAYER(2000, UUID("a") CHANGED ",\"IsDamaged\":0") "]";

        (void) state;
        assert_non_null(strstr(plan(BACKUP_INCREMENTAL, disk, layer, NULL, NULL),
                               "\"Reason\":\"its last backup, or one that this builds on, is "
                               "damaged (backup verify)\""));
        assert_null(strstr(plan(BACKUP_FULL, disk, layer, NULL, NULL), "Reason"));
        assert_non_null(strstr(plan(BACKUP_INCREMENTAL, disk, sound, NULL, NULL),
                               "\"ParentId\":7"));
}

/* Nor on one from before the VM got other disks, be they never so like. */
static void restored_in_place(void **state)
{
        const char *disk = "[" DISK(2000, UUID("a")) "]",
                   *before = "[" LAYER(2000, UUID("a") CHANGED ",\"IsRestored\":1") "]",
                   *after = "[" LAYER(2000, UUID("a") CHANGED ",\"IsRestored\":0") "]";

        (void) state;
        assert_non_null(strstr(plan(BACKUP_INCREMENTAL, disk, before, NULL, NULL),
                               "\"Reason\":\"the VM was restored in place since its last "
                               "backup\""));
        assert_non_null(strstr(plan(BACKUP_INCREMENTAL, disk, after, NULL, NULL),
                               "\"ParentId\":7"));
}

/* Each disk finds its own layer by its key, in whatever order and with whatever unit number. */
static void own_layers(void **state)
{
        (void) state;
        assert_string_equal(
                        plan(BACKUP_INCREMENTAL,
                             "[" DISK(2000, UUID("a")) "," DISK(2001, UUID("b")) "]",
                             "[" LAYER(2001, UUID("b") CHANGED) "," LAYER(2002, UUID("a")) "]",
                             NULL, NULL),
                        "[{\"BackingUuid\":\"a\",\"BackupType\":\"full\",\"CapacityBytes\":1024,"
                        "\"Key\":2000,\"Reason\":\"there is no backup of this disk in this "
                        "repository "
                        "yet\"," PENDING "},{\"BackingUuid\":\"b\",\"BackupType\":\"incremental\","
                        "\"CapacityBytes\":1024,\"Key\":2001,\"ParentBackupId\":\"b1\","
                        "\"ParentId\":7," PENDING "}]");
        /* The same disk under another key is another disk. */
        assert_non_null(strstr(plan(BACKUP_INCREMENTAL, "[" DISK(2001, UUID("a")) "]",
                                    "[" LAYER(2000, UUID("a")) "]", NULL, NULL),
                               "there is no backup"));
}

/* Each subset of sources and of exclusions on two disks: 0 absent, 1 source, 2 excluded, 3 both. */
static void every_subset(void **state)
{
        (void) state;
        for (int a = 0; a < 4; a++)
                for (int b = 0; b < 4; b++) {
                        char sources[128], exclude[128];
                        const char *got;
                        bool with_sources = (a & 1) || (b & 1);

                        (void) snprintf(sources, sizeof(sources), "{%s%s%s}",
                                        a & 1 ? "\"2000\":\"nbd://a\"" : "",
                                        (a & 1) && (b & 1) ? "," : "",
                                        b & 1 ? "\"2001\":\"nbd://b\"" : "");
                        (void) snprintf(exclude, sizeof(exclude), "{%s%s%s}",
                                        a & 2 ? "\"2000\":\"x\"" : "",
                                        (a & 2) && (b & 2) ? "," : "",
                                        b & 2 ? "\"2001\":\"y\"" : "");
                        got = plan(BACKUP_FULL, "[" DISK(2000, "") "," DISK(2001, "") "]", "[]",
                                   with_sources ? sources : NULL, a & 2 || b & 2 ? exclude : NULL);
                        if (a == 3 || b == 3)
                                assert_non_null(strstr(got,
                                                       a == 3 ? "EINVAL: Disk 2000 has a source"
                                                              : "EINVAL: Disk 2001 has a source"));
                        else if (with_sources && a == 0)
                                assert_non_null(strstr(got, "sources has none for disk 2000"));
                        else if (with_sources && b == 0)
                                assert_non_null(strstr(got, "sources has none for disk 2001"));
                        else if (a == 2 && b == 2)
                                assert_string_equal(got,
                                                    "EINVAL: Every disk is excluded; nothing would "
                                                    "be backed up");
                        else {
                                assert_ptr_equal(strstr(got, "EINVAL"), NULL);
                                assert_int_equal(strstr(got, "nbd://a") != NULL, a == 1);
                                assert_int_equal(strstr(got, "nbd://b") != NULL, b == 1);
                                assert_int_equal(strstr(got, "\"Reason\":\"x\"") != NULL, a == 2);
                                assert_int_equal(strstr(got, "\"Reason\":\"y\"") != NULL, b == 2);
                                assert_int_equal(strstr(got, "excluded") != NULL, a == 2 || b == 2);
                        }
                }
}

static void excluded_has_no_layer(void **state)
{
        (void) state;
        assert_string_equal(plan(BACKUP_INCREMENTAL,
                                 "[" DISK(2000, UUID("a")) "," DISK(2001, UUID("b")) "]",
                                 "[" LAYER(2000, UUID("a") CHANGED) "," LAYER(
                                                 2001, UUID("b") CHANGED) "]",
                                 NULL, "{\"2001\":\"scratch\"}"),
                            "[{\"BackingUuid\":\"a\",\"BackupType\":\"incremental\","
                            "\"CapacityBytes\":1024,\"Key\":2000,\"ParentBackupId\":\"b1\","
                            "\"ParentId\":7," PENDING
                            "},{\"BackingUuid\":\"b\",\"BackupType\":\"full\","
                            "\"CapacityBytes\":1024,\"Key\":2001,\"Reason\":\"scratch\","
                            "\"State\":\"excluded\"}]");
}

static void keys_that_are_none(void **state)
{
        static const char *const keys[] = { "2002",  "02000", " 2000", "2000 ",
                                            "+2000", "",      "2000x", "0" };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                char object[64], want[128];

                (void) snprintf(object, sizeof(object), "{\"%s\":\"x\"}", keys[i]);
                (void) snprintf(want, sizeof(want),
                                "EINVAL: Option exclude names the disk %s, which this VM does not "
                                "have",
                                keys[i]);
                assert_string_equal(plan(BACKUP_FULL, "[" DISK(2000, "") "]", "[]", NULL, object),
                                    want);
                (void) snprintf(want, sizeof(want),
                                "EINVAL: Option sources names the disk %s, which this VM does not "
                                "have",
                                keys[i]);
                assert_string_equal(plan(BACKUP_FULL, "[" DISK(2000, "") "]", "[]", object, NULL),
                                    want);
        }
}

static void refusals(void **state)
{
        (void) state;
        assert_string_equal(plan(BACKUP_FULL, "[]", "[]", NULL, NULL),
                            "EINVAL: The VM has no disks");
        assert_non_null(strstr(
                        plan(BACKUP_FULL, "[" DISK(2000, "") "]", "[]", NULL, "{\"2000\":\"\"}"),
                        "EINVAL: Option exclude gives no reason for disk 2000"));
        assert_non_null(strstr(
                        plan(BACKUP_FULL, "[" DISK(2000, "") "]", "[]", "{\"2000\":\"\"}", NULL),
                        "EINVAL: Option sources has none for disk 2000"));
        assert_non_null(strstr(plan(BACKUP_FULL, "[" DISK(2000, "") "]", "[]", "{}", NULL),
                               "EINVAL: Option sources has none for disk 2000"));
        /* The largest key that VMware can have. */
        assert_non_null(strstr(plan(BACKUP_FULL, "[" DISK(2147483647, "") "]", "[]",
                                    "{\"2147483647\":\"nbd://x\"}", NULL),
                               "\"Key\":2147483647"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(one_disk),
                cmocka_unit_test(change_id),
                cmocka_unit_test(damaged),
                cmocka_unit_test(restored_in_place),
                cmocka_unit_test(own_layers),
                cmocka_unit_test(every_subset),
                cmocka_unit_test(excluded_has_no_layer),
                cmocka_unit_test(keys_that_are_none),
                cmocka_unit_test(refusals),
        };

        return RUN_TESTS(tests);
}
