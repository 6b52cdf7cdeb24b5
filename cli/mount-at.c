/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files of a mount (see mount-at.h). FUSE mounts over an empty file, which must be new, so that nothing of anybody's is hidden. The
 * kernel says when a mount has come: the table of mounts can be polled.
 */
#include "mount-at.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "clock.h"
#include "columns.h"
#include "hub-client.h"
#include "parse.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
        APPEAR_SEC = 20,
        UNIT_SIZE = 96,
};

#define SYSTEMD    "org.freedesktop.systemd1"
#define MANAGER    SYSTEMD ".Manager"
#define MANAGER_AT "/org/freedesktop/systemd1"
#define NBDFUSE    "/usr/bin/nbdfuse"
#define UMOUNT     "/usr/bin/umount"
#define RM         "/usr/bin/rm"

/* Root takes what lies there by its name: nobody else may put something in its place. PATH is one without links. */
static bool is_roots_own(const char *path)
{
        _cleanup_free_ char *folder = strdup(path);
        struct stat st;

        if (!folder || stat(folder, &st) < 0 || st.st_mode & S_ISVTX)
                return false;
        for (;;) {
                char *slash = strrchr(folder, '/');

                if (st.st_uid != 0 || (st.st_mode & 022 && !(st.st_mode & S_ISVTX)))
                        return false;
                if (!slash || !slash[1])
                        return true;
                slash[slash == folder] = '\0';
                if (stat(folder, &st) < 0)
                        return false;
        }
}

ExitStatus mount_at_check(const char *folder, char **ret_folder)
{
        _cleanup_free_ char *path = NULL;
        struct stat st;

        if (geteuid() != 0)
                return complain(CTL_DENIED, "--at takes root; without, mount it and type what is "
                                            "said there behind \"As a file\"");
        if (access(NBDFUSE, X_OK) < 0)
                return complain(CTL_FAILED, "%s is missing; install the package libnbd-bin",
                                NBDFUSE);
        path = realpath(folder, NULL);
        if (!path || stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
                return complain(CTL_USAGE, "--at=%s: it must be a folder that is there", folder);
        if (!is_roots_own(path))
                return complain(CTL_USAGE,
                                "--at=%s: it and the folders above it must be root's, and nobody "
                                "else may write there",
                                folder);
        *ret_folder = TAKE(path);
        return CTL_OK;
}

char *mount_at_path(const char *folder, const json_t *disk)
{
        return text_format("%s/%" JSON_INTEGER_FORMAT ".raw", folder, number_of(disk, "Key"));
}

static void unit_of(const json_t *mount, const json_t *disk, const char *what, const char *suffix,
                    char ret_unit[static UNIT_SIZE])
{
        (void) snprintf(ret_unit, UNIT_SIZE,
                        "sendense-%s-%" JSON_INTEGER_FORMAT "-%" JSON_INTEGER_FORMAT "%s", what,
                        number_of(mount, "Job"), number_of(disk, "Key"), suffix);
}

/* ── The unit ── */

static int append_texts(sd_bus_message *m, const char *name, const char *const *texts, size_t n)
{
        int r = sd_bus_message_open_container(m, 'r', "sv");

        if (r >= 0)
                r = sd_bus_message_append(m, "s", name);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "as");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "s");
        for (size_t i = 0; i < n && r >= 0; i++)
                r = sd_bus_message_append(m, "s", texts[i]);
        for (int i = 0; i < 3 && r >= 0; i++)
                r = sd_bus_message_close_container(m);
        return r;
}

/* It ends with socket and server of the mount: by umount, when its time is over, when the server dies. */
static int append_bonds(sd_bus_message *m, const json_t *mount, const json_t *disk)
{
        char socket[UNIT_SIZE], service[UNIT_SIZE];
        const char *const bonds[] = { socket, service };
        int r;

        unit_of(mount, disk, "mount", ".socket", socket);
        unit_of(mount, disk, "mount", ".service", service);
        r = append_texts(m, "BindsTo", bonds, ELEMENTSOF(bonds));
        return r < 0 ? r : append_texts(m, "After", bonds, ELEMENTSOF(bonds));
}

/* Whatever ended it, the mount is taken off and the empty file goes. Paths may have a '$'. */
static int append_commands(sd_bus_message *m, const json_t *mount, const json_t *disk,
                           const char *path)
{
        static const char raw[] = "no-env-expand";
        const char *access = json_is_true(json_object_get(mount, "Writable")) ? "-s" : "-r";
        int r;

        r = sd_bus_message_append(m, "(sv)", "ExecStartEx", "a(sasas)", 1, NBDFUSE, 4, NBDFUSE,
                                  access, path, text_of(disk, "Uri"), 1, raw);
        return r < 0 ? r
                     : sd_bus_message_append(m, "(sv)", "ExecStopPostEx", "a(sasas)", 2, UMOUNT, 4,
                                             UMOUNT, "-lq", "--", path, 2, raw, "ignore-failure",
                                             RM, 4, RM, "-f", "--", path, 1, raw);
}

static int append_unit(sd_bus_message *m, const json_t *mount, const json_t *disk, const char *path)
{
        char unit[UNIT_SIZE];
        int r;

        unit_of(mount, disk, "file", ".service", unit);
        r = sd_bus_message_append(m, "ss", unit, "fail");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "(sv)");
        if (r >= 0)
                r = sd_bus_message_append(m, "(sv)(sv)(sv)(sv)(sv)", "Description", "s",
                                          "Sendense, a disk of a backup as a file", "Type", "s",
                                          "exec", "CollectMode", "s", "inactive-or-failed",
                                          "NoNewPrivileges", "b", 1, "TimeoutStopUSec", "t",
                                          (uint64_t) (5 * USEC_PER_SEC));
        if (r >= 0)
                r = append_bonds(m, mount, disk);
        if (r >= 0)
                r = append_commands(m, mount, disk, path);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_append(m, "a(sa(sv))", 0);
}

static ExitStatus start(sd_bus *bus, const json_t *mount, const json_t *disk, const char *path)
{
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *message = NULL, *reply = NULL;
        CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = sd_bus_message_new_method_call(bus, &message, SYSTEMD, MANAGER_AT, MANAGER,
                                           "StartTransientUnit");
        if (r >= 0)
                r = append_unit(message, mount, disk, path);
        if (r >= 0)
                r = sd_bus_call(bus, message, 0, &error, &reply);
        return r < 0 ? complain(CTL_FAILED, "systemd does not make a file of disk %s: %s", path,
                                error.message ?: strerror(-r))
                     : CTL_OK;
}

static void stop(sd_bus *bus, const json_t *mount, const json_t *disk)
{
        char unit[UNIT_SIZE];

        unit_of(mount, disk, "file", ".service", unit);
        (void) sd_bus_call_method(bus, SYSTEMD, MANAGER_AT, MANAGER, "StopUnit", NULL, NULL, "ss",
                                  unit, "replace");
}

/* ── The file ── */

/* Until the file has the size of the disk. */
static int wait_for(const char *path, uint64_t size)
{
        _cleanup_close_ int mounts = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
        uint64_t until = clock_monotonic_usec() + APPEAR_SEC * USEC_PER_SEC;

        while (mounts >= 0) {
                struct pollfd fd = { .fd = mounts, .events = POLLPRI };
                uint64_t now = clock_monotonic_usec();
                struct stat st;

                if (stat(path, &st) >= 0 && (uint64_t) st.st_size == size)
                        return 0;
                if (now >= until)
                        return -ETIMEDOUT;
                (void) poll(&fd, 1, (int) ((until - now) / USEC_PER_MSEC) + 1);
        }
        return -errno;
}

static ExitStatus make_file(sd_bus *bus, const json_t *mount, const json_t *disk,
                            const char *folder)
{
        _cleanup_free_ char *path = mount_at_path(folder, disk);
        _cleanup_close_ int fd = -1;
        ExitStatus s;
        int r;

        if (!path)
                return complain(CTL_FAILED, "Out of memory");
        fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0400);
        if (fd < 0)
                return complain(CTL_FAILED, "Cannot make %s: %s", path, strerror(errno));
        s = start(bus, mount, disk, path);
        if (s != CTL_OK) {
                (void) unlink(path);
                return s;
        }
        r = wait_for(path, (uint64_t) number_of(disk, "CapacityBytes"));
        if (r >= 0)
                return CTL_OK;
        stop(bus, mount, disk);
        return complain(CTL_FAILED,
                        "%s does not become the disk: %s. Why: journalctl -u "
                        "'sendense-file-%" JSON_INTEGER_FORMAT "-*'",
                        path, strerror(-r), number_of(mount, "Job"));
}

ExitStatus mount_at(const json_t *mount, const char *folder)
{
        const json_t *disks = json_object_get(mount, "Disks"), *disk;
        CLEANUP(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        ExitStatus s = hub_connect(&bus);
        size_t i;

        json_array_foreach (disks, i, disk)
                if (s == CTL_OK)
                        s = make_file(bus, mount, disk, folder);
        return s;
}
