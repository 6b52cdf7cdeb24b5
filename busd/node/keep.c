/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The store of descriptors (see keep.h).
 */
#include "keep.h"

#include "cleanup.h"
#include "log.h"
#include "names.h"
#include "parse.h"
#include "secret.h"

#include <inttypes.h>
#include <string.h>
#include <systemd/sd-daemon.h>

enum {
        STATE_SIZE = 64,
};

static const char *const prefixes[KEEP_KIND_MAX] = {
        [KEEP_LOGIN] = "login-",
        [KEEP_KEYS] = "keys-",
};

static void forget(uint64_t job, KeepKind kind)
{
        (void) sd_notifyf(false, "FDSTOREREMOVE=1\nFDNAME=%s%" PRIu64, prefixes[kind], job);
}

void keep_nothing(uint64_t job)
{
        for (KeepKind kind = 0; kind < KEEP_KIND_MAX; kind++)
                forget(job, kind);
}

void keep_secret(uint64_t job, KeepKind kind, const Secret *secret)
{
        _cleanup_close_ int fd = -1;
        char state[STATE_SIZE];
        int r;

        forget(job, kind);
        (void) snprintf(state, sizeof(state), "FDSTORE=1\nFDNAME=%s%" PRIu64, prefixes[kind], job);
        r = secret_make_memfd(secret_data(secret), secret_size(secret), &fd);
        if (r >= 0)
                r = sd_pid_notify_with_fds(0, false, state, &fd, 1);
        if (r < 0)
                (void) log_warning(r,
                                   "Cannot have systemd keep the %s of job %" PRIu64
                                   ", a restart will forget it: %m",
                                   kind == KEEP_LOGIN ? "login" : "keys", job);
}

uint64_t keep_name_job(const char *name, KeepKind *ret_kind)
{
        uint64_t job;

        for (KeepKind kind = 0; kind < KEEP_KIND_MAX; kind++) {
                size_t length = strlen(prefixes[kind]);

                if (strncmp(name, prefixes[kind], length) != 0 ||
                    parse_uint64(name + length, 1, JOB_NUMBER_MAX, &job) < 0)
                        continue;
                *ret_kind = kind;
                return job;
        }
        return 0;
}
