/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The plan of a backup (see plan.h).
 */
#include "job/plan.h"

#include "cleanup.h"

#include <errno.h>
#include <string.h>

static const struct {
        const char *word, *text;
} reasons[FULL_REASON_MAX] = {
        [FULL_FIRST] = { "first", "there is no backup of this disk in this repository yet" },
        [FULL_DAMAGED] = { "damaged",
                           "its last backup, or one that this builds on, is damaged (backup "
                           "verify)" },
        [FULL_RESTORED] = { "restored", "the VM was restored in place since its last backup" },
        [FULL_CAPACITY] = { "capacity", "its capacity has changed since the last backup" },
        [FULL_NO_UUID] = { "no-uuid", "it has no UUID that would tell it from another disk" },
        [FULL_OTHER_DISK] = { "other-disk", "another disk has its key now (its UUID has changed)" },
        [FULL_NO_CHANGE_ID] = { "no-change-id", "the backup before it has no change id" },
        [FULL_AT_NODE] = { "at-node", "" },
};

const char *full_reason_to_string(FullReason reason)
{
        return reason < FULL_REASON_MAX ? reasons[reason].word : NULL;
}

FullReason full_reason_of_text(const char *text)
{
        FullReason reason = 0;

        while (reason < FULL_AT_NODE && strcmp(reasons[reason].text, text) != 0)
                reason++;
        return reason;
}

static const char *text_of(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key));
}

static void key_text(const json_t *disk, char ret_text[static 16])
{
        (void) snprintf(ret_text, 16, "%lld",
                        (long long) json_integer_value(json_object_get(disk, "Key")));
}

static const json_t *find_key(const json_t *rows, const json_t *key)
{
        const json_t *row;
        size_t i;

        json_array_foreach (rows, i, row)
                if (json_equal(json_object_get(row, "Key"), key))
                        return row;
        return NULL;
}

/* Every key of given must be one of a disk, or a misspelt one would be ignored. */
static int check_keys(const json_t *given, const json_t *disks, const char *what, char *error,
                      size_t error_size)
{
        const char *key;
        json_t *value;

        json_object_foreach ((json_t *) given, key, value) {
                bool is_known = false;
                const json_t *disk;
                size_t i;

                json_array_foreach (disks, i, disk) {
                        char text[16];

                        key_text(disk, text);
                        is_known = is_known || strcmp(text, key) == 0;
                }
                if (!is_known) {
                        (void) snprintf(error, error_size,
                                        "Option %s names the disk %s, which this VM does not have",
                                        what, key);
                        return -EINVAL;
                }
        }
        return 0;
}

/* Why the disk cannot be read into a layer above the newest one; NULL when it can. */
static const char *why_full(const json_t *disk, const json_t *layer, bool by_changes)
{
        if (!layer)
                return reasons[FULL_FIRST].text;
        if (json_integer_value(json_object_get(layer, "IsDamaged")) > 0)
                return reasons[FULL_DAMAGED].text;
        if (json_integer_value(json_object_get(layer, "IsRestored")) > 0)
                return reasons[FULL_RESTORED].text;
        if (!json_equal(json_object_get(disk, "CapacityBytes"),
                        json_object_get(layer, "CapacityBytes")))
                return reasons[FULL_CAPACITY].text;
        if (!text_of(disk, "BackingUuid"))
                return reasons[FULL_NO_UUID].text;
        if (strcmp(text_of(disk, "BackingUuid"), text_of(layer, "BackingUuid") ?: "") != 0)
                return reasons[FULL_OTHER_DISK].text;
        if (by_changes && !text_of(layer, "ChangeId"))
                return reasons[FULL_NO_CHANGE_ID].text;
        return NULL;
}

static int set(json_t *object, const char *key, json_t *value)
{
        return json_object_set_new(object, key, value) < 0 ? -ENOMEM : 0;
}

/* Copies a member that is there. */
static int copy(json_t *object, const char *key, const json_t *from, const char *from_key)
{
        json_t *value = json_object_get(from, from_key);

        return value && json_object_set(object, key, value) < 0 ? -ENOMEM : 0;
}

static int plan_layer(json_t *plan, const PlanRequest *request, const json_t *disk)
{
        const json_t *layer = find_key(request->layers, json_object_get(disk, "Key"));
        const char *reason = request->type == BACKUP_FULL
                                             ? NULL
                                             : why_full(disk, layer, !request->sources);
        int r;

        if (request->type == BACKUP_FULL || reason) {
                r = set(plan, "BackupType", json_string(backup_type_to_string(BACKUP_FULL)));
                return r >= 0 && reason ? set(plan, "Reason", json_string(reason)) : r;
        }
        r = set(plan, "BackupType", json_string(backup_type_to_string(BACKUP_INCREMENTAL)));
        if (r >= 0)
                r = copy(plan, "ParentId", layer, "Id");
        return r < 0 ? r : copy(plan, "ParentBackupId", layer, "BackupId");
}

static int plan_disk(const PlanRequest *request, const json_t *disk, json_t **ret_plan, char *error,
                     size_t error_size)
{
        CLEANUP(json_decrefp) json_t *plan = json_object();
        const char *reason, *source;
        char key[16];
        int r;

        key_text(disk, key);
        reason = text_of(request->exclude, key);
        source = text_of(request->sources, key);
        r = plan ? copy(plan, "Key", disk, "Key") : -ENOMEM;
        if (r >= 0)
                r = copy(plan, "CapacityBytes", disk, "CapacityBytes");
        if (r >= 0)
                r = copy(plan, "BackingUuid", disk, "BackingUuid");
        if (r >= 0)
                r = set(plan, "State",
                        json_string(disk_state_to_string(reason ? DISK_EXCLUDED : DISK_PENDING)));
        if (r < 0)
                return r;

        if (reason) {
                if (*reason == '\0') {
                        (void) snprintf(error, error_size,
                                        "Option exclude gives no reason for disk %s; a disk is "
                                        "never left out silently",
                                        key);
                        return -EINVAL;
                }
                r = set(plan, "Reason", json_string(reason));
                if (r >= 0)
                        r = set(plan, "BackupType",
                                json_string(backup_type_to_string(BACKUP_FULL)));
        } else {
                if (request->sources && (!source || *source == '\0')) {
                        (void) snprintf(error, error_size,
                                        "Option sources has none for disk %s; give one, or exclude "
                                        "the disk with a reason",
                                        key);
                        return -EINVAL;
                }
                if (source)
                        r = set(plan, "SourceUri", json_string(source));
                if (r >= 0)
                        r = plan_layer(plan, request, disk);
        }
        if (r < 0)
                return r;
        *ret_plan = TAKE(plan);
        return 0;
}

static int check_source_of_excluded(const PlanRequest *request, char *error, size_t error_size)
{
        const char *key;
        json_t *value;

        json_object_foreach ((json_t *) request->sources, key, value)
                if (json_object_get(request->exclude, key)) {
                        (void) snprintf(error, error_size,
                                        "Disk %s has a source and is excluded; it must be one of "
                                        "both",
                                        key);
                        return -EINVAL;
                }
        return 0;
}

int job_plan(const PlanRequest *request, json_t **ret_disks, char *error, size_t error_size)
{
        CLEANUP(json_decrefp) json_t *plans = json_array();
        size_t i, n_taking_part = 0;
        const json_t *disk;
        int r;

        r = plans ? check_keys(request->sources, request->disks, "sources", error, error_size)
                  : -ENOMEM;
        if (r >= 0)
                r = check_keys(request->exclude, request->disks, "exclude", error, error_size);
        if (r >= 0)
                r = check_source_of_excluded(request, error, error_size);
        json_array_foreach (request->disks, i, disk) {
                json_t *plan;

                if (r >= 0)
                        r = plan_disk(request, disk, &plan, error, error_size);
                if (r < 0)
                        return r;
                n_taking_part += strcmp(text_of(plan, "State"), "excluded") != 0;
                if (json_array_append_new(plans, plan) < 0)
                        return -ENOMEM;
        }
        if (r < 0)
                return r;
        if (n_taking_part == 0) {
                (void) snprintf(error, error_size,
                                json_array_size(request->disks) == 0
                                                ? "The VM has no disks"
                                                : "Every disk is excluded; nothing would be backed "
                                                  "up");
                return -EINVAL;
        }
        *ret_disks = TAKE(plans);
        return 0;
}
