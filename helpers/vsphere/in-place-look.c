/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verb in-place-look: which disks of a VM are exchanged for which of a backup, and how the new files are to be called. Nothing is
 * changed. Whatever would make the exchange fail, or would surprise somebody afterwards, is refused here, before anything is uploaded.
 */
#include "bus/bus-error.h"
#include "cleanup.h"
#include "datastore-path.h"
#include "in-place.h"
#include "json-cleanup.h"
#include "verbs.h"
#include "vsphere/properties.h"
#include "warnings.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
        MARK_MAX = 76,
        FILE_TEXT_SIZE = DATASTORE_NAME_MAX + DATASTORE_FILE_MAX + 8,
};

/* It becomes part of the names of files. */
static bool is_mark(const char *text)
{
        return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
                               strlen(text) &&
               text[0] != '.';
}

static const JsonField fields[] = {
        IN_PLACE_FIELDS,
        { .key = "hardware", .kind = JSON_FIELD_OBJECT },
        { .key = "mark",
          .kind = JSON_FIELD_TEXT,
          .min = 1,
          .max = MARK_MAX,
          .is_valid = is_mark,
          .must = "must be of letters, digits, '-', '_' and '.'" },
        { .key = "force", .kind = JSON_FIELD_BOOL, .optional = true },
};

typedef struct Look {
        InPlace place;
        json_t *hardware; /* that the VM has now */
        DatastorePath home; /* its configuration file */
        json_t *disks; /* what is told */
} Look;

static void look_done(Look *look)
{
        in_place_done(&look->place);
        json_decref(look->hardware);
        json_decref(look->disks);
        datastore_path_done(&look->home);
}

static const char *text_of(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key)) ?: "";
}

static json_int_t number_of(const json_t *object, const char *key)
{
        return json_integer_value(json_object_get(object, key));
}

static const json_t *find_by_key(const json_t *hardware, const char *list, json_int_t key)
{
        const json_t *device;
        size_t i;

        json_array_foreach (json_object_get(hardware, list), i, device)
                if (number_of(device, "key") == key)
                        return device;
        return NULL;
}

static int refuse(const Look *look, VSphereError *error, json_int_t key, const char *what)
{
        return vsphere_error_set(error, BUS_ERROR_VM_NOT_USABLE,
                                 "the disk %" JSON_INTEGER_FORMAT
                                 " of the backup cannot be put back into %.200s: %s. Restore it as "
                                 "a new VM instead",
                                 key, look->place.vm.path, what);
}

/* What --force is for: it is told, and goes on. */
static int mind(Look *look, VSphereError *error, const char *text)
{
        if (json_field_bool(look->place.task->spec, "force")) {
                warnings_add(look->place.warnings, "%s", text);
                return 0;
        }
        return vsphere_error_set(error, BUS_ERROR_VM_NOT_USABLE, "%.400s (--force goes on)", text);
}

static int read_home(Look *look, VSphereError *error)
{
        static const char *const paths[] = { "config.files.vmPathName" };
        CLEANUP(properties_free_p) Properties *found = NULL;
        const char *text;
        int r;

        r = properties_of(look->place.v, &look->place.vm.ref, paths, ELEMENTSOF(paths), &found,
                          error);
        if (r < 0)
                return r;
        text = properties_text(found, 0, "config.files.vmPathName");
        if (!text || datastore_path_parse(text, &look->home) < 0)
                return vsphere_error_set(error, BUS_ERROR_VM_NOT_USABLE,
                                         "vCenter does not say where the files of %.200s are",
                                         look->place.vm.path);
        return 0;
}

static int check_firmware(Look *look, VSphereError *error)
{
        const json_t *then = json_object_get(look->place.task->spec, "hardware");
        const char *was = text_of(then, "firmware"), *is = text_of(look->hardware, "firmware");
        char text[320];

        if (!*was || !*is || strcmp(was, is) == 0)
                return 0;
        (void) snprintf(text, sizeof(text),
                        "%.200s has the firmware %.20s now and had %.20s then, so that it may not "
                        "start",
                        look->place.vm.path, is, was);
        return mind(look, error, text);
}

/* The controller that the VM has now where the disk's was: its kind may be another one by now. */
static int find_controller(Look *look, json_int_t key, const json_t *then, json_int_t *ret_key,
                           VSphereError *error)
{
        const json_t *hardware = json_object_get(look->place.task->spec, "hardware");
        const json_t *was = find_by_key(hardware, "controllers", number_of(then, "controller_key"));
        const char *type = text_of(was, "type");
        char text[320];
        const json_t *is;
        size_t i;

        if (!was)
                return refuse(look, error, key, "its record names no controller");
        json_array_foreach (json_object_get(look->hardware, "controllers"), i, is) {
                const char *type_now = text_of(is, "type");

                if (number_of(is, "bus_number") != number_of(was, "bus_number") ||
                    strcmp(controller_kind(type_now), controller_kind(type)) != 0)
                        continue;
                *ret_key = number_of(is, "key");
                if (strcmp(type_now, type) == 0)
                        return 0;
                (void) snprintf(text, sizeof(text),
                                "%.160s has a %.40s now where it had a %.40s then, so that it may "
                                "not start",
                                look->place.vm.path, type_now, type);
                return mind(look, error, text);
        }
        (void) snprintf(text, sizeof(text), "the VM has no %.60s %" JSON_INTEGER_FORMAT " any more",
                        *type ? type : "controller", number_of(was, "bus_number"));
        return refuse(look, error, key, text);
}

static const VSphereDisk *find_at(const Look *look, json_int_t controller, json_int_t unit)
{
        const VSphereDisks *now = &look->place.vm.disks;

        for (size_t i = 0; i < now->n_disks; i++)
                if (now->disks[i].controller_key == controller && now->disks[i].unit_number == unit)
                        return &now->disks[i];
        return NULL;
}

static const char *why_not(const VSphereDisk *now)
{
        if (strcmp(now->backing_kind, "flat") != 0)
                return "what hangs at its place is no file of a plain virtual disk";
        if (now->has_parent)
                return "what hangs at its place is the delta of a snapshot";
        return now->is_shared ? "what hangs at its place is shared with other VMs" : NULL;
}

/* Beside the file that it takes the place of. */
static int name_file(const Look *look, json_int_t key, const VSphereDisk *now,
                     char ret_file[static FILE_TEXT_SIZE], json_t **ret_datastore)
{
        CLEANUP(datastore_path_done) DatastorePath old = {};
        CLEANUP(datastore_path_done) DatastorePath new = {};
        char name[MARK_MAX + 40];
        int r = 0;

        (void) snprintf(name, sizeof(name), "%s-%" JSON_INTEGER_FORMAT ".vmdk",
                        json_field_text(look->place.task->spec, "mark"), key);
        if (now)
                r = datastore_path_parse(now->file_name, &old);
        if (r >= 0)
                r = datastore_path_beside(now ? &old : &look->home, name, &new);
        if (r < 0)
                return r;
        (void) snprintf(ret_file, FILE_TEXT_SIZE, "[%s] %s", new.datastore, new.file);
        *ret_datastore = json_string(new.datastore);
        return *ret_datastore ? 0 : -ENOMEM;
}

static int add_disk(Look *look, const json_t *wanted, VSphereError *error)
{
        const json_t *hardware = json_object_get(look->place.task->spec, "hardware");
        json_int_t key = number_of(wanted, "disk_key"), controller = 0, unit;
        const json_t *then = find_by_key(hardware, "disks", key);
        char file[FILE_TEXT_SIZE], text[320];
        json_t *datastore = NULL;
        const VSphereDisk *now;
        int r;

        if (!then)
                return refuse(look, error, key, "its record says nothing of its place");
        r = find_controller(look, key, then, &controller, error);
        if (r < 0)
                return r;
        unit = number_of(then, "unit_number");
        now = find_at(look, controller, unit);
        if (now && why_not(now))
                return refuse(look, error, key, why_not(now));
        if (now && now->is_encrypted) {
                (void) snprintf(text, sizeof(text),
                                "the disk %" PRIu32
                                " (%.60s) of %.120s is encrypted by vSphere, and "
                                "what comes into its place is not",
                                now->key, now->label, look->place.vm.path);
                r = mind(look, error, text);
        }
        if (!now) {
                (void) snprintf(text, sizeof(text),
                                "%.160s has no disk any more where the disk %" JSON_INTEGER_FORMAT
                                " of the backup was, and would get it again",
                                look->place.vm.path, key);
                r = mind(look, error, text);
        }
        if (r < 0)
                return r;
        r = name_file(look, key, now, file, &datastore);
        if (r < 0)
                return refuse(look, error, key, "the folder of its file cannot be told");
        return json_array_append_new(look->disks,
                                     json_pack("{s:I, s:I, s:I, s:s, s:s*, s:s, s:o}", "disk_key",
                                               key, "controller_key", controller, "unit_number",
                                               unit, "mode",
                                               now                        ? now->mode
                                               : text_of(then, "mode")[0] ? text_of(then, "mode")
                                                                          : "persistent",
                                               "old_file", now ? now->file_name : NULL, "new_file",
                                               file, "datastore", datastore)) < 0
                               ? vsphere_error_errno(error, -ENOMEM, "Cannot look at a VM")
                               : 0;
}

static bool is_exchanged(const Look *look, const VSphereDisk *disk)
{
        const json_t *one;
        size_t i;

        json_array_foreach (look->disks, i, one)
                if (number_of(one, "controller_key") == disk->controller_key &&
                    number_of(one, "unit_number") == disk->unit_number)
                        return true;
        return false;
}

/* A disk of another moment beside those of the backup may be what somebody wants, and may be half a volume group. */
static int check_others(Look *look, VSphereError *error)
{
        const VSphereDisks *now = &look->place.vm.disks;
        char text[320];
        int r = 0;

        for (size_t i = 0; i < now->n_disks && r >= 0; i++) {
                const VSphereDisk *disk = &now->disks[i];

                if (is_exchanged(look, disk))
                        continue;
                (void) snprintf(text, sizeof(text),
                                "the disk %" PRIu32
                                " (%.60s) of %.120s is not in the backup, and stays as it is now",
                                disk->key, disk->label, look->place.vm.path);
                r = mind(look, error, text);
        }
        return r;
}

static int look_at(Look *look, VSphereError *error)
{
        VSphereDisks disks = {};
        const json_t *wanted;
        size_t i;
        int r;

        r = in_place_find(&look->place, error);
        if (r >= 0)
                r = in_place_check_unused(&look->place, error);
        if (r >= 0)
                r = inventory_snapshot_config(look->place.v, &look->place.vm.ref, &disks,
                                              &look->hardware, error);
        disks_done(&disks);
        if (r >= 0)
                r = read_home(look, error);
        if (r >= 0)
                r = check_firmware(look, error);
        json_array_foreach (json_object_get(look->place.task->spec, "disks"), i, wanted)
                if (r >= 0)
                        r = add_disk(look, wanted, error);
        return r < 0 ? r : check_others(look, error);
}

int verb_in_place_look(const Task *task, json_t **ret_result, VSphereError *error)
{
        CLEANUP(look_done) Look look = {};
        int r;

        look.disks = json_array();
        if (!look.disks)
                return vsphere_error_errno(error, -ENOMEM, "Cannot look at a VM");
        r = in_place_open(&look.place, task, fields, ELEMENTSOF(fields), false, error);
        if (r >= 0)
                r = look_at(&look, error);
        if (r < 0)
                return r;
        *ret_result = json_pack("{s:s, s:s, s:s, s:O, s:O}", "vm_moref", look.place.vm.ref.value,
                                "path", look.place.vm.path, "datastore", look.home.datastore,
                                "disks", look.disks, "warnings", look.place.warnings);
        return *ret_result ? 0 : vsphere_error_errno(error, -ENOMEM, "Cannot look at a VM");
}
