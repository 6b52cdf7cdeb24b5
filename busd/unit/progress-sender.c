/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The sender of a progress datagram (see progress-sender.h). Names of groups are derived from the job's
 * number and never from what the sender says.
 */
#include "unit/progress-sender.h"

#include "cleanup.h"
#include "names.h"
#include "parse.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

enum {
        /* A copy has a handful of processes. What stands behind that is not looked at. */
        PROCESSES_SIZE_MAX = 4096,
};

const char *progress_sender_root(void)
{
        return access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0 ? "/sys/fs/cgroup"
                                                                      : "/sys/fs/cgroup/unified";
}

static int open_processes(const char *root, UnitKind kind, uint64_t job)
{
        const UnitName slice = { .kind = unit_kind_slice(kind), .job = job };
        const UnitName copy = { .kind = kind, .job = job };
        char slice_text[UNIT_NAME_SIZE], copy_text[UNIT_NAME_SIZE], path[PATH_MAX];
        int n;

        if (unit_name_to_string(&slice, slice_text) < 0 ||
            unit_name_to_string(&copy, copy_text) < 0)
                return -1;
        /* A slice lies below the slices that its name is made of. */
        n = snprintf(path, sizeof(path), "%s/sendense.slice/%.*s.slice/%s/%s/cgroup.procs", root,
                     (int) (strrchr(slice_text, '-') - slice_text), slice_text, slice_text,
                     copy_text);
        if (n < 0 || (size_t) n >= sizeof(path))
                return -1;
        return open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
}

static bool is_of_unit(const char *root, UnitKind kind, uint64_t job, uint64_t pid)
{
        char text[PROCESSES_SIZE_MAX + 1], *rest = text, *line;
        _cleanup_close_ int fd = open_processes(root, kind, job);
        uint64_t listed;
        ssize_t n;

        if (fd < 0)
                return false;
        n = read(fd, text, PROCESSES_SIZE_MAX);
        if (n <= 0)
                return false;
        text[n] = '\0';
        while ((line = strsep(&rest, "\n")))
                if (parse_uint64(line, 1, INT_MAX, &listed) >= 0 && listed == pid)
                        return true;
        return false;
}

bool progress_sender_is_copy(const char *root, UnitSide side, uint64_t job, pid_t pid)
{
        for (UnitKind kind = 0; pid > 0 && kind < UNIT_KIND_MAX; kind++)
                if (unit_kind_tells_progress(kind) && unit_kind_side(kind) == side &&
                    is_of_unit(root, kind, job, (uint64_t) pid))
                        return true;
        return false;
}
