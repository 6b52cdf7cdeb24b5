/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From the copy to the end (see task-release.h).
 */
#include "task-release.h"

#include "bus/bus-error.h"
#include "clock.h"
#include "log.h"
#include "node.h"
#include "parse.h"
#include "task-login.h"
#include "task-restore.h"
#include "task-run.h"
#include "task-step.h"

#include <inttypes.h>
#include <string.h>

enum {
        RELEASE_RETRY_SEC = 5,
        RELEASE_RETRY_MAX_SEC = 600,
};

static const char *words_of(const Task *task)
{
        return task_is_restore(task) ? restore_end_words(task) : "removed";
}

void task_release_failed(Task *task, const char *name, const char *text)
{
        const LogContext context = task_context(task);
        uint64_t delay_sec = RELEASE_RETRY_SEC;
        char debt[TASK_DEBT_SIZE];

        for (unsigned i = 0; i < task->n_tries && delay_sec < RELEASE_RETRY_MAX_SEC; i++)
                delay_sec *= 2;
        if (delay_sec > RELEASE_RETRY_MAX_SEC)
                delay_sec = RELEASE_RETRY_MAX_SEC;
        if (strcmp(name, BUS_ERROR_VCENTER_LOGIN) == 0) {
                /* Trying a wrong password again and again would lock the account. */
                task_login_refused(task);
                task_set_text(task, "ReleaseError", text);
                task_store(task);
                task_step_close(task);
                return;
        }
        task->n_tries++;
        task_debt(task, debt);
        task_set_text(task, "ReleaseError", text);
        (void) log_event(LOG_ERR, 0, &context, MESSAGE_OBLIGATION_OPEN,
                         "%s cannot be %s: %s. Next try in %" PRIu64 " s", debt, words_of(task),
                         task_text(task, "ReleaseError"), delay_sec);
        (void) task_store(task);
        task_retry(task, delay_sec);
        task_step_close(task);
}

static int on_held_too_long(sd_event_source *source, uint64_t usec, void *userdata)
{
        Task *task = userdata;
        const LogContext context = task_context(task);

        (void) source;
        (void) usec;
        if (task_is_restore(task))
                (void) log_event(LOG_WARNING, 0, &context, MESSAGE_NONE,
                                 "No hub has asked for the VM of job %" PRIu64
                                 " for too long; it is whole, and stays",
                                 task->job);
        else
                (void) log_event(LOG_WARNING, 0, &context, MESSAGE_NONE,
                                 "No hub has asked for the snapshot of job %" PRIu64
                                 " for too long, removing it. The hub may "
                                 "still commit what was copied",
                                 task->job);
        task_set(task, "Outcome", json_string("expired"));
        task_timer_off(task);
        (void) task_move(task, TASK_EVENT_RELEASE);
        task_enter(task);
        return 0;
}

/* It costs nobody anything but the room of its old disks, and nobody else may decide about them; but no backup of the VM begins, and
 * a hub that has lost the job will never ask. */
static int on_still_held(sd_event_source *source, uint64_t usec, void *userdata)
{
        Task *task = userdata;
        const LogContext context = task_context(task);
        char waits_for[TASK_WAITING_SIZE];

        (void) source;
        (void) usec;
        task_waits_for(task, waits_for);
        (void) log_event(LOG_WARNING, 0, &context, MESSAGE_OBLIGATION_OPEN,
                         "The restore of job %" PRIu64 " into %s still waits for %s", task->job,
                         context.vm, waits_for);
        task_timer_set(task, task->node->config->snapshot_hold_usec, on_still_held);
        return 0;
}

void task_hold(Task *task)
{
        uint64_t now = clock_realtime_usec(), since = task_number(task, "CopiedUSec");
        uint64_t max = task->node->config->snapshot_hold_usec;
        uint64_t held = now > since ? now - since : 0;

        task_timer_set(task, held < max ? max - held : 0,
                       restore_is_in_place(task) ? on_still_held : on_held_too_long);
}

void task_release_enter(Task *task)
{
        const LogContext context = task_context(task);
        char debt[TASK_DEBT_SIZE];

        /* A VM that stays as it is owes nothing. */
        if (task_is_restore(task) && !restore_needs_end(task))
                task_set_owes(task, false);
        task_debt(task, debt);
        if (!task_owes(task))
                task_finish(task);
        else if (task->password || task->is_recovered)
                task_step_begin(task);
        else
                (void) log_event(LOG_WARNING, 0, &context, MESSAGE_OBLIGATION_OPEN,
                                 "%s is still to be %s, and no login for %s is known; it is done "
                                 "when the hub offers one",
                                 debt, words_of(task), task_request(task, "vcenter_host"));
}
