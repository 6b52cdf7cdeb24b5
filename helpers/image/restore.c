/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore: writes one disk of a backup, as the guest saw it, to a target, and compares every block with its
 * digest on the way. Runs as whoever may write the target, and needs to read the repository only. restore-undo:
 * removes what a restore with the same spec left when it was killed.
 */
#include "restore-copy.h"
#include "spec.h"
#include "verbs.h"

#include "cleanup.h"

#include <errno.h>
#include <sys/un.h>

static const JsonField fields[] = {
        SPEC_PATH("repository"),
        SPEC_UUID("repository_uuid", true),
        SPEC_UUID("instance_uuid", false),
        SPEC_BACKUP_ID,
        { .key = "job", .kind = JSON_FIELD_NUMBER, .min = 1, .max = JOB_NUMBER_MAX },
        { .key = "progress",
          .kind = JSON_FIELD_TEXT,
          .optional = true,
          .min = 2,
          .max = sizeof(((struct sockaddr_un *) NULL)->sun_path) - 1 },
        { .key = "disk_key", .kind = JSON_FIELD_NUMBER, .min = 1, .max = DISK_KEY_MAX },
        { .key = "target", .kind = JSON_FIELD_OBJECT },
        { .key = "damaged_ok", .kind = JSON_FIELD_BOOL, .optional = true },
};

/* Reading and hashing hide behind each other's waiting. */
static unsigned count_readers(void)
{
        long n = 2 * sysconf(_SC_NPROCESSORS_ONLN);

        return n < 4 ? 4 : n > RESTORE_READERS_MAX ? RESTORE_READERS_MAX : (unsigned) n;
}

static int answer(const json_t *spec, const Chain *chain, uint64_t needed_bytes,
                  RestoreOutcome *outcome, json_t **ret_result)
{
        *ret_result = json_pack("{s:I, s:I, s:I, s:I, s:I, s:o}", "disk_key",
                                (json_int_t) json_field_number(spec, "disk_key"), "capacity_bytes",
                                (json_int_t) chain->capacity_bytes, "data_bytes",
                                (json_int_t) needed_bytes, "layers", (json_int_t) chain->n_layers,
                                "n_damaged", (json_int_t) outcome->n_damaged, "damaged",
                                outcome->damaged);
        return *ret_result ? 0 : -ENOMEM;
}

/* What was asked, but for who listens. */
static json_t *copy_spec(const json_t *spec)
{
        json_t *copy = json_deep_copy(spec);

        (void) json_object_del(copy, "progress");
        return copy;
}

static int finish(const json_t *spec, RestoreTarget *target, json_t *result, Failure *failure)
{
        json_t *note = json_pack("{s:o, s:O}", "spec", copy_spec(spec), "result", result);
        int r;

        r = note ? restore_target_finish(target, note, failure)
                 : failure_errno(failure, -ENOMEM, "Cannot note the result");
        json_decref(note);
        return r;
}

/* A run that was killed after its file was in its place: what it would have told. */
static int find_result(const json_t *spec, const RestoreTarget *target, json_t **ret_result,
                       Failure *failure)
{
        json_t *note = NULL, *copy, *result;
        bool removed;
        int r;

        r = restore_target_find(target, &note, failure);
        if (r <= 0)
                return r;
        copy = copy_spec(spec);
        result = json_object_get(note, "result");
        r = json_is_object(result) && json_equal(copy, json_object_get(note, "spec"));
        if (r > 0) {
                *ret_result = json_incref(result);
                (void) restore_target_undo(target, &removed, failure);
        }
        json_decref(copy);
        json_decref(note);
        return r;
}

static int restore_disk(const json_t *spec, const Chain *chain, RestoreTarget *target,
                        json_t **ret_result, Failure *failure)
{
        CLEANUP(restore_source_done)
        RestoreSource source = { .server.child = { .out = -1, .err = -1 } };
        CLEANUP(announcer_done) Announcer announcer = { .fd = -1 };
        RestoreOutcome outcome = {};
        RestoreRequest request = {
                .chain = chain,
                .source = &source,
                .target = target,
                .damaged_ok = json_field_bool(spec, "damaged_ok"),
                .announcer = &announcer,
                .disk_key = (uint32_t) json_field_number(spec, "disk_key"),
        };
        json_t *result = NULL;
        uint64_t needed_bytes;
        int r;

        announcer_init(&announcer, json_field_text(spec, "progress"),
                       json_field_number(spec, "job"));
        r = restore_source_open(&source,
                                &(Image){ .path = chain->path,
                                          .name = chain->names.image,
                                          .folder = chain->folder,
                                          .fd = -1 },
                                chain->capacity_bytes, count_readers(), failure);
        if (r >= 0)
                r = restore_source_count(&source, &needed_bytes, failure);
        if (r >= 0)
                r = restore_target_open(target, chain->capacity_bytes, needed_bytes,
                                        source.n_readers, failure);
        if (r >= 0)
                r = restore_copy(&request, &outcome, failure);
        if (r < 0)
                return r;
        r = answer(spec, chain, needed_bytes, &outcome, &result);
        if (r < 0)
                return failure_errno(failure, r, "Cannot make the result");
        r = finish(spec, target, result, failure);
        if (r < 0) {
                json_decref(result);
                return r;
        }
        *ret_result = result;
        announce_disk(&announcer, &(Announced){}, request.disk_key, restore_target_total(target),
                      restore_target_total(target), true);
        return 0;
}

int verb_restore(const json_t *spec, json_t **ret_result, Failure *failure)
{
        CLEANUP(repository_done) Repository repository = { .folder = -1 };
        CLEANUP(chain_done) Chain chain = { .folder = -1 };
        CLEANUP(restore_target_done)
        RestoreTarget target = {
                .place = { .folder = -1, .partial = -1, .file = -1 },
        };
        int r;

        r = spec_check(spec, fields, ELEMENTSOF(fields), failure);
        if (r >= 0)
                r = restore_target_read(&target, json_object_get(spec, "target"),
                                        json_field_number(spec, "job"), failure);
        if (r >= 0)
                r = find_result(spec, &target, ret_result, failure);
        if (r > 0)
                return 0;
        if (r >= 0)
                r = repository_open(&repository, json_field_text(spec, "repository"),
                                    json_field_text(spec, "repository_uuid"), REPOSITORY_LOOK,
                                    failure);
        if (r >= 0)
                r = chain_open(&chain, &repository, json_field_text(spec, "instance_uuid"),
                               json_field_text(spec, "backup_id"),
                               (uint32_t) json_field_number(spec, "disk_key"), failure);
        return r < 0 ? r : restore_disk(spec, &chain, &target, ret_result, failure);
}

int verb_restore_undo(const json_t *spec, json_t **ret_result, Failure *failure)
{
        CLEANUP(restore_target_done)
        RestoreTarget target = {
                .place = { .folder = -1, .partial = -1, .file = -1 },
        };
        bool removed = false;
        int r;

        r = spec_check(spec, fields, ELEMENTSOF(fields), failure);
        if (r < 0)
                return r;
        /* At a target that is refused nothing was made. */
        if (restore_target_read(&target, json_object_get(spec, "target"),
                                json_field_number(spec, "job"), failure) >= 0)
                r = restore_target_undo(&target, &removed, failure);
        if (r < 0)
                return r;
        *ret_result = json_pack("{s:s}", "outcome", removed ? "removed" : "nothing");
        return 0;
}
