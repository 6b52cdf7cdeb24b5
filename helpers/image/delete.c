/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * delete: takes one backup out of a repository; what others need of it goes into the layers above first. delete-undo: ends what
 * a killed or cancelled delete began, one way or the other.
 *
 * First all that may fail: copies are made, digests compared (merge_prepare). Then the record gets another name: from
 * there on the backup is none any more and there is only forward. Then chain by chain the images, manifests and records of its
 * children change, in this order, and last its own files go, and after them the renamed record. Whenever it is killed, each
 * remaining backup reads as before, and delete, asked for any backup of that VM, goes on.
 */
#include "delete.h"
#include "bus/bus-error.h"
#include "cleanup.h"
#include "fault-point.h"
#include "json-cleanup.h"
#include "layers.h"
#include "log.h"
#include "names.h"
#include "spec.h"
#include "tool.h"
#include "verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

static const JsonField fields[] = {
        SPEC_PATH("repository"),
        SPEC_UUID("repository_uuid", true),
        SPEC_UUID("instance_uuid", false),
        SPEC_BACKUP_ID,
        { .key = "force", .kind = JSON_FIELD_BOOL, .optional = true },
        { .key = "job", .kind = JSON_FIELD_NUMBER, .optional = true, .min = 1, .max = INT64_MAX },
        { .key = "progress", .kind = JSON_FIELD_TEXT, .optional = true, .min = 1, .max = 100 },
};

static void deletion_done(Deletion *deletion)
{
        announcer_done(&deletion->announcer);
        vm_records_done(&deletion->vm);
        repository_done(&deletion->repository);
}

/* 1: the VM has no folder. */
static int open_all(Deletion *deletion, const json_t *spec, Failure *failure)
{
        int r;

        r = spec_check(spec, fields, ELEMENTSOF(fields), failure);
        if (r < 0)
                return r;
        deletion->instance_uuid = json_field_text(spec, "instance_uuid");
        deletion->backup_id = json_field_text(spec, "backup_id");
        deletion->force = json_field_bool(spec, "force");
        announcer_init(&deletion->announcer, json_field_text(spec, "progress"),
                       json_field_number(spec, "job"));
        r = repository_open(&deletion->repository, json_field_text(spec, "repository"),
                            json_field_text(spec, "repository_uuid"), REPOSITORY_WRITE, failure);
        if (r < 0) {
                failure->is_unbegun = true;
                return r;
        }
        return vm_records_open(&deletion->vm, &deletion->repository, deletion->instance_uuid,
                               failure);
}

static int read_records(Deletion *deletion, Failure *failure)
{
        int r = tool_check_version("qemu-img", failure);

        return r < 0 ? r : vm_records_read(&deletion->vm, failure);
}

static int each_child(Deletion *deletion, const json_t *disk, DeletionAct act, Failure *failure)
{
        const char *doomed = json_field_text(deletion->record, "backup_id");
        const char *parent = json_field_text(disk, "parent_backup_id");
        uint32_t disk_key = (uint32_t) json_field_number(disk, "disk_key");
        const char *child = vm_records_child(&deletion->vm, doomed, disk_key, NULL), *next;
        int r = 0;

        for (; child && r >= 0; child = next) {
                CLEANUP(merge_done) Merge merge = { .folder = -1 };

                /* The others have their copies when the last one takes the full layer. */
                next = vm_records_child(&deletion->vm, doomed, disk_key, child);
                r = merge_open(&merge, &deletion->repository, deletion->vm.vm, disk_key, doomed,
                               child, parent, !parent && !next, failure);
                if (r >= 0)
                        r = act(deletion, &merge, failure);
        }
        return r;
}

int deletion_each_merge(Deletion *deletion, DeletionAct act, Failure *failure)
{
        json_t *disk;
        size_t i;
        int r;

        json_array_foreach (json_object_get(deletion->record, "disks"), i, disk) {
                r = each_child(deletion, disk, act, failure);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* May be called by a thread that reads, while this one waits for it. */
static void on_moved(void *userdata, uint64_t n_bytes)
{
        Deletion *deletion = userdata;
        MergeStep *step = &deletion->step;
        uint64_t part, at;
        char line[96];

        step->moved += n_bytes;
        part = step->expected > 0 && step->moved < step->expected
                               ? step->moved * 1000 / step->expected
                               : 1000;
        at = step->first + (step->end - step->first) / 1000 * part;
        announce_disk(&deletion->announcer, &deletion->announced, step->disk_key, at, step->total,
                      false);
        (void) snprintf(line, sizeof(line), "merging disk %" PRIu32 ": %" PRIu64 " %%",
                        step->disk_key, step->total > 0 ? at * 100 / step->total : 0);
        announce_status(&deletion->announcer, line);
}

/* A merge has two halves. What qemu-img moves by itself nobody tells. */
static void begin_half(Deletion *deletion, Merge *merge, unsigned half, uint64_t expected)
{
        uint64_t bytes = merge->child_bytes + merge->doomed_bytes;

        deletion->step = (MergeStep){ .disk_key = merge->disk_key,
                                      .first = bytes / 2 * half,
                                      .end = bytes / 2 * (half + 1),
                                      .total = bytes / 2 * 2,
                                      .expected = expected };
        merge->moved = on_moved;
        merge->userdata = deletion;
        announce_disk(&deletion->announcer, &deletion->announced, merge->disk_key,
                      deletion->step.first, deletion->step.total, true);
}

static void end_half(const Deletion *deletion, Announced *announced)
{
        announce_disk(&deletion->announcer, announced, deletion->step.disk_key, deletion->step.end,
                      deletion->step.total, true);
}

static int act_prepare(Deletion *deletion, Merge *merge, Failure *failure)
{
        uint64_t child = merge->child_bytes, doomed = merge->doomed_bytes;
        int r;

        /* Read and judged; and for a copy brought into it and compared. */
        begin_half(deletion, merge, 0, merge->in_place ? child : 2 * child + 3 * doomed);
        r = merge_prepare(merge, failure);
        if (r >= 0)
                end_half(deletion, &deletion->announced);
        return r;
}

static int act_finish(Deletion *deletion, Merge *merge, Failure *failure)
{
        int r;

        begin_half(deletion, merge, 1, merge->child_bytes);
        r = merge_finish(merge, failure);
        if (r >= 0)
                end_half(deletion, &deletion->announced);
        return r;
}

/* The point of no return. */
static int mark(Deletion *deletion, Failure *failure)
{
        LayerNames names;

        layer_names(deletion->backup_id, &names);
        fault_point("delete.mark.before");
        if (renameat(deletion->vm.backups, names.manifest, deletion->vm.backups, names.deleting) <
            0)
                return failure_errno(failure, -errno, "Cannot rename the record %s in %s",
                                     names.manifest, deletion->repository.path);
        fault_point("delete.mark.after");
        if (json_object_set(deletion->vm.deleting, deletion->backup_id,
                            (json_t *) deletion->record) < 0)
                return failure_errno(failure, -ENOMEM, "Cannot delete %s", deletion->backup_id);
        (void) json_object_del(deletion->vm.records, deletion->backup_id);
        return 0;
}

/* Its own files, which nothing builds on any more. */
static int remove_files(Deletion *deletion, const char *backup_id, Failure *failure)
{
        json_t *keys = json_array(), *disk;
        const BackupPlace place = { .instance_uuid = deletion->instance_uuid,
                                    .backup_id = backup_id,
                                    .disk_keys = keys };
        size_t i;
        int r = 0;

        json_array_foreach (json_object_get(deletion->record, "disks"), i, disk)
                if (json_array_append(keys, json_object_get(disk, "disk_key")) < 0)
                        r = failure_errno(failure, -ENOMEM, "Cannot delete %s", backup_id);
        if (r >= 0)
                r = repository_lock(&deletion->repository, failure);
        if (r >= 0)
                r = layers_remove(&deletion->repository, &place, failure);
        json_decref(keys);
        return r;
}

/* Nothing hangs on a figure: NULL, and the work goes on. */
static json_t *count_bytes(const Deletion *deletion)
{
        Failure failure = {};
        uint64_t bytes = 0;
        int r = deletion_bytes(deletion, &bytes, &failure);

        if (r >= 0)
                return json_integer((json_int_t) bytes);
        (void) log_warning(r, "%s, ignoring: what it frees is not told", failure.text);
        return NULL;
}

static json_t *tell_deleted(const Deletion *deletion, json_t *before)
{
        json_t *after = count_bytes(deletion);
        json_t *freed = before && after ? json_integer(json_integer_value(before) -
                                                       json_integer_value(after))
                                        : NULL;

        return json_pack("{s:s, s:o*, s:O*, s:o*, s:o}", "outcome", "deleted", "freed_bytes", freed,
                         "bytes_before", before, "bytes_after", after, "children",
                         deletion_children(deletion));
}

/* From the renamed record to the end. May be begun anew at any time. */
static int go_forward(Deletion *deletion, const char *backup_id, json_t **ret_result,
                      Failure *failure)
{
        CLEANUP(json_decref_p)
        json_t *record = json_incref(json_object_get(deletion->vm.deleting, backup_id));
        CLEANUP(json_decref_p) json_t *before = NULL;
        int r;

        deletion->record = record;
        before = count_bytes(deletion);
        if (fsync(deletion->vm.backups) < 0)
                return failure_errno(failure, -errno, "Cannot write the folder of records to disk");
        fault_point("delete.mark-sync.after");
        r = deletion_each_merge(deletion, act_finish, failure);
        if (r >= 0)
                r = deletion_tell_records(deletion, failure);
        if (r >= 0)
                r = remove_files(deletion, backup_id, failure);
        if (r < 0)
                return r;
        (void) json_object_del(deletion->vm.deleting, backup_id);
        json_decref(*ret_result);
        *ret_result = tell_deleted(deletion, before);
        return 0;
}

/* What was begun before, and by whomever: the chains are in between until it is at its end. One that fails keeps no other from
 * its end; the first failure is that of all, unless the wanted one is among those that ended. */
static int go_on(Deletion *deletion, json_t **ret_result, Failure *failure)
{
        const char *id, *wanted = deletion->backup_id;
        int r, first = 0;
        Failure later;
        json_t *record;
        void *next;

        json_object_foreach_safe(deletion->vm.deleting, next, id, record)
        {
                CLEANUP(json_decref_p) json_t *result = NULL;
                char name[BACKUP_ID_SIZE];

                (void) snprintf(name, sizeof(name), "%s", id);
                r = go_forward(deletion, name, &result, first < 0 ? &later : failure);
                if (r < 0)
                        first = first < 0 ? first : r;
                else if (strcmp(name, wanted) == 0)
                        *ret_result = TAKE(result);
        }
        return *ret_result ? 0 : first;
}

/* Nothing builds on it, not even what is being deleted. */
static bool is_newest(const Deletion *deletion, const char *backup_id)
{
        const char *id;
        json_t *record;

        json_object_foreach (deletion->vm.records, id, record)
                if (record_builds_on(record, backup_id))
                        return false;
        json_object_foreach (deletion->vm.deleting, id, record)
                if (record_builds_on(record, backup_id))
                        return false;
        return true;
}

/* Another deletion cannot go on. A newest backup concerns none of its layers. */
static int go_own_way(Deletion *deletion, int error, Failure *failure)
{
        Failure read = {};

        if (json_object_get(deletion->vm.deleting, deletion->backup_id) ||
            !is_newest(deletion, deletion->backup_id))
                return error;
        (void) log_warning(error, "A deletion that was begun before cannot go on: %s",
                           failure->text);
        /* It may have changed some of them in memory. */
        return vm_records_read(&deletion->vm, &read) < 0 ? error : 0;
}

static int gone(json_t **ret_result)
{
        *ret_result = json_pack("{s:s, s:i, s:[]}", "outcome", "gone", "freed_bytes", 0,
                                "children");
        return 0;
}

static int run(Deletion *deletion, json_t **ret_result, Failure *failure)
{
        int r;

        r = go_on(deletion, ret_result, failure);
        if (r < 0)
                r = go_own_way(deletion, r, failure);
        if (r < 0 || *ret_result)
                return r;
        deletion->record = json_object_get(deletion->vm.records, deletion->backup_id);
        if (!deletion->record)
                return gone(ret_result);
        /* What a killed one has left is in the way, and not needed: it is made again. */
        if (json_object_size(deletion->vm.deleting) == 0)
                r = merge_abandon(&deletion->repository, deletion->vm.vm, failure);
        if (r >= 0)
                r = deletion_check(deletion, failure);
        if (r >= 0)
                r = deletion_each_merge(deletion, act_prepare, failure);
        if (r >= 0)
                r = mark(deletion, failure);
        return r < 0 ? r : go_forward(deletion, deletion->backup_id, ret_result, failure);
}

int verb_delete(const json_t *spec, json_t **ret_result, Failure *failure)
{
        CLEANUP(deletion_done)
        Deletion deletion = { .repository.folder = -1,
                              .vm = { .vm = -1, .backups = -1 },
                              .announcer.fd = -1 };
        int r = open_all(&deletion, spec, failure);

        if (r > 0)
                return gone(ret_result);
        if (r == 0)
                r = read_records(&deletion, failure);
        return r < 0 ? r : run(&deletion, ret_result, failure);
}

/* Another one's failure is not that of a backup whose own deletion has not passed its point. */
static int undo_forward(Deletion *deletion, json_t **ret_result, Failure *failure)
{
        int own, r = read_records(deletion, failure);
        Failure look = {};

        if (r >= 0)
                r = go_on(deletion, ret_result, failure);
        if (r >= 0)
                return r;
        own = vm_records_has_deleting(&deletion->vm, deletion->backup_id, &look);
        if (own != 0)
                return r;
        (void) log_warning(r, "A deletion that was begun before cannot go on: %s", failure->text);
        return 0;
}

/* Forward, if any has passed its point of no return. Else nothing but names is looked at, so that what made a deletion fail
 * cannot make its end fail. */
static int undo(Deletion *deletion, json_t **ret_result, Failure *failure)
{
        int r = vm_records_any_deleting(&deletion->vm, failure);

        if (r > 0)
                r = undo_forward(deletion, ret_result, failure);
        else if (r == 0)
                r = merge_abandon(&deletion->repository, deletion->vm.vm, failure);
        if (r < 0 || *ret_result)
                return r;
        r = vm_records_has(&deletion->vm, deletion->backup_id, failure);
        if (r == 0)
                return gone(ret_result);
        *ret_result = r < 0 ? NULL : json_pack("{s:s}", "outcome", "kept");
        return r < 0 ? r : 0;
}

int verb_delete_undo(const json_t *spec, json_t **ret_result, Failure *failure)
{
        CLEANUP(deletion_done)
        Deletion deletion = { .repository.folder = -1,
                              .vm = { .vm = -1, .backups = -1 },
                              .announcer.fd = -1 };
        int r = open_all(&deletion, spec, failure);

        if (r > 0)
                return gone(ret_result);
        return r < 0 ? r : undo(&deletion, ret_result, failure);
}
