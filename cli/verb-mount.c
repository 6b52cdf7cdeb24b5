/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendensectl backup mount|umount and mount list: a backup as block devices for a while, and what can be done with them.
 */
#include "cleanup.h"
#include "columns.h"
#include "ctl.h"
#include "format.h"
#include "hub-client.h"
#include "job-begun.h"
#include "json-cleanup.h"
#include "mount-at.h"
#include "names.h"
#include "options.h"
#include "output.h"
#include "parse.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
        EXPIRES_MAX_SEC = 30 * 24 * 60 * 60, /* as the hub has it */
        DISKS_MAX = 256,
};

static char *cell_disks(const json_t *object, const char *key)
{
        const json_t *disks = json_object_get(object, key), *disk;
        char *text = NULL;
        size_t size, i;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        json_array_foreach (disks, i, disk)
                (void) fprintf(f, "%s%" JSON_INTEGER_FORMAT, i > 0 ? " " : "",
                               number_of(disk, "Key"));
        if (fclose(f) == 0)
                return text;
        free(text);
        return NULL;
}

static char *cell_access(const json_t *object, const char *key)
{
        return strdup(json_is_true(json_object_get(object, key)) ? "writable" : "read-only");
}

static char *cell_mounted(const json_t *object, const char *key)
{
        return strdup(json_is_true(json_object_get(object, key)) ? "yes" : "not yet");
}

static const Column mount_columns[] = {
        { "JOB", "Job", cell_number, true },
        { "BACKUP", "BackupId", cell_text, false },
        { "VM", "Vm", cell_text, false },
        { "DISKS", "Disks", cell_disks, false },
        { "ACCESS", "Writable", cell_access, false },
        { "MOUNTED", "Served", cell_mounted, false },
        { "UNTIL", "ExpiresUSec", cell_time, false },
        { "ASKED BY", "Principal", cell_text, false },
};

static ExitStatus list(const char *backup_id, json_t **ret_list)
{
        return backup_id ? hub_ask("ListMounts", false, "aa{sv}", ret_list, "a{sv}", 1, "backup",
                                   "s", backup_id)
                         : hub_ask("ListMounts", false, "aa{sv}", ret_list, "a{sv}", 0);
}

ExitStatus verb_mount_list(int argc, char *argv[])
{
        CLEANUP(json_decref_p) json_t *mounts = NULL;
        ExitStatus s = list(argc > 0 ? argv[0] : NULL, &mounts);

        return s == CTL_OK ? show_list(mounts, mount_columns, ELEMENTSOF(mount_columns),
                                       "Nothing is mounted.")
                           : s;
}

/* ── mount ── */

static int append_disks(sd_bus_message *message, char *argv[], int argc)
{
        uint32_t keys[DISKS_MAX];
        uint64_t key = 0;
        int r;

        for (int i = 0; i < argc; i++) {
                (void) parse_uint64(argv[i], 1, DISK_KEY_MAX, &key); /* it was good before */
                keys[i] = (uint32_t) key;
        }
        if (argc == 0)
                return 0;
        r = sd_bus_message_open_container(message, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(message, "s", "disks");
        if (r >= 0)
                r = sd_bus_message_open_container(message, 'v', "au");
        if (r >= 0)
                r = sd_bus_message_append_array(message, 'u', keys,
                                                (size_t) argc * sizeof(uint32_t));
        for (int i = 0; r >= 0 && i < 2; i++)
                r = sd_bus_message_close_container(message);
        return r;
}

static int append_mount(sd_bus_message *message, int argc, char *argv[], uint64_t expires_usec)
{
        int r;

        r = sd_bus_message_append(message, "s", argv[0]);
        if (r >= 0)
                r = sd_bus_message_open_container(message, 'a', "{sv}");
        if (r >= 0)
                r = append_disks(message, argv + 1, argc - 1);
        if (r >= 0 && option_is_given(OPTION_WRITABLE))
                r = sd_bus_message_append(message, "{sv}", "writable", "b", 1);
        if (r >= 0 && option_is_given(OPTION_TCP))
                r = sd_bus_message_append(message, "{sv}", "port", "b", 1);
        if (r >= 0 && expires_usec > 0)
                r = sd_bus_message_append(message, "{sv}", "expires_sec", "t",
                                          expires_usec / USEC_PER_SEC);
        return r < 0 ? r : sd_bus_message_close_container(message);
}

static ExitStatus check_mount(int argc, char *argv[], uint64_t *ret_expires_usec)
{
        const char *expires = option_value(OPTION_EXPIRES);
        uint64_t key;

        *ret_expires_usec = 0;
        if (expires && parse_span_usec(expires, USEC_PER_SEC, EXPIRES_MAX_SEC * USEC_PER_SEC,
                                       ret_expires_usec) < 0)
                return complain(CTL_USAGE, "--expires= must be a time from 1s to 30d");
        for (int i = 1; i < argc; i++)
                if (parse_uint64(argv[i], 1, DISK_KEY_MAX, &key) < 0)
                        return complain(CTL_USAGE, "'%s' is no key of a disk, which is a number",
                                        argv[i]);
        return CTL_OK;
}

static ExitStatus mount_backup(int argc, char *argv[], uint64_t expires_usec, uint64_t *ret_job)
{
        CLEANUP(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *message = NULL, *reply = NULL;
        CLEANUP(json_decref_p) json_t *path = NULL;
        ExitStatus s;
        int r;

        s = hub_connect(&bus);
        if (s == CTL_OK)
                s = hub_new_call(bus, "MountBackup", true, &message);
        if (s != CTL_OK)
                return s;
        r = append_mount(message, argc, argv, expires_usec);
        if (r < 0)
                return hub_complain_arguments(r);
        s = hub_call(bus, message, &reply);
        if (s == CTL_OK)
                s = hub_read_answer(reply, "o", &path);
        return s == CTL_OK ? job_number(path, ret_job) : s;
}

static const json_t *find(const json_t *mounts, uint64_t job)
{
        const json_t *mount;
        size_t i;

        json_array_foreach (mounts, i, mount)
                if ((uint64_t) number_of(mount, "Job") == job)
                        return mount;
        return NULL;
}

/* What can be typed next, with the first disk's address. */
static void print_mount(const json_t *mount, const char *folder)
{
        const json_t *disks = json_object_get(mount, "Disks"), *disk;
        _cleanup_free_ char *until = cell_time(mount, "ExpiresUSec");
        const char *uri = "";
        size_t i;

        output_line("%s is mounted %s by job %" JSON_INTEGER_FORMAT ", until %s.",
                    text_of(mount, "BackupId"),
                    json_is_true(json_object_get(mount, "Writable"))
                                    ? "writable (what is written is thrown away at its end)"
                                    : "read-only",
                    number_of(mount, "Job"), until ?: "-");
        json_array_foreach (disks, i, disk) {
                _cleanup_free_ char *size = cell_bytes(disk, "CapacityBytes");

                output_line("disk %" JSON_INTEGER_FORMAT "  %s", number_of(disk, "Key"),
                            size ?: "-");
                output_line("  %s", text_of(disk, "Uri"));
                if (folder) {
                        _cleanup_free_ char *path = mount_at_path(folder, disk);

                        output_line("  %s", path ?: "");
                }
                if (i == 0)
                        uri = text_of(disk, "Uri");
        }
        output_line("Copy it:    nbdcopy --progress '%s' disk.raw", uri);
        output_line("            qemu-img convert -p -O qcow2 '%s' disk.qcow2", uri);
        if (!folder)
                output_line("As a file:  mkdir mnt && nbdfuse mnt/disk.raw '%s' &", uri);
        output_line("Its files:  guestfish %s --format=raw -a '%s' -i",
                    json_is_true(json_object_get(mount, "Writable")) ? "--rw" : "--ro", uri);
        output_line("End it:     sendensectl backup umount %" JSON_INTEGER_FORMAT,
                    number_of(mount, "Job"));
}

static ExitStatus umount(uint64_t job)
{
        return hub_ask("UnmountBackup", true, "", NULL, "ta{sv}", job, 0);
}

static ExitStatus tell_mount(uint64_t job, const char *folder)
{
        CLEANUP(json_decref_p) json_t *mounts = NULL;
        const json_t *mount;
        ExitStatus s = list(NULL, &mounts);

        if (s != CTL_OK)
                return s;
        mount = find(mounts, job);
        if (!mount)
                return complain(CTL_FAILED,
                                "the mount has ended already: sendensectl job show %" PRIu64, job);
        if (folder) {
                s = mount_at(mount, folder);
                if (s != CTL_OK) {
                        (void) umount(job);
                        return s;
                }
        }
        if (!arg_json)
                print_mount(mount, folder);
        else if (output_json(mount) < 0)
                return complain(CTL_FAILED, "Out of memory");
        return CTL_OK;
}

ExitStatus verb_backup_mount(int argc, char *argv[])
{
        const char *at = option_value(OPTION_AT);
        _cleanup_free_ char *folder = NULL;
        uint64_t expires_usec, job = 0;
        ExitStatus s;

        s = check_mount(argc, argv, &expires_usec);
        if (s == CTL_OK && at)
                s = mount_at_check(at, &folder);
        if (s == CTL_OK)
                s = mount_backup(argc, argv, expires_usec, &job);
        return s == CTL_OK ? tell_mount(job, folder) : s;
}

/* ── umount ── */

ExitStatus verb_backup_umount(int argc, char *argv[])
{
        CLEANUP(json_decref_p) json_t *mounts = NULL, *ended = json_array();
        const json_t *mount;
        uint64_t job;
        ExitStatus s = CTL_OK;
        size_t i;

        (void) argc;
        if (!ended)
                return complain(CTL_FAILED, "Out of memory");
        if (parse_uint64(argv[0], 1, JOB_NUMBER_MAX, &job) >= 0) {
                s = umount(job);
                (void) json_array_append_new(ended, json_integer((json_int_t) job));
        } else {
                s = list(argv[0], &mounts);
                if (s == CTL_OK && json_array_size(mounts) == 0)
                        return complain(CTL_FAILED,
                                        "%s is not mounted; sendensectl mount list shows what is",
                                        argv[0]);
                json_array_foreach (mounts, i, mount)
                        if (s == CTL_OK) {
                                s = umount((uint64_t) number_of(mount, "Job"));
                                (void) json_array_append_new(ended,
                                                             json_integer(number_of(mount, "Job")));
                        }
        }
        return s == CTL_OK ? show_act("Ended", json_incref(ended),
                                      "nothing of it is mounted any "
                                      "more")
                           : s;
}
