/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Beginning and end of verbs (see verb-end.h).
 */
#include "verb-end.h"

#include "cleanup.h"
#include "log.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>

int verb_signals(int *ret_fd)
{
        struct sigaction ignore = { .sa_handler = SIG_IGN };
        sigset_t signals;
        int fd;

        (void) sigaction(SIGPIPE, &ignore, NULL);
        (void) sigemptyset(&signals);
        (void) sigaddset(&signals, SIGTERM);
        (void) sigaddset(&signals, SIGINT);
        if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
                return -errno;
        fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
        if (fd < 0)
                return -errno;
        *ret_fd = fd;
        return 0;
}

static json_t *result_of_failure(const Failure *failure)
{
        json_t *result = json_pack("{s:s, s:s, s:s}", "result", "failed", "error_name",
                                   failure->name, "error_text", failure->text);

        if (result && failure->disk_key > 0)
                (void) json_object_set_new(result, "disk_key",
                                           json_integer((json_int_t) failure->disk_key));
        return result;
}

/* In one piece, at the end. */
static int write_result(json_t *result)
{
        int r = 0;

        if (!result || json_dumpf(result, stdout, JSON_COMPACT) < 0 || fputc('\n', stdout) < 0 ||
            fflush(stdout) != 0)
                r = -EIO;
        json_decref(result);
        return r;
}

int verb_end(uint64_t job, json_t *result, const Failure *failure)
{
        int r;

        if (failure->name) {
                (void) log_full(LOG_ERR, 0, &(LogContext){ .job = job }, MESSAGE_NONE, "%s",
                                failure->text);
                json_decref(result);
                result = result_of_failure(failure);
        }
        r = write_result(result);
        if (r < 0)
                (void) log_error(r, "Cannot write the result: %m");
        return failure->name || r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
