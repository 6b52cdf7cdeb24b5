/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verb copy: reads what to do as JSON from standard input, writes one JSON object to standard output when
 * all is over. SIGTERM and SIGINT cancel.
 */
#include "changes.h"
#include "cleanup.h"
#include "copy.h"
#include "failure.h"
#include "log.h"
#include "session.h"
#include "spec.h"
#include "verb-end.h"
#include "verbs.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>

typedef struct Input {
        char *text;
        size_t size, n_allocated;
} Input;

static void input_done(Input *input)
{
        free(input->text);
        *input = (Input){};
}

/* One byte more than allowed, to see that there is one. 1: end of input. */
static int read_part(Input *input)
{
        ssize_t n;

        if (input->size == input->n_allocated) {
                size_t more = input->n_allocated > 0 ? input->n_allocated * 2 : (size_t) 64 * 1024;
                char *text = realloc(input->text, more);

                if (!text)
                        return -ENOMEM;
                input->text = text;
                input->n_allocated = more;
        }
        n = read(STDIN_FILENO, input->text + input->size, input->n_allocated - input->size);
        if (n < 0)
                return errno == EINTR || errno == EAGAIN ? 0 : -errno;
        input->size += (size_t) n;
        return n == 0 || input->size > SPEC_SIZE_MAX;
}

/* Who starts us by hand may type slowly, or go away. */
static int read_input(int signal_fd, Input *input, Failure *failure)
{
        int r = 0;

        while (r == 0) {
                struct pollfd fds[] = {
                        { .fd = STDIN_FILENO, .events = POLLIN },
                        { .fd = signal_fd, .events = POLLIN },
                };

                if (poll(fds, ELEMENTSOF(fds), -1) < 0)
                        r = errno == EINTR ? 0 : -errno;
                else if (fds[1].revents)
                        return failure_set(failure, -ECANCELED, FAILURE_CANCELLED, 0, "cancelled");
                else
                        r = read_part(input);
        }
        return r < 0 ? failure_set(failure, r, FAILURE_OTHER, 0, "cannot read the spec: %s",
                                   strerror(-r))
                     : 0;
}

static int read_spec(int signal_fd, CopySpec *ret_spec, Failure *failure)
{
        CLEANUP(input_done) Input input = {};
        int r;

        r = read_input(signal_fd, &input, failure);
        return r < 0 ? r : spec_parse(input.text, input.size, ret_spec, failure);
}

static int copy(CopySpec *spec, json_t **ret_disks, Failure *failure)
{
        _cleanup_close_ int signal_fd = -1;
        int r;

        r = verb_signals(&signal_fd);
        if (r < 0)
                return failure_set(failure, r, FAILURE_OTHER, 0, "signals: %s", strerror(-r));
        r = read_spec(signal_fd, spec, failure);
        if (r < 0)
                return r;
        (void) sd_notify(false, "READY=1\nSTATUS=Asking what has changed");
        r = changes_ask(spec, signal_fd, failure);
        if (r < 0)
                return r;
        (void) sd_notify(false, "STATUS=Looking at sources and targets");
        return copy_disks(spec, signal_fd, ret_disks, failure);
}

int verb_copy(int argc, char *argv[])
{
        CLEANUP(spec_done) CopySpec spec = {};
        json_t *disks = NULL;
        Failure failure = {};
        int r;

        if (argc > 1) {
                (void) fprintf(stderr,
                               "sendense-backup-client: copy takes no arguments, got '%s'\n",
                               argv[1]);
                return EX_USAGE;
        }
        log_open("sendense-backup-client");
        r = copy(&spec, &disks, &failure);
        session_drop();
        if (r < 0)
                (void) failure_set(&failure, r, FAILURE_OTHER, 0, "%s", strerror(-r));
        return verb_end(spec.job,
                        failure.name ? NULL
                                     : json_pack("{s:s, s:o}", "result", "ok", "disks", disks),
                        &failure);
}
