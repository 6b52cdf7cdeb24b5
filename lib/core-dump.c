/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * No core dumps (see core-dump.h). Three ways, because each leaves something open: a limit of zero is not looked at
 * where the kernel hands dumps to a program, "not dumpable" ends with the execution of another program, and the
 * filter, which both outlives that and holds for a pipe, still lets registers through.
 */
#include "core-dump.h"

#include "cleanup.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

void core_dump_never(void)
{
        const struct rlimit none = {};
        /* First: a process that is not dumpable does not own its files in /proc any more. */
        _cleanup_close_ int filter = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);

        if (filter >= 0)
                (void) !write(filter, "0", 1);
        (void) setrlimit(RLIMIT_CORE, &none);
        (void) prctl(PR_SET_DUMPABLE, 0);
}
