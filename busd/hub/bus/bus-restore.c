/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The method that brings a disk back. Who asks decides where to: root anywhere, with the rights of root over the target's
 * folder alone; everybody else below the folders that the settings name, where the hub's own user writes. Devices and NBD servers are
 * for who may manage.
 */
#include "bus/bus-begin.h"
#include "bus/bus-dict.h"
#include "bus/bus-error.h"
#include "bus/bus-methods.h"
#include "cleanup.h"
#include "hub-config.h"
#include "job-types.h"
#include "job/target-mount.h"
#include "manager.h"
#include "names.h"
#include "nbd-uri.h"
#include "unit/unit-property.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
        PATH_MAX_BYTES = 1000,
        KIND_MAX_BYTES = 16,
};

typedef struct RestoreTarget {
        const char *kind, *path, *format, *uri;
        bool force;
} RestoreTarget;

static bool is_one_of(const char *text, const char *const words[], size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (strcmp(text, words[i]) == 0)
                        return true;
        return false;
}

/* Absolute, without "//", "." and "..", with a name at its end. */
static bool path_is_plain(const char *path)
{
        for (const char *part = path; *part;) {
                size_t n;

                if (*part++ != '/')
                        return false;
                n = strcspn(part, "/");
                if (n == 0 || (n == 1 && *part == '.') || (n == 2 && strncmp(part, "..", 2) == 0))
                        return false;
                part += n;
        }
        return *path != '\0' && unit_path_is_sound(path);
}

static const char *text_of(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key));
}

static int check_target(const RestoreTarget *target, sd_bus_error *error)
{
        static const char *const kinds[] = { "file", "device", "nbd" };
        static const char *const formats[] = { "raw", "qcow2", "vmdk" };
        NbdUri uri;

        if (!target->kind || !is_one_of(target->kind, kinds, ELEMENTSOF(kinds)))
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "The target's kind must be file, device or nbd");
        if (target->format && (strcmp(target->kind, "file") != 0 ||
                               !is_one_of(target->format, formats, ELEMENTSOF(formats))))
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "The target's format must be raw, qcow2 or vmdk, and belongs "
                                      "to a file");
        if (strcmp(target->kind, "nbd") == 0 &&
            (!target->uri || target->path || nbd_uri_parse(target->uri, &uri) < 0))
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "A target of kind nbd has a uri, "
                                      "nbd://HOST[:PORT]/EXPORT or "
                                      "nbd+unix:///EXPORT?socket=PATH, and no path");
        if (strcmp(target->kind, "nbd") != 0 &&
            (!target->path || target->uri || !path_is_plain(target->path)))
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "A target of kind %s has a path, which is absolute, has no "
                                      "//, . or .., no quotes, backslashes or control characters",
                                      target->kind);
        return 0;
}

static int check_request(const json_t *request, sd_bus_error *error)
{
        const json_t *work = json_object_get(request, "Work");
        const json_t *target = json_object_get(work, "target");
        json_int_t key = json_integer_value(json_object_get(work, "disk_key"));

        if (!backup_id_is_valid(text_of(request, "BackupId")))
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "Argument backup_id must be the id of a backup, as "
                                      "sendensectl backup list shows it");
        if (key < 1 || key > (json_int_t) DISK_KEY_MAX)
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "Argument disk_key must be from 1 to %" PRIu32, DISK_KEY_MAX);
        return check_target(&(RestoreTarget){ .kind = text_of(target, "kind"),
                                              .path = text_of(target, "path"),
                                              .format = text_of(target, "format"),
                                              .uri = text_of(target, "uri") },
                            error);
}

/* The folder of the settings that the path is below. */
static char *find_folder(const char *folders, const char *path)
{
        for (const char *folder = folders; *folder;) {
                size_t n = strcspn(folder, " ");

                if (strncmp(folder, path, n) == 0 && path[n] == '/')
                        return strndup(folder, n);
                folder += n + (folder[n] == ' ');
        }
        return NULL;
}

/* Adds to the work as whom it is done, what that may write, and on which mount that lies. */
static int decide(const Manager *manager, const char *principal, json_t *work, sd_bus_error *error)
{
        const json_t *target = json_object_get(work, "target");
        const char *kind = text_of(target, "kind"), *path = text_of(target, "path");
        bool is_root = strcmp(principal, "uid:0") == 0 || strcmp(kind, "device") == 0;
        _cleanup_free_ char *folder = NULL;

        if (strcmp(kind, "file") == 0) {
                folder = find_folder(manager->config->restore_folders, path);
                if (folder)
                        is_root = false;
                else if (!is_root)
                        return bus_error_setf(
                                        error, BUS_ERROR_NOT_ALLOWED,
                                        "Who is not root restores files below %s only ([Restore] "
                                        "Folders= in the hub's settings)",
                                        *manager->config->restore_folders
                                                        ? manager->config->restore_folders
                                                        : "no folder");
                else
                        folder = strndup(path, (size_t) (strrchr(path, '/') - path));
                if (!folder)
                        return -ENOMEM;
                if (*folder == '\0')
                        return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                              "%s would lie in /; name a folder", path);
        }
        return json_object_update_new(work, json_pack("{s:s, s:s*, s:o*}", "user",
                                                      is_root ? "root" : "sendense", "writes",
                                                      folder, "mount",
                                                      folder ? target_mount_look(path) : NULL)) < 0
                               ? -ENOMEM
                               : 0;
}

static int act_begin(Manager *manager, sd_bus_message *call, const char *principal, json_t *request,
                     sd_bus_error *error)
{
        int r = decide(manager, principal, json_object_get(request, "Work"), error);

        return r < 0 ? r : bus_begin_job(manager, call, principal, request, job_begin_work, error);
}

/* Whoever may restore. Beyond files that is not enough. */
static int act_restore(Manager *manager, sd_bus_message *call, const char *principal,
                       json_t *request, sd_bus_error *error)
{
        const json_t *target = json_object_get(json_object_get(request, "Work"), "target");
        int r = check_request(request, error);

        if (r < 0)
                return r;
        if (strcmp(text_of(target, "kind"), "file") == 0)
                return act_begin(manager, call, principal, request, error);
        return bus_call_check(manager, call, ACTION_MANAGE, json_incref(request), act_begin, error);
}

int method_restore_disk(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        RestoreTarget target = {};
        const BusOption members[] = {
                { "kind", BUS_OPTION_STRING, KIND_MAX_BYTES, &target.kind, NULL },
                { "path", BUS_OPTION_STRING, PATH_MAX_BYTES, &target.path, NULL },
                { "format", BUS_OPTION_STRING, KIND_MAX_BYTES, &target.format, NULL },
                { "uri", BUS_OPTION_STRING, NBD_URI_SIZE - 1, &target.uri, NULL },
                { "force", BUS_OPTION_BOOL, 0, &target.force, NULL },
        };
        const char *key = NULL;
        bool damaged_ok = false;
        const BusOption options[] = {
                { "damaged_ok", BUS_OPTION_BOOL, 0, &damaged_ok, NULL },
                { "idempotency_key", BUS_OPTION_STRING, BUS_KEY_MAX_BYTES, &key, NULL },
        };
        const char *backup_id;
        uint32_t disk_key;
        json_t *request;
        int r;

        r = sd_bus_message_read(call, "su", &backup_id, &disk_key);
        if (r >= 0)
                r = bus_options_read(call, members, ELEMENTSOF(members), error);
        if (r >= 0)
                r = bus_options_read(call, options, ELEMENTSOF(options), error);
        if (r < 0)
                return r;
        request = json_pack("{s:s, s:s, s:{s:I, s:b, s:{s:s*, s:s*, s:s*, s:s*, s:b}}}", "Type",
                            job_type_to_string(JOB_RESTORE), "BackupId", backup_id, "Work",
                            "disk_key", (json_int_t) disk_key, "damaged_ok", (int) damaged_ok,
                            "target", "kind", target.kind, "path", target.path, "format",
                            target.format, "uri", target.uri, "force", (int) target.force);
        return bus_call_check(userdata, call, ACTION_RESTORE, bus_begin_keyed(request, key),
                              act_restore, error);
}
