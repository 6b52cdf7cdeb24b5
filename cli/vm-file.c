/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The strict reader of VM files (see vm-file.h).
 */
#include "vm-file.h"

#include "cleanup.h"
#include "json-cleanup.h"
#include "names.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
        VM_FILE_MAX = 1024 * 1024, /* bytes; a thousand disks take a quarter of it */
        VM_DISKS_MAX = 1024,
};

typedef struct Key {
        const char *name;
        json_type type; /* JSON_STRING, JSON_INTEGER or JSON_ARRAY */
        json_int_t min, max; /* of a number */
        bool optional;
} Key;

static const Key vm_keys[] = {
        { "instance_uuid", JSON_STRING },
        { "name", JSON_STRING },
        { "path", JSON_STRING },
        { "disks", JSON_ARRAY },
};

static const Key disk_keys[] = {
        { "key", JSON_INTEGER, 1, DISK_KEY_MAX },
        { "unit_number", JSON_INTEGER, 0, UINT32_MAX },
        { "controller", JSON_STRING },
        { "capacity_bytes", JSON_INTEGER, 1, INT64_MAX },
        { "backing_uuid", JSON_STRING, .optional = true },
};

static ExitStatus check_key(const char *path, const char *where, const Key *key,
                            const json_t *value)
{
        if (!value)
                return key->optional ? CTL_OK
                                     : complain(CTL_FAILED, "%s: %s%s is missing", path, where,
                                                key->name);
        if (key->type == JSON_STRING && !json_is_string(value))
                return complain(CTL_FAILED, "%s: %s%s must be text", path, where, key->name);
        if (key->type == JSON_ARRAY && !json_is_array(value))
                return complain(CTL_FAILED, "%s: %s%s must be a list", path, where, key->name);
        if (key->type == JSON_INTEGER &&
            (!json_is_integer(value) || json_integer_value(value) < key->min ||
             json_integer_value(value) > key->max))
                return complain(CTL_FAILED,
                                "%s: %s%s must be a number from %" JSON_INTEGER_FORMAT
                                " to %" JSON_INTEGER_FORMAT,
                                path, where, key->name, key->min, key->max);
        return CTL_OK;
}

static ExitStatus check_object(const char *path, const char *where, json_t *object, const Key *keys,
                               size_t n_keys)
{
        const char *name;
        json_t *value;
        size_t i;

        if (!json_is_object(object))
                return complain(CTL_FAILED, "%s: %.*s must be an object", path,
                                *where ? (int) strlen(where) - 1 : 3, *where ? where : "all");
        json_object_foreach (object, name, value) {
                for (i = 0; i < n_keys && strcmp(keys[i].name, name) != 0; i++)
                        ;
                if (i == n_keys)
                        return complain(CTL_FAILED,
                                        "%s: %s%s is no key of it; see sendensectl vm set --help",
                                        path, where, name);
        }
        for (i = 0; i < n_keys; i++) {
                ExitStatus s = check_key(path, where, keys + i,
                                         json_object_get(object, keys[i].name));

                if (s != CTL_OK)
                        return s;
        }
        return CTL_OK;
}

static ExitStatus check_disks(const char *path, const json_t *disks)
{
        json_t *disk, *other;
        ExitStatus s;
        size_t i, j;

        if (json_array_size(disks) > VM_DISKS_MAX)
                return complain(CTL_FAILED, "%s: disks has more than %d entries", path,
                                VM_DISKS_MAX);
        json_array_foreach (disks, i, disk) {
                char where[48];

                (void) snprintf(where, sizeof(where), "disks[%zu].", i);
                s = check_object(path, where, disk, disk_keys, ELEMENTSOF(disk_keys));
                if (s != CTL_OK)
                        return s;
                for (j = 0; j < i; j++) {
                        other = json_array_get(disks, j);
                        if (json_equal(json_object_get(other, "key"), json_object_get(disk, "key")))
                                return complain(CTL_FAILED, "%s: %skey is that of disks[%zu] too",
                                                path, where, j);
                }
        }
        return CTL_OK;
}

static ExitStatus read_text(const char *path, char *buffer, size_t size, size_t *ret_n)
{
        _cleanup_fclose_ FILE *opened = NULL;
        FILE *f = stdin;
        size_t n;

        if (strcmp(path, "-") != 0) {
                f = opened = fopen(path, "re");
                if (!f)
                        return complain(CTL_FAILED, "%s: cannot be opened: %s", path,
                                        strerror(errno));
        }
        errno = 0;
        n = fread(buffer, 1, size, f);
        if (ferror(f))
                return complain(CTL_FAILED, "%s: cannot be read: %s", path, strerror(errno));
        if (n == size)
                return complain(CTL_FAILED, "%s: is larger than %d bytes", path, VM_FILE_MAX);
        *ret_n = n;
        return CTL_OK;
}

ExitStatus vm_file_read(const char *path, json_t **ret_vm)
{
        const char *shown = strcmp(path, "-") == 0 ? "standard input" : path;
        _cleanup_free_ char *buffer = malloc(VM_FILE_MAX + 1);
        CLEANUP(json_decref_p) json_t *vm = NULL;
        json_error_t error;
        ExitStatus s;
        size_t n = 0;

        if (!buffer)
                return complain(CTL_FAILED, "Out of memory");
        s = read_text(path, buffer, VM_FILE_MAX + 1, &n);
        if (s != CTL_OK)
                return s;
        vm = json_loadb(buffer, n, JSON_REJECT_DUPLICATES, &error);
        if (!vm)
                return complain(CTL_FAILED, "%s:%d:%d: is not JSON: %s", shown, error.line,
                                error.column, error.text);
        s = check_object(shown, "", vm, vm_keys, ELEMENTSOF(vm_keys));
        if (s == CTL_OK)
                s = check_disks(shown, json_object_get(vm, "disks"));
        if (s == CTL_OK)
                *ret_vm = TAKE(vm);
        return s;
}
