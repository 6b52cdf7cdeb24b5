/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verification of a backup (see work.h). What was found of each layer goes into its row with the result; a job that has found
 * damage fails with it, so that nobody has to read on to know.
 */
#include "job/work.h"

#include "build-config.h"
#include "bus/bus-error.h"

#include <errno.h>
#include <string.h>

/* What the catalog says is compared with the records too; a deletion is alone with its VM, so it stays true. The disks that were
 * asked for, or all that the backup has: they are named, so that a record that is lost is found damaged. */
static int fill(const Job *job, json_t *spec)
{
        json_t *keys = json_object_get(job->work, "disks"),
               *chain = json_object_get(job->work, "chain");
        const json_t *disks = json_object_get(job->row, "TargetDisks"), *disk;
        json_t *layers = json_object_get(job->row, "TargetLayers");
        size_t i;
        int r = 0;

        if (chain && json_object_set(spec, "chain", chain) < 0)
                return -ENOMEM;
        if (layers && json_object_set(spec, "rows", layers) < 0)
                return -ENOMEM;
        if (keys)
                return json_object_set(spec, "disk_keys", keys) < 0 ? -ENOMEM : 0;
        keys = json_array();
        json_array_foreach (disks, i, disk)
                if (strcmp(json_string_value(json_object_get(disk, "State")) ?: "", "completed") ==
                                    0 &&
                    json_array_append(keys, json_object_get(disk, "Key")) < 0)
                        r = -ENOMEM;
        if (r >= 0)
                return json_object_set_new(spec, "disk_keys", keys) < 0 ? -ENOMEM : 0;
        json_decref(keys);
        return r;
}

/* The first thing that was found, which names disk and layer. */
static const char *first_problem(const json_t *result)
{
        const json_t *disk, *layer;
        size_t i, j;

        json_array_foreach (json_object_get(result, "disks"), i, disk)
                json_array_foreach (json_object_get(disk, "layers"), j, layer) {
                        const json_t *problems = json_object_get(layer, "problems");

                        if (json_array_size(problems) > 0)
                                return json_string_value(json_array_get(problems, 0));
                }
        return NULL;
}

static void judge(const Job *job, const json_t *result, WorkVerdict *ret_verdict)
{
        json_int_t n = json_integer_value(json_object_get(result, "damaged"));
        char more[48] = "";

        (void) job;
        if (n == 0)
                return;
        if (n > 1)
                (void) snprintf(more, sizeof(more), " (and %" JSON_INTEGER_FORMAT " more layers)",
                                n - 1);
        (void) snprintf(ret_verdict->name, sizeof(ret_verdict->name), "%s",
                        BUS_ERROR_BACKUP_DAMAGED);
        (void) snprintf(ret_verdict->text, sizeof(ret_verdict->text),
                        "%s%s; the next backup of the disk is a full",
                        first_problem(result) ?: "A layer is damaged", more);
}

const WorkKind work_verify = {
        .type = JOB_VERIFY,
        .unit = UNIT_VERIFY_SERVICE,
        .phase = "verifying",
        .program = SENDENSE_LIBEXEC_DIR "/sendense-image",
        .verb = "verify",
        .is_repeatable = true,
        .fill = fill,
        .judge = judge,
};
