/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verb migrate: a whole backup by one command, for people and for scripts that have it from earlier. The
 * snapshot is made and removed by sendense-vsphere, the copy is that of the verb copy. From the moment a snapshot was asked
 * for, its removal is owed on every way out.
 */
#include "changes.h"
#include "cleanup.h"
#include "copy.h"
#include "log.h"
#include "look.h"
#include "migrate-options.h"
#include "migrate-turn.h"
#include "parse.h"
#include "session.h"
#include "text.h"
#include "verb-end.h"
#include "verbs.h"
#include "vsphere-child.h"

#include "bus/bus-error.h"
#include "names.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sysexits.h>

#define SNAPSHOT_PREFIX "sendense-cli-"

typedef struct Migration {
        MigrateOptions options;
        VsphereChild child;
        uint64_t job; /* the number of the job id, if it is one */
        char *snapshot_name;
        int turn_fd; /* of this job at this VM */
        json_t *vm; /* as discover shows it */
        json_t *snapshot; /* as the verb snapshot shows it */
        json_t *disks; /* results of the copy */
} Migration;

static void migration_done(Migration *m)
{
        migrate_options_done(&m->options);
        free(m->snapshot_name);
        cleanup_close_p(&m->turn_fd);
        json_decref(m->vm);
        json_decref(m->snapshot);
        json_decref(m->disks);
        *m = (Migration){ .turn_fd = -1 };
}

static const char *text_of(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key)) ?: "";
}

static uint32_t key_of(const json_t *disk)
{
        json_int_t key = json_integer_value(json_object_get(disk, "disk_key"));

        return key > 0 && key <= (json_int_t) DISK_KEY_MAX ? (uint32_t) key : 0;
}

static const json_t *find_disk(const json_t *disks, uint32_t key)
{
        const json_t *disk;
        size_t i;

        json_array_foreach (disks, i, disk)
                if (key_of(disk) == key)
                        return disk;
        return NULL;
}

/* Each disk that can be copied has a target, and each target a disk that can be copied. */
static int check_targets(const Migration *m, const json_t *disks, Failure *failure)
{
        const NbdTargets *targets = &m->options.targets;
        const json_t *disk;
        size_t i;

        json_array_foreach (disks, i, disk)
                if (strcmp(text_of(disk, "verdict"), "no") != 0 &&
                    !nbd_targets_find(targets, key_of(disk)))
                        return failure_set(failure, -EINVAL, FAILURE_INVALID, key_of(disk),
                                           "no target for disk %" PRIu32
                                           " (%s, %s) of %s; add %" PRIu32
                                           ":nbd://… to --nbd-targets. Nothing was done",
                                           key_of(disk), text_of(disk, "label"),
                                           text_of(disk, "datastore_path"), m->options.path,
                                           key_of(disk));
        for (i = 0; i < targets->n; i++) {
                uint32_t key = targets->list[i].disk_key;

                disk = find_disk(disks, key);
                if (!disk)
                        return failure_set(failure, -EINVAL, FAILURE_INVALID, key,
                                           "a target for disk %" PRIu32
                                           ", but %s has no such disk. Nothing was done",
                                           key, m->options.path);
                if (strcmp(text_of(disk, "verdict"), "no") == 0)
                        return failure_set(failure, -EINVAL, BUS_ERROR_VM_NOT_USABLE, key,
                                           "disk %" PRIu32 " cannot be copied: %s", key,
                                           text_of(disk, "reason"));
        }
        return 0;
}

static int run(const Migration *m, const char *verb, json_t *spec, json_t **ret_result,
               Failure *failure)
{
        int r = -ENOMEM;

        if (spec)
                r = vsphere_child_run(&m->child, verb, spec, ret_result, failure);
        json_decref(spec);
        return r;
}

static int discover(Migration *m, Failure *failure)
{
        json_t *found = NULL;
        int r;

        r = run(m, "discover",
                json_pack("{s:O, s:s, s:s}", "vcenter", m->options.vcenter, "path", m->options.path,
                          "transport", m->options.transport),
                &found, failure);
        if (r < 0)
                return r;
        json_decref(m->vm);
        m->vm = json_incref(json_array_get(json_object_get(found, "vms"), 0));
        json_decref(found);
        if (!m->vm)
                return failure_set(failure, -ENOENT, BUS_ERROR_VM_MISSING, 0,
                                   "vCenter shows no VM %s", m->options.path);
        return 0;
}

static bool has_leftover(const Migration *m)
{
        const json_t *snapshot;
        size_t i;

        json_array_foreach (json_object_get(m->vm, "snapshots"), i, snapshot)
                if (strcmp(text_of(snapshot, "name"), m->snapshot_name) == 0)
                        return true;
        return false;
}

static json_t *wanted_disks(const Migration *m)
{
        json_t *list = json_array();

        for (size_t i = 0; i < m->options.targets.n; i++)
                (void) json_array_append_new(
                                list, json_pack("{s:I}", "disk_key",
                                                (json_int_t) m->options.targets.list[i].disk_key));
        return list;
}

static int take_snapshot(Migration *m, Failure *failure)
{
        return run(m, "snapshot",
                   json_pack("{s:O, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "vcenter",
                             m->options.vcenter, "instance_uuid", text_of(m->vm, "instance_uuid"),
                             "transport", m->options.transport, "name", m->snapshot_name,
                             "leftover_prefix", m->snapshot_name, "description",
                             "Sendense copies the disks; removed when it is done", "quiesce",
                             m->options.quiesce, "cbt", "as-is", "disks", wanted_disks(m)),
                   &m->snapshot, failure);
}

/* What the target held before is not known: zeroes are written, too. A disk whose changes are tracked can be asked what was
 * ever written to it. */
static json_t *copy_disk_spec(const Migration *m, const json_t *disk)
{
        const char *uri = nbd_targets_find(&m->options.targets, key_of(disk));

        return uri ? json_pack("{s:I, s:O, s:s, s:b, s:s, s:O*, s:{s:s, s:s, s:s}}", "disk_key",
                               (json_int_t) key_of(disk), "capacity_bytes",
                               json_object_get(disk, "capacity_bytes"), "target", uri, "parent", 1,
                               "read", "allocated", "change_id_now",
                               json_object_get(disk, "change_id"), "source", "kind",
                               m->options.transport, "datastore_path",
                               text_of(disk, "datastore_path"), "datacenter",
                               text_of(disk, "datacenter"))
                   : NULL;
}

static json_t *vddk_spec(const Migration *m)
{
        json_t *vddk = json_object();

        if (m->options.vddk_plugin)
                (void) json_object_set_new(vddk, "plugin", json_string(m->options.vddk_plugin));
        if (m->options.vddk_libdir)
                (void) json_object_set_new(vddk, "libdir", json_string(m->options.vddk_libdir));
        return vddk;
}

static int make_copy_spec(const Migration *m, CopySpec *ret_spec, Failure *failure)
{
        const json_t *taken = json_object_get(m->snapshot, "disks"), *disk;
        _cleanup_free_ char *text = NULL;
        json_t *disks = json_array(), *spec;
        size_t i;

        json_array_foreach (taken, i, disk)
                (void) json_array_append_new(disks, copy_disk_spec(m, disk));
        /* None was added or lost between the look and the snapshot. */
        if (json_array_size(disks) != m->options.targets.n) {
                json_decref(disks);
                return failure_set(failure, -ESTALE, BUS_ERROR_SNAPSHOT_FAILED, 0,
                                   "the disks of %s have changed while the snapshot was made",
                                   m->options.path);
        }
        spec = json_pack("{s:I, s:i, s:b, s:O, s:{s:s, s:s}, s:o, s:o}", "job", (json_int_t) m->job,
                         "attempt", 1, "digests", 0, "vcenter", m->options.vcenter, "vm", "moref",
                         text_of(m->snapshot, "vm_moref"), "snapshot_moref",
                         text_of(m->snapshot, "snapshot_moref"), "vddk", vddk_spec(m), "disks",
                         disks);
        text = spec ? json_dumps(spec, JSON_COMPACT) : NULL;
        json_decref(spec);
        if (!text)
                return failure_set(failure, -ENOMEM, FAILURE_OTHER, 0, "out of memory");
        return spec_parse(text, strlen(text), ret_spec, failure);
}

static int copy(Migration *m, Failure *failure)
{
        CLEANUP(spec_done) CopySpec spec = {};
        int r;

        r = make_copy_spec(m, &spec, failure);
        if (r >= 0)
                r = changes_ask(&spec, m->child.signal_fd, failure);
        if (r >= 0)
                r = copy_disks(&spec, m->child.signal_fd, &m->disks, failure);
        session_drop();
        return r;
}

static int remove_snapshot(const Migration *m, Failure *failure)
{
        json_t *result = NULL;
        int r;

        r = run(m, "release",
                json_pack("{s:O, s:s, s:s, s:s, s:s}", "vcenter", m->options.vcenter,
                          "instance_uuid", text_of(m->vm, "instance_uuid"), "vm_moref",
                          text_of(m->vm, "moref"), "transport", m->options.transport, "name",
                          m->snapshot_name),
                &result, failure);
        json_decref(result);
        return r;
}

static int take_turn(Migration *m, Failure *failure)
{
        int r;

        r = migrate_turn_take(m->snapshot_name, text_of(m->vm, "instance_uuid"), &m->turn_fd);
        if (r == -EADDRINUSE)
                return failure_set(failure, r, BUS_ERROR_VM_BUSY, 0,
                                   "another run with --job-id %s is at work on %s; wait for it, or "
                                   "give this one another id. Nothing was done",
                                   m->options.job, m->options.path);
        return r;
}

/* The VM as it is without what a killed run of the same job has left: its disks would be deltas, which
 * not everything can read. */
static int look(Migration *m, Failure *failure)
{
        int r;

        r = discover(m, failure);
        if (r >= 0)
                r = take_turn(m, failure);
        if (r < 0 || !has_leftover(m))
                return r;
        log_info("Removing the snapshot %s that an earlier run has left", m->snapshot_name);
        r = remove_snapshot(m, failure);
        return r < 0 ? r : discover(m, failure);
}

/* By a login of its own, and whatever signals come: the snapshot must go. The failure that came before it is the one that
 * is told, with this one added when the snapshot is still there. */
static void release(const Migration *m, Failure *failure)
{
        Migration calm = *m;
        Failure left = {};

        calm.child.signal_fd = -1;
        if (remove_snapshot(&calm, &left) >= 0)
                return;
        (void) log_error(-EBUSY, "Snapshot %s of %s is left: %s", m->snapshot_name, m->options.path,
                         left.text);
        if (failure->name)
                failure_add(failure, "; the snapshot %s is left: %s", m->snapshot_name, left.text);
        else
                (void) failure_set(failure, -EBUSY, BUS_ERROR_SNAPSHOT_LEFT, 0,
                                   "all disks are copied, but the snapshot %s of %s is left: %s; "
                                   "remove it, or run this again",
                                   m->snapshot_name, m->options.path, left.text);
}

static int migrate(Migration *m, Failure *failure)
{
        int r;

        r = look(m, failure);
        if (r >= 0)
                r = check_targets(m, json_object_get(m->vm, "disks"), failure);
        if (r >= 0 && strcmp(m->options.transport, "https") == 0)
                r = look_at_disks(m->options.vcenter, json_object_get(m->vm, "disks"),
                                  m->child.signal_fd, failure);
        if (r < 0)
                return r;
        r = take_snapshot(m, failure);
        if (r >= 0)
                r = copy(m, failure);
        release(m, failure);
        return r;
}

static json_t *result_of(const Migration *m)
{
        json_t *snapshot = m->snapshot;

        return m->disks ? json_pack("{s:s, s:O, s:O*, s:O*, s:O*}", "result", "ok", "disks",
                                    m->disks, "quiesced", json_object_get(snapshot, "quiesced"),
                                    "excluded", json_object_get(snapshot, "excluded"), "warnings",
                                    json_object_get(snapshot, "warnings"))
                        : NULL;
}

int verb_migrate(int argc, char *argv[])
{
        CLEANUP(migration_done) Migration m = { .job = 1, .turn_fd = -1 };
        _cleanup_close_ int signal_fd = -1;
        Failure failure = {};
        int r;

        r = migrate_options_parse(argc, argv, &m.options);
        if (r <= 0)
                return r < 0 ? EX_USAGE : EXIT_SUCCESS;
        log_open("sendense-backup-client");
        if (m.options.password_file)
                session_set_password_file(m.options.password_file);
        (void) parse_uint64(m.options.job, 1, JOB_NUMBER_MAX, &m.job);
        m.snapshot_name = text_format(SNAPSHOT_PREFIX "%s", m.options.job);
        r = m.snapshot_name ? verb_signals(&signal_fd) : -ENOMEM;
        if (r >= 0) {
                m.child = (VsphereChild){ .program = m.options.vsphere_program,
                                          .password_file = m.options.password_file,
                                          .signal_fd = signal_fd };
                r = migrate(&m, &failure);
        }
        if (r < 0)
                (void) failure_set(&failure, r, FAILURE_OTHER, 0, "%s", strerror(-r));
        return verb_end(m.job, result_of(&m), &failure);
}
