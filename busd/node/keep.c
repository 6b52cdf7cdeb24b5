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

#define NAME_PREFIX "login-"

enum {
        STATE_SIZE = 64,
};

void keep_nothing(uint64_t job)
{
        (void) sd_notifyf(false, "FDSTOREREMOVE=1\nFDNAME=" NAME_PREFIX "%" PRIu64, job);
}

void keep_password(uint64_t job, const Secret *password)
{
        _cleanup_close_ int fd = -1;
        char state[STATE_SIZE];
        int r;

        keep_nothing(job);
        (void) snprintf(state, sizeof(state), "FDSTORE=1\nFDNAME=" NAME_PREFIX "%" PRIu64, job);
        r = secret_make_memfd(secret_data(password), secret_size(password), &fd);
        if (r >= 0)
                r = sd_pid_notify_with_fds(0, false, state, &fd, 1);
        if (r < 0)
                (void) log_warning(r,
                                   "Cannot have systemd keep the login of job %" PRIu64
                                   ", a restart will forget it: %m",
                                   job);
}

uint64_t keep_name_job(const char *name)
{
        uint64_t job = 0;

        if (strncmp(name, NAME_PREFIX, strlen(NAME_PREFIX)) != 0 ||
            parse_uint64(name + strlen(NAME_PREFIX), 1, JOB_NUMBER_MAX, &job) < 0)
                return 0;
        return job;
}
