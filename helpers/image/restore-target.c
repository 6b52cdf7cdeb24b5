/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Targets of a restore as far as they are alike (see restore-target.h).
 */
#include "restore-target.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "json-fields.h"
#include "spec.h"

#include <errno.h>
#include <string.h>

enum {
        CHUNK_BYTES = 32 * 1024, /* zeroes of at least that length are left out */
};

static const char *const kinds[RESTORE_KIND_MAX] = {
        [RESTORE_FILE] = "file",
        [RESTORE_DEVICE] = "device",
        [RESTORE_NBD] = "nbd",
};

static bool kind_is_valid(const char *text)
{
        for (size_t i = 0; i < RESTORE_KIND_MAX; i++)
                if (strcmp(kinds[i], text) == 0)
                        return true;
        return false;
}

static bool format_is_valid(const char *text)
{
        return strcmp(text, "raw") == 0 || strcmp(text, "qcow2") == 0 || strcmp(text, "vmdk") == 0;
}

static const JsonField fields[] = {
        { .key = "kind",
          .kind = JSON_FIELD_TEXT,
          .max = 16,
          .is_valid = kind_is_valid,
          .must = "file, device or nbd" },
        { .key = "path",
          .kind = JSON_FIELD_TEXT,
          .optional = true,
          .min = 2,
          .max = SPEC_PATH_MAX,
          .is_valid = spec_path_is_valid,
          .must = "an absolute path without . and .." },
        { .key = "format",
          .kind = JSON_FIELD_TEXT,
          .optional = true,
          .max = 16,
          .is_valid = format_is_valid,
          .must = "raw, qcow2 or vmdk" },
        { .key = "force", .kind = JSON_FIELD_BOOL, .optional = true },
        { .key = "uri",
          .kind = JSON_FIELD_TEXT,
          .optional = true,
          .min = 1,
          .max = NBD_URI_SIZE - 1 },
};

int restore_target_read(RestoreTarget *target, const json_t *object, uint64_t job, Failure *failure)
{
        const char *path, *format, *uri;
        char error[JSON_FIELDS_ERROR_SIZE];

        *target = (RestoreTarget){
                .kind = RESTORE_KIND_INVALID,
                .job = job,
                .place = { .folder = -1, .partial = -1, .file = -1 },
                .fd = -1,
                .direct_fd = -1,
                .server.child = { .out = -1, .err = -1 },
        };
        if (json_fields_check(object, fields, ELEMENTSOF(fields), "the target", error) < 0)
                return failure_set(failure, BUS_ERROR_INVALID_ARGUMENT, "%s", error);
        path = json_field_text(object, "path");
        format = json_field_text(object, "format");
        uri = json_field_text(object, "uri");
        for (RestoreKind kind = 0; kind < RESTORE_KIND_MAX; kind++)
                if (strcmp(kinds[kind], json_field_text(object, "kind")) == 0)
                        target->kind = kind;
        if ((target->kind == RESTORE_NBD) != (uri != NULL) ||
            (target->kind == RESTORE_NBD) == (path != NULL) ||
            (target->kind != RESTORE_FILE && format && strcmp(format, "raw") != 0))
                return failure_set(
                                failure, BUS_ERROR_INVALID_ARGUMENT,
                                "the target: a file and a device have a path, nbd has a uri, and "
                                "a file alone has a format");
        if (uri && nbd_uri_parse(uri, &target->uri) < 0)
                return failure_set(failure, BUS_ERROR_INVALID_ARGUMENT,
                                   "the target: %s must be nbd://HOST[:PORT]/EXPORT or "
                                   "nbd+unix:///EXPORT?socket=PATH",
                                   uri);
        target->path = path ?: uri;
        target->format = format ?: "raw";
        target->force = json_field_bool(object, "force");
        target->type = target->kind == RESTORE_NBD || strcmp(target->format, "raw") != 0
                                       ? &restore_nbd_type
                                       : &restore_plain_type;
        return 0;
}

int restore_target_open(RestoreTarget *target, uint64_t capacity_bytes, uint64_t needed_bytes,
                        unsigned n_writers, Failure *failure)
{
        int r = 0;

        target->capacity_bytes = capacity_bytes;
        target->needed_bytes = needed_bytes;
        target->n_writers = n_writers;
        target->is_empty = target->kind == RESTORE_FILE;
        if (target->kind == RESTORE_FILE) {
                r = restore_place_open(&target->place, target->path, target->job, target->force,
                                       needed_bytes, failure);
                if (r >= 0)
                        r = restore_place_make(&target->place, failure);
        }
        return r < 0 ? r : target->type->open(target, failure);
}

static bool is_zero(const uint8_t *data, size_t length)
{
        return length == 0 || (data[0] == 0 && memcmp(data, data + 1, length - 1) == 0);
}

static size_t chunk_length(size_t length, size_t at)
{
        return length - at < CHUNK_BYTES ? length - at : CHUNK_BYTES;
}

int restore_target_write(RestoreTarget *target, unsigned writer, const void *data, size_t length,
                         uint64_t offset, Failure *failure)
{
        const uint8_t *bytes = data;
        int r;

        if (!target->is_empty)
                return target->type->write(target, writer, data, length, offset, failure);
        for (size_t at = 0, end; at < length; at = end) {
                bool zero = is_zero(bytes + at, chunk_length(length, at));

                end = at + chunk_length(length, at);
                if (zero)
                        continue;
                while (end < length && !is_zero(bytes + end, chunk_length(length, end)))
                        end += chunk_length(length, end);
                r = target->type->write(target, writer, bytes + at, end - at, offset + at, failure);
                if (r < 0)
                        return r;
        }
        return 0;
}

uint64_t restore_target_total(const RestoreTarget *target)
{
        return target->is_empty ? target->needed_bytes : target->capacity_bytes;
}

int restore_target_zero(RestoreTarget *target, uint64_t offset, uint64_t length, Failure *failure)
{
        return target->is_empty ? 0 : target->type->zero(target, offset, length, failure);
}

int restore_target_find(const RestoreTarget *target, json_t **ret_note, Failure *failure)
{
        return target->kind == RESTORE_FILE
                               ? restore_place_find(target->path, target->job, ret_note, failure)
                               : 0;
}

int restore_target_finish(RestoreTarget *target, const json_t *note, Failure *failure)
{
        int r;

        r = target->type->finish(target, failure);
        if (r >= 0 && target->kind == RESTORE_FILE)
                r = restore_place_publish(&target->place, note, failure);
        target->is_finished = r >= 0;
        return r;
}

void restore_target_done(RestoreTarget *target)
{
        Failure ignored;

        if (target->type)
                target->type->close(target);
        if (!target->is_finished && target->place.folder >= 0)
                (void) restore_place_remove(&target->place, NULL, &ignored);
        restore_place_done(&target->place);
        target->type = NULL;
}

int restore_target_undo(const RestoreTarget *target, bool *ret_removed, Failure *failure)
{
        *ret_removed = false;
        return target->kind == RESTORE_FILE
                               ? restore_place_undo(target->path, target->job, ret_removed, failure)
                               : 0;
}
