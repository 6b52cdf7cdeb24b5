/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verb snapshot. From the moment that a snapshot is asked for, every way out but success removes it again,
 * with a login of its own, whatever has become of the first; a signal does not keep that from happening.
 */
#include "vsphere/snapshot.h"
#include "bus/bus-error.h"
#include "cleanup.h"
#include "find.h"
#include "spec.h"
#include "take.h"
#include "verbs.h"

#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>

enum {
        UNDO_MAX_SEC = 3600,
};

static bool is_quiesce(const char *text)
{
        return strcmp(text, "auto") == 0 || strcmp(text, "required") == 0 ||
               strcmp(text, "no") == 0;
}

static bool is_cbt(const char *text)
{
        return strcmp(text, "enable") == 0 || strcmp(text, "as-is") == 0;
}

static const JsonField fields[] = {
        { .key = "vcenter", .kind = JSON_FIELD_OBJECT },
        FIND_FIELDS(true),
        { .key = "name",
          .kind = JSON_FIELD_TEXT,
          .min = 1,
          .max = 76, /* a step of it has four more */
          .is_valid = snapshot_name_is_ours,
          .must = "must be sendense- and letters, digits, '.', '_' or '-'" },
        { .key = "leftover_prefix",
          .kind = JSON_FIELD_TEXT,
          .min = 1,
          .max = 80,
          .is_valid = snapshot_name_is_ours,
          .must = "must be sendense- and letters, digits, '.', '_' or '-'" },
        { .key = "description", .kind = JSON_FIELD_TEXT, .optional = true, .max = 1024 },
        { .key = "quiesce",
          .kind = JSON_FIELD_TEXT,
          .min = 1,
          .max = 16,
          .is_valid = is_quiesce,
          .must = "must be auto, required or no" },
        { .key = "quiesce_tries",
          .kind = JSON_FIELD_NUMBER,
          .optional = true,
          .min = 1,
          .max = QUIESCE_TRIES_MAX },
        { .key = "quiesce_wait_msec", .kind = JSON_FIELD_NUMBER, .optional = true, .max = 60000 },
        { .key = "undo_sec",
          .kind = JSON_FIELD_NUMBER,
          .optional = true,
          .min = 1,
          .max = UNDO_MAX_SEC },
        { .key = "cbt",
          .kind = JSON_FIELD_TEXT,
          .min = 1,
          .max = 16,
          .is_valid = is_cbt,
          .must = "must be enable or as-is" },
        { .key = "disks", .kind = JSON_FIELD_ARRAY, .optional = true, .min = 1, .max = DISKS_MAX },
};

/* A disk may come with all that discover said of it; its key is what counts. */
static int check_wanted(const json_t *wanted, VSphereError *error)
{
        const json_t *disk;
        size_t i;

        json_array_foreach (wanted, i, disk) {
                const json_t *key = json_object_get(disk, "disk_key");

                if (!json_is_integer(key) || json_integer_value(key) < 1 ||
                    json_integer_value(key) > INT32_MAX)
                        return vsphere_error_set(
                                        error, BUS_ERROR_INVALID_ARGUMENT,
                                        "disks: each must be an object with a \"disk_key\"");
                for (size_t k = 0; k < i; k++)
                        if (json_equal(json_object_get(json_array_get(wanted, k), "disk_key"), key))
                                return vsphere_error_set(error, BUS_ERROR_INVALID_ARGUMENT,
                                                         "disks: the key %" JSON_INTEGER_FORMAT
                                                         " stands twice",
                                                         json_integer_value(key));
        }
        return 0;
}

static int read_take(const json_t *spec, Take *ret_take, VSphereError *error)
{
        const char *quiesce, *description;
        int r;

        r = spec_check(spec, fields, ELEMENTSOF(fields), error);
        if (r >= 0)
                r = check_wanted(json_object_get(spec, "disks"), error);
        if (r < 0)
                return r;
        quiesce = json_field_text(spec, "quiesce");
        description = json_field_text(spec, "description");
        *ret_take = (Take){
                .name = json_field_text(spec, "name"),
                .leftover_prefix = json_field_text(spec, "leftover_prefix"),
                .description = description ? description : "",
                .wanted = json_object_get(spec, "disks"),
                .quiesce = strcmp(quiesce, "required") == 0 ? QUIESCE_REQUIRED
                           : strcmp(quiesce, "no") == 0     ? QUIESCE_NO
                                                            : QUIESCE_AUTO,
                .quiesce_tries = (unsigned) json_field_number(spec, "quiesce_tries"),
                .quiesce_wait_msec = (unsigned) json_field_number(spec, "quiesce_wait_msec"),
                .enable_cbt = strcmp(json_field_text(spec, "cbt"), "enable") == 0,
                .reads_deltas = find_reads_deltas(spec),
                .warnings = json_array(),
        };
        if (!json_object_get(spec, "quiesce_tries"))
                ret_take->quiesce_tries = 3;
        if (!json_object_get(spec, "quiesce_wait_msec"))
                ret_take->quiesce_wait_msec = QUIESCE_WAIT_MSEC;
        return 0;
}

/* Readable when that many seconds are over. */
static int clock_new(uint64_t sec)
{
        const struct itimerspec after = { .it_value.tv_sec = (time_t) sec };
        int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

        if (fd >= 0)
                (void) timerfd_settime(fd, 0, &after, NULL);
        return fd;
}

/* The error stays what it was, unless the snapshot does stay. With undo_sec somebody goes on with the removal: then one
 * who was told to end does not wait for a task of vCenter's until he is killed, with his sessions open. */
static int undo(const Task *task, const VSphereLogin *login, const VSphereRef *vm, const Take *take,
                int failed, VSphereError *error)
{
        uint64_t sec = json_field_number(task->spec, "undo_sec");
        _cleanup_close_ int clock_fd = failed == -ECANCELED && sec > 0 ? clock_new(sec) : -1;
        CLEANUP(vsphere_close_p) VSphere *v = NULL;
        VSphereLogin again = *login;
        VSphereError why = {};
        unsigned n = 0;
        int r;

        /* The signal has been obeyed: this is how. */
        again.cancel_fd = failed != -ECANCELED && sec > 0 ? task->cancel_fd : clock_fd;
        r = vsphere_open(&again, &v, &why);
        if (r >= 0)
                r = snapshot_remove_all(v, vm, &(SnapshotChoice){ .name = take->name }, &n, &why);
        if (r < 0)
                return vsphere_error_prefix(error, BUS_ERROR_SNAPSHOT_LEFT,
                                            "a snapshot %s may be left, because it could not be "
                                            "removed (%.200s); "
                                            "it was to be removed after this",
                                            take->name, why.text);
        return failed;
}

int verb_snapshot(const Task *task, json_t **ret_result, VSphereError *error)
{
        CLEANUP(login_spec_done) LoginSpec login = {};
        CLEANUP(vsphere_close_p) VSphere *v = NULL;
        CLEANUP(take_done) Take take = {};
        VSphereRef vm = {};
        int r;

        r = read_take(task->spec, &take, error);
        if (r >= 0)
                r = spec_open(task, &login, &v, error);
        if (r >= 0)
                r = find_vm(v, task->spec, &vm, error);
        if (r < 0)
                return r;
        r = take_prepare(v, &vm, &take, error);
        if (r >= 0)
                r = take_snapshot(v, &take, error);
        if (r >= 0)
                r = take_read_disks(v, &take, error);
        if (r >= 0)
                r = take_nvram(v, &take, error);
        if (r >= 0) {
                *ret_result = take_result(&take);
                if (*ret_result)
                        return 0;
                r = vsphere_error_errno(error, -ENOMEM, "Cannot tell of the snapshot");
        }
        if (take.was_asked)
                r = undo(task, &login.login, &vm, &take, r, error);
        return r;
}
