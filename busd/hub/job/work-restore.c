/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The restore of one disk (see work.h). What was asked says as whom the unit runs and what it may write, as it was decided when
 * the caller was known (bus-restore.c). A file appears when it is whole; what lies beside its place until then is the obligation.
 */
#include "job/work.h"

#include "build-config.h"
#include "bus/bus-error.h"
#include "job/target-mount.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static const json_t *target_of(const Job *job)
{
        return json_object_get(job->work, "target");
}

static const char *text_of(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key));
}

static bool target_is(const Job *job, const char *kind)
{
        return strcmp(text_of(target_of(job), "kind") ?: "", kind) == 0;
}

const char *restore_work_user(const json_t *work)
{
        /* Never more than was decided, whatever stands there. */
        return strcmp(text_of(work, "user") ?: "", "root") == 0 ? "root" : "sendense";
}

static const char *user(const Job *job)
{
        return restore_work_user(job->work);
}

static int fill(const Job *job, json_t *spec)
{
        static const char *const keys[] = { "disk_key", "target", "damaged_ok" };

        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
                json_t *value = json_object_get(job->work, keys[i]);

                if (value && json_object_set(spec, keys[i], value) < 0)
                        return -ENOMEM;
        }
        return 0;
}

static int write_paths(const Job *job, json_t *paths)
{
        json_t *path = json_object_get(job->work, "writes");

        return !path || json_array_append(paths, path) >= 0 ? 0 : -ENOMEM;
}

static const char *device(const Job *job)
{
        return target_is(job, "device") ? text_of(target_of(job), "path") : NULL;
}

/* What was written to it is in the way of another run, which asks first whether the device is empty. */
static bool is_once(const Job *job, WorkVerdict *ret_verdict)
{
        if (!target_is(job, "device") || json_is_true(json_object_get(target_of(job), "force")))
                return false;
        (void) snprintf(ret_verdict->name, sizeof(ret_verdict->name), "%s",
                        BUS_ERROR_TARGET_FAILED);
        (void) snprintf(ret_verdict->text, sizeof(ret_verdict->text),
                        "The restore was ended in the middle; %s may hold a part of the disk: "
                        "restore again with --force",
                        text_of(target_of(job), "path"));
        return true;
}

static bool is_away(const Job *job, WorkVerdict *ret_verdict)
{
        (void) snprintf(ret_verdict->name, sizeof(ret_verdict->name), "%s",
                        BUS_ERROR_TARGET_FAILED);
        return target_mount_is_away(json_object_get(job->work, "mount"),
                                    text_of(target_of(job), "path"), ret_verdict->text,
                                    sizeof(ret_verdict->text));
}

/* The folder beside the target, as sendense-image calls it: one for each job, though two may have one target. */
static const char *owes(const Job *job)
{
        const char *path = text_of(target_of(job), "path"),
                   *slash = path ? strrchr(path, '/') : NULL;

        if (!slash || !target_is(job, "file") ||
            json_object_set_new(job->work, "partial",
                                json_sprintf("%.*s/.%s.sendense-%" PRIu64 ".partial",
                                             (int) (slash - path), path, slash + 1, job->id)) < 0)
                return NULL;
        return text_of(job->work, "partial");
}

const WorkKind work_restore = {
        .type = JOB_RESTORE,
        .unit = UNIT_RESTORE_SERVICE,
        .phase = "restoring the disk",
        .program = SENDENSE_LIBEXEC_DIR "/sendense-image",
        .verb = "restore",
        .is_repeatable = true,
        .is_once = is_once,
        .is_away = is_away,
        .undo_verb = "restore-undo",
        .user = user,
        .fill = fill,
        .write_paths = write_paths,
        .device = device,
        .owes = owes,
};
