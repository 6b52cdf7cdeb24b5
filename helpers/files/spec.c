/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The strict reading of a spec (see spec.h).
 */
#include "spec.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "json-fields.h"
#include "names.h"
#include "path-text.h"
#include "text.h"

#include <errno.h>
#include <string.h>

static const JsonField fields[] = {
        { .key = "repository", .kind = JSON_FIELD_TEXT, .min = 2, .max = 4096 },
        { .key = "repository_uuid", .kind = JSON_FIELD_TEXT, .optional = true, .max = 36 },
        { .key = "instance_uuid", .kind = JSON_FIELD_TEXT, .max = 36 },
        { .key = "backup_id",
          .kind = JSON_FIELD_TEXT,
          .max = BACKUP_ID_SIZE,
          .is_valid = backup_id_is_valid,
          .must = "the id of a backup" },
        { .key = "files", .kind = JSON_FIELD_ARRAY, .min = 1, .max = SPEC_DISKS_MAX },
        { .key = "paths", .kind = JSON_FIELD_ARRAY, .max = SPEC_PATHS_MAX },
        { .key = "filesystem", .kind = JSON_FIELD_TEXT, .optional = true, .min = 1, .max = 255 },
        { .key = "accel", .kind = JSON_FIELD_TEXT, .max = 8 },
        { .key = "recursive", .kind = JSON_FIELD_BOOL, .optional = true },
        { .key = "what", .kind = JSON_FIELD_TEXT, .max = 16 },
        { .key = "job", .kind = JSON_FIELD_NUMBER, .optional = true, .min = 1, .max = INT64_MAX },
        { .key = "progress", .kind = JSON_FIELD_TEXT, .optional = true, .min = 2, .max = 100 },
};

/* Below the repository, and nowhere else. */
static bool file_is_sound(const char *file)
{
        if (!*file || *file == '/')
                return false;
        for (const char *part = file; *part;) {
                size_t n = strcspn(part, "/");

                if (n == 0 || (n == 1 && part[0] == '.') || (n == 2 && strncmp(part, "..", 2) == 0))
                        return false;
                part += n + (part[n] == '/');
        }
        return true;
}

/* Absolute, each part once; '..' is taken away as the kernel would not: it never leads through a link. */
static int clean_path(const char *bytes, char **ret_path)
{
        char *path = malloc(strlen(bytes) + 2);
        size_t n = 0;

        if (!path)
                return -ENOMEM;
        for (const char *part = bytes; *part;) {
                size_t length = strcspn(part, "/");

                if (length == 2 && strncmp(part, "..", 2) == 0) {
                        free(path);
                        return -EINVAL;
                }
                if (length > 0 && !(length == 1 && *part == '.')) {
                        path[n++] = '/';
                        memcpy(path + n, part, length);
                        n += length;
                }
                part += length + (part[length] == '/');
        }
        if (n == 0)
                path[n++] = '/';
        path[n] = '\0';
        *ret_path = path;
        return 0;
}

static int read_disks(FilesSpec *spec, Failure *failure)
{
        const json_t *file;
        size_t i;

        json_array_foreach (json_object_get(spec->json, "files"), i, file) {
                const char *name = json_string_value(file);

                if (!name || !file_is_sound(name))
                        return failure_set(failure, BUS_ERROR_INVALID_ARGUMENT,
                                           "the spec: element %zu of files is no file of a "
                                           "repository",
                                           i);
                spec->disks[spec->n_disks] = text_format(
                                "%s/%s", json_field_text(spec->json, "repository"), name);
                if (!spec->disks[spec->n_disks])
                        return failure_set(failure, BUS_ERROR_FAILED, "Out of memory");
                spec->n_disks++;
        }
        return 0;
}

static int read_paths(FilesSpec *spec, Failure *failure)
{
        const json_t *path;
        size_t i;

        json_array_foreach (json_object_get(spec->json, "paths"), i, path) {
                const char *text = json_string_value(path);
                _cleanup_free_ char *bytes = NULL;
                int r = text && strlen(text) <= SPEC_PATH_MAX ? path_text_to_bytes(text, &bytes)
                                                              : -EINVAL;

                if (r >= 0)
                        r = clean_path(bytes, &spec->paths[spec->n_paths]);
                if (r == -ENOMEM)
                        return failure_set(failure, BUS_ERROR_FAILED, "Out of memory");
                if (r < 0)
                        return failure_set(failure, BUS_ERROR_INVALID_ARGUMENT,
                                           "'%.200s' is no path: it must be without '..', with "
                                           "'\\\\' for a '\\'",
                                           text ?: "");
                spec->n_paths++;
        }
        return 0;
}

static int read_what(FilesSpec *spec)
{
        static const char *const words[FILES_WHAT_MAX] = { "list", "get", "filesystems" };

        for (int i = 0; i < FILES_WHAT_MAX; i++)
                if (strcmp(json_field_text(spec->json, "what"), words[i]) == 0) {
                        spec->what = (FilesWhat) i;
                        return 0;
                }
        return -EINVAL;
}

int files_spec_read(FilesSpec *spec, json_t *json, Failure *failure)
{
        char error[JSON_FIELDS_ERROR_SIZE];
        int r;

        *spec = (FilesSpec){ .json = json };
        if (json_fields_check(json, fields, ELEMENTSOF(fields), "the spec", error) < 0)
                return failure_set(failure, BUS_ERROR_INVALID_ARGUMENT, "%s", error);
        spec->job = json_field_number(json, "job");
        spec->filesystem = json_field_text(json, "filesystem");
        spec->accel = json_field_text(json, "accel");
        spec->recursive = json_field_bool(json, "recursive");
        if (read_what(spec) < 0)
                return failure_set(failure, BUS_ERROR_INVALID_ARGUMENT,
                                   "the spec: what must be list, get or filesystems");
        r = read_disks(spec, failure);
        return r < 0 ? r : read_paths(spec, failure);
}

void files_spec_done(FilesSpec *spec)
{
        for (size_t i = 0; i < spec->n_disks; i++)
                free(spec->disks[i]);
        for (size_t i = 0; i < spec->n_paths; i++)
                free(spec->paths[i]);
        json_decref(spec->json);
        *spec = (FilesSpec){};
}
