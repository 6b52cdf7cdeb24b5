/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Undoing restores after their end (see target-undo.h).
 */
#include "job/target-undo.h"

#include "build-config.h"
#include "cleanup.h"
#include "job/target-mount.h"
#include "job/work.h"
#include "names.h"
#include "unit/unit-files.h"
#include "unit/work-unit.h"

#include <errno.h>
#include <string.h>

static const char *text_of(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key));
}

static void unit_of(const json_t *row, char ret_unit[static UNIT_NAME_SIZE])
{
        const UnitName name = {
                .kind = UNIT_RESTORE_SERVICE,
                .job = (uint64_t) json_integer_value(json_object_get(row, "Job")),
        };

        if (unit_name_to_string(&name, ret_unit) < 0)
                *ret_unit = '\0';
}

int target_undo_result(const json_t *row, char ret_why[static TARGET_UNDO_WHY_SIZE])
{
        CLEANUP(json_decrefp) json_t *result = NULL;
        char unit[UNIT_NAME_SIZE];

        unit_of(row, unit);
        *ret_why = '\0';
        if (unit_files_read_result(unit, &result) < 0)
                return 0;
        if (strcmp(text_of(result, "result") ?: "", "ok") == 0 && text_of(result, "outcome"))
                return 1;
        (void) snprintf(ret_why, TARGET_UNDO_WHY_SIZE, "%s", text_of(result, "error_text") ?: "");
        return 0;
}

/* As the restore itself was told, from what stands in the rows. */
static json_t *make_spec(const json_t *row, const json_t *work)
{
        json_t *spec = json_pack("{s:O, s:O, s:O, s:O, s:O*, s:O*, s:O*}", "repository",
                                 json_object_get(row, "RepositoryPath"), "instance_uuid",
                                 json_object_get(row, "InstanceUuid"), "backup_id",
                                 json_object_get(row, "TargetBackupId"), "job",
                                 json_object_get(row, "Job"), "disk_key",
                                 json_object_get(work, "disk_key"), "target",
                                 json_object_get(work, "target"), "damaged_ok",
                                 json_object_get(work, "damaged_ok"));

        return spec;
}

int target_undo_start(Units *units, const json_t *row, char ret_why[static TARGET_UNDO_WHY_SIZE],
                      UnitDone done, void *userdata)
{
        char unit[UNIT_NAME_SIZE], in[UNIT_FILE_PATH_SIZE], out[UNIT_FILE_PATH_SIZE];
        CLEANUP(json_decrefp) json_t *work = json_loads(text_of(row, "Work") ?: "", 0, NULL);
        CLEANUP(json_decrefp) json_t *spec = work ? make_spec(row, work) : NULL;
        const char *path = text_of(work, "writes");
        const WorkUnit undo = {
                .kind = UNIT_RESTORE_SERVICE,
                .job = (uint64_t) json_integer_value(json_object_get(row, "Job")),
                .program = SENDENSE_LIBEXEC_DIR "/sendense-image",
                .verb = work_restore.undo_verb,
                .user = restore_work_user(work),
                .write_paths = &path,
                .n_write_paths = path ? 1 : 0,
                .in_path = in,
                .out_path = out,
        };
        int r;

        if (!spec)
                return -EBADMSG;
        if (target_mount_is_away(json_object_get(work, "mount"),
                                 text_of(json_object_get(work, "target"), "path"), ret_why,
                                 TARGET_UNDO_WHY_SIZE))
                return -ENODEV;
        unit_of(row, unit);
        unit_file_path(unit, UNIT_FILE_IN, in);
        unit_file_path(unit, UNIT_FILE_OUT, out);
        r = unit_files_make(unit, spec);
        return r < 0 ? r : work_unit_start(units, &undo, done, userdata);
}

void target_undo_forget(const json_t *row)
{
        char unit[UNIT_NAME_SIZE];

        unit_of(row, unit);
        unit_files_remove(unit);
}
