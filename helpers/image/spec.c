/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The common fields of specs (see spec.h).
 */
#include "spec.h"

#include "bus/bus-error.h"

#include <string.h>

bool spec_path_is_valid(const char *path)
{
        const char *part = path;

        if (*path != '/')
                return false;
        while (*part == '/') {
                size_t n = strcspn(++part, "/");

                if (n == 0 || (n == 1 && part[0] == '.') || (n == 2 && strncmp(part, "..", 2) == 0))
                        return false;
                part += n;
        }
        return true;
}

bool spec_backing_is_valid(const char *name)
{
        static const char suffix[] = ".qcow2";
        size_t n = strlen(name);
        char backup_id[BACKUP_ID_SIZE];

        if (n <= strlen(suffix) || n - strlen(suffix) >= sizeof(backup_id) ||
            strcmp(name + n - strlen(suffix), suffix) != 0)
                return false;
        memcpy(backup_id, name, n - strlen(suffix));
        backup_id[n - strlen(suffix)] = '\0';
        return backup_id_is_valid(backup_id);
}

int spec_check(const json_t *spec, const JsonField *fields, size_t n_fields, Failure *failure)
{
        char error[JSON_FIELDS_ERROR_SIZE];

        return json_fields_check(spec, fields, n_fields, "the spec", error) < 0
                               ? failure_set(failure, BUS_ERROR_INVALID_ARGUMENT, "%s", error)
                               : 0;
}

int spec_check_keys(const json_t *spec, Failure *failure)
{
        const json_t *keys = json_object_get(spec, "disk_keys");

        for (size_t i = 0; i < json_array_size(keys); i++) {
                const json_t *key = json_array_get(keys, i);

                if (!json_is_integer(key) || json_integer_value(key) < 1 ||
                    json_integer_value(key) > (json_int_t) DISK_KEY_MAX)
                        return failure_set(failure, BUS_ERROR_INVALID_ARGUMENT,
                                           "the spec: element %zu of disk_keys is no disk key", i);
        }
        return 0;
}
