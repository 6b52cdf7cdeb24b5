/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendensectl restore disk|disks: one disk of a backup to a file, a device or an NBD export; or all of its disks into a folder,
 * a job for each, one after the other.
 */
#include "cleanup.h"
#include "columns.h"
#include "ctl.h"
#include "hub-client.h"
#include "job-begun.h"
#include "job-types.h"
#include "json-cleanup.h"
#include "names.h"
#include "options.h"
#include "parse.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

typedef struct Target {
        const char *kind;
        const char *place; /* path or URI */
        const char *format; /* NULL: none */
} Target;

static bool is_format(const char *text)
{
        return strcmp(text, "raw") == 0 || strcmp(text, "qcow2") == 0 || strcmp(text, "vmdk") == 0;
}

/* What the name of a file ends with says its format, unless that is given. */
static const char *format_of(const char *path)
{
        const char *dot = strrchr(path, '.');

        if (option_is_given(OPTION_FORMAT))
                return option_value(OPTION_FORMAT);
        return dot && is_format(dot + 1) ? dot + 1 : "raw";
}

static ExitStatus check_format(void)
{
        const char *format = option_value(OPTION_FORMAT);

        return format && !is_format(format)
                               ? complain(CTL_USAGE, "--format=%s: must be raw, qcow2 or vmdk",
                                          format)
                               : CTL_OK;
}

static ExitStatus parse_target(const char *text, Target *ret_target)
{
        struct stat st;

        if (strncmp(text, "nbd://", 6) == 0 || strncmp(text, "nbd+unix://", 11) == 0)
                *ret_target = (Target){ .kind = "nbd", .place = text };
        else if (*text != '/')
                return complain(CTL_USAGE,
                                "'%s': must be an absolute path, as of a file or a block device, "
                                "or "
                                "nbd://HOST/EXPORT or nbd+unix:///EXPORT?socket=PATH",
                                text);
        else if (stat(text, &st) == 0 && S_ISBLK(st.st_mode))
                *ret_target = (Target){ .kind = "device", .place = text };
        else
                *ret_target = (Target){ .kind = "file", .place = text, .format = format_of(text) };
        if (!ret_target->format && option_is_given(OPTION_FORMAT))
                return complain(CTL_USAGE, "--format= is for files; %s gets the bytes of the disk",
                                text);
        return CTL_OK;
}

static int append_call(sd_bus_message *message, const char *backup_id, uint32_t disk_key,
                       const Target *target)
{
        bool is_nbd = strcmp(target->kind, "nbd") == 0;
        int r;

        r = sd_bus_message_append(message, "su", backup_id, disk_key);
        if (r >= 0)
                r = sd_bus_message_open_container(message, 'a', "{sv}");
        if (r >= 0)
                r = sd_bus_message_append(message, "{sv}{sv}", "kind", "s", target->kind,
                                          is_nbd ? "uri" : "path", "s", target->place);
        if (r >= 0 && target->format)
                r = sd_bus_message_append(message, "{sv}", "format", "s", target->format);
        if (r >= 0 && option_is_given(OPTION_FORCE))
                r = sd_bus_message_append(message, "{sv}", "force", "b", 1);
        if (r >= 0)
                r = sd_bus_message_close_container(message);
        if (r >= 0)
                r = sd_bus_message_open_container(message, 'a', "{sv}");
        if (r >= 0 && option_is_given(OPTION_DAMAGED_OK))
                r = sd_bus_message_append(message, "{sv}", "damaged_ok", "b", 1);
        return r < 0 ? r : sd_bus_message_close_container(message);
}

/* *ret_path is the job's object. */
static ExitStatus start(const char *backup_id, uint32_t disk_key, const Target *target,
                        json_t **ret_path)
{
        CLEANUP(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *message = NULL, *reply = NULL;
        ExitStatus s;
        int r;

        s = hub_connect(&bus);
        if (s == CTL_OK)
                s = hub_new_call(bus, "RestoreDisk", true, &message);
        if (s != CTL_OK)
                return s;
        r = append_call(message, backup_id, disk_key, target);
        if (r < 0)
                return hub_complain_arguments(r);
        s = hub_call(bus, message, &reply);
        return s == CTL_OK ? hub_read_answer(reply, "o", ret_path) : s;
}

static bool is_awaited(void)
{
        return option_is_given(OPTION_WAIT) || (!arg_json && isatty(STDOUT_FILENO));
}

static ExitStatus restore(const char *backup_id, uint32_t disk_key, const Target *target, bool wait)
{
        CLEANUP(json_decref_p) json_t *path = NULL;
        ExitStatus s;

        s = start(backup_id, disk_key, target, &path);
        return s == CTL_OK ? job_begun(path, wait) : s;
}

ExitStatus verb_restore_disk(int argc, char *argv[])
{
        uint64_t disk_key;
        Target target = { .kind = "" };
        ExitStatus s;

        (void) argc;
        if (parse_uint64(argv[1], 1, DISK_KEY_MAX, &disk_key) < 0)
                return complain(CTL_USAGE, "'%s' is no key of a disk, which is a number", argv[1]);
        s = check_format();
        if (s == CTL_OK)
                s = parse_target(argv[2], &target);
        return s == CTL_OK ? restore(argv[0], (uint32_t) disk_key, &target, is_awaited()) : s;
}

/* The backup has it: what no backup was committed with is nothing to restore. */
static bool is_kept(const json_t *disk)
{
        return disk_state_from_string(text_of(disk, "State")) == DISK_COMPLETED;
}

static size_t count_kept(const json_t *disks)
{
        const json_t *disk;
        size_t i, n = 0;

        json_array_foreach (disks, i, disk)
                n += is_kept(disk);
        return n;
}

/* Into FOLDER/BACKUP-KEY.FORMAT, each when the one before it is there. */
static ExitStatus restore_into(const char *backup_id, const json_t *disk, const char *folder)
{
        const char *format = option_value(OPTION_FORMAT) ?: "raw";
        json_int_t key = number_of(disk, "Key");
        char path[PATH_MAX];

        if (!is_kept(disk))
                return complain(CTL_OK,
                                "disk %" JSON_INTEGER_FORMAT " is left out: %s has it as %s%s%s",
                                key, backup_id, text_of(disk, "State"),
                                *text_of(disk, "Reason") ? ": " : "", text_of(disk, "Reason"));
        (void) snprintf(path, sizeof(path), "%s/%s-%" JSON_INTEGER_FORMAT ".%s", folder, backup_id,
                        key, format);
        return restore(backup_id, (uint32_t) key,
                       &(Target){ .kind = "file", .place = path, .format = format }, true);
}

static ExitStatus restore_all(const char *backup_id, const json_t *backup, const char *folder)
{
        const json_t *disks = json_object_get(backup, "Disks"), *disk;
        ExitStatus s = CTL_OK;
        size_t i;

        if (count_kept(disks) == 0)
                return complain(CTL_FAILED,
                                "%s has no disk that could be restored: its job "
                                "%" JSON_INTEGER_FORMAT " is %s",
                                backup_id, number_of(backup, "Id"), text_of(backup, "State"));
        json_array_foreach (disks, i, disk)
                if (s == CTL_OK)
                        s = restore_into(backup_id, disk, folder);
        return s;
}

ExitStatus verb_restore_disks(int argc, char *argv[])
{
        CLEANUP(json_decref_p) json_t *backup = NULL;
        ExitStatus s;

        (void) argc;
        s = check_format();
        if (s == CTL_OK && argv[1][0] != '/')
                return complain(CTL_USAGE, "'%s': must be the absolute path of a folder", argv[1]);
        if (s == CTL_OK)
                s = hub_ask("GetBackup", true, "a{sv}", &backup, "sa{sv}", argv[0], 0);
        return s == CTL_OK ? restore_all(argv[0], backup, argv[1]) : s;
}
