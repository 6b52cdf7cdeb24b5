/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The set of jobs (see jobs.h): makes it, lets the queue go, and hands news to the job they are about.
 * How jobs are found again after a start of the hub stands in recover.c.
 */
#include "job/jobs.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "clock.h"
#include "hub-config.h"
#include "job/export-watch.h"
#include "job/node-follow.h"
#include "job/queue.h"
#include "job/recover.h"
#include "job/run-work.h"
#include "job/run.h"
#include "job/sent-sums.h"
#include "log.h"
#include "parse.h"
#include "unit/progress-socket.h"
#include "unit/unit-files.h"
#include "unit/units.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-id128.h>

enum {
        TICK_MSEC = 500, /* progress is told at most so often */
        KEEP_FINAL_SEC = 60, /* a job that ended stays on the bus */
        PORT_BLOCKED_SEC = 60, /* so long a stranger's port comes after all others */
};

void jobs_announce(Job *job)
{
        if (job->jobs->observer)
                job->jobs->observer(job, JOB_NEWS_CHANGED, job->jobs->userdata);
}

static void tell(Job *job, JobNews news)
{
        if (job->jobs->observer)
                job->jobs->observer(job, news, job->jobs->userdata);
}

Job *jobs_find(Jobs *jobs, uint64_t id)
{
        for (size_t i = 0; i < jobs->n_all; i++)
                if (jobs->all[i]->id == id)
                        return jobs->all[i];
        return NULL;
}

size_t jobs_n_open_of(const Jobs *jobs, bool gets_back)
{
        size_t n = 0;

        for (size_t i = 0; i < jobs->n_all; i++)
                n += !job_state_is_final(jobs->all[i]->state) &&
                     job_type_gets_back(jobs->all[i]->type) == gets_back;
        return n;
}

size_t jobs_n_open(const Jobs *jobs)
{
        return jobs_n_open_of(jobs, false) + jobs_n_open_of(jobs, true);
}

static void drop(Jobs *jobs, size_t i)
{
        Job *job = jobs->all[i];

        tell(job, JOB_NEWS_REMOVED);
        memmove(jobs->all + i, jobs->all + i + 1, (jobs->n_all - i - 1) * sizeof(Job *));
        jobs->n_all--;
        job_remove(job);
}

static void drop_oldest_final(Jobs *jobs)
{
        for (size_t i = 0; i < jobs->n_all; i++)
                if (job_state_is_final(jobs->all[i]->state)) {
                        drop(jobs, i);
                        return;
                }
}

int jobs_add(Jobs *jobs, json_t *row, Job **ret_job)
{
        Job *job;
        int r;

        if (jobs->n_all >= JOBS_OPEN_MAX)
                drop_oldest_final(jobs);
        if (jobs->n_all >= JOBS_OPEN_MAX)
                return -ENOBUFS;
        r = job_new(jobs, row, &job);
        if (r < 0)
                return log_error(r, "A job's row in the database cannot be understood: %m");
        jobs->all[jobs->n_all++] = job;
        tell(job, JOB_NEWS_NEW);
        if (ret_job)
                *ret_job = job;
        return 0;
}

void jobs_forget(Job *job)
{
        Jobs *jobs = job->jobs;

        for (size_t i = 0; i < jobs->n_all; i++)
                if (jobs->all[i] == job) {
                        drop(jobs, i);
                        return;
                }
}

static uint64_t repository_of(const Job *job)
{
        return (uint64_t) json_integer_value(json_object_get(job->row, "RepositoryId"));
}

/* Who asks what a job waits for gets it with its limit. */
static void show_wait(Job *job, QueueWait wait, const QueueLimits *limits)
{
        const char *what = job_type_gets_back(job->type) ? "restores" : "jobs";
        char phase[sizeof(job->phase)] = "";

        switch (wait) {
        case QUEUE_MAY_START:
                return;
        case QUEUE_FOR_ANY:
                (void) snprintf(phase, sizeof(phase), "waits: %" PRIu64 " %s run, as many as may",
                                limits->running, what);
                break;
        case QUEUE_FOR_REPOSITORY:
                (void) snprintf(phase, sizeof(phase), "waits: %" PRIu64 " %s use its repository",
                                limits->running_per_repository, what);
                break;
        case QUEUE_FOR_NODE:
                (void) snprintf(phase, sizeof(phase), "waits: node %.20s has %" PRIu64 " jobs",
                                job_text(job, "Node"), limits->running_per_node);
                break;
        case QUEUE_FOR_HOST:
                (void) snprintf(phase, sizeof(phase),
                                "waits: %" PRIu64 " VMs of its ESXi host are copied",
                                limits->running_per_host);
                break;
        case QUEUE_FOR_FILES:
                (void) snprintf(phase, sizeof(phase),
                                "waits: %" PRIu64 " jobs look into backups, as many as may",
                                limits->running_files);
                break;
        case QUEUE_FOR_VERIFY:
                (void) snprintf(phase, sizeof(phase),
                                "waits: %" PRIu64 " jobs verify backups, as many as may",
                                limits->running_verify);
                break;
        }
        if (strcmp(job->phase, phase) != 0)
                job_set_phase(job, phase);
}

/* On its way out of the queue it counts as one that runs. */
static bool is_queued(const Job *job)
{
        return job->state == JOB_QUEUED && !job->write.is_open && !job->has_error &&
               job->ending == JOB_STATE_INVALID;
}

/* A backup that waits for room has no place, and wants one whenever it is to look again. */
void jobs_pump(Jobs *jobs)
{
        const QueueLimits limits = {
                .running = jobs->config->jobs_running,
                .running_per_repository = jobs->config->jobs_running_per_repository,
                .running_per_node = jobs->config->jobs_running_per_node,
                .running_files = jobs->config->files_running,
                .running_per_host = jobs->config->jobs_running_per_host,
                .running_verify = jobs->config->verify_running,
        };
        _cleanup_free_ QueueEntry *entries = NULL;
        _cleanup_free_ Job **open = NULL;
        uint64_t now = clock_monotonic_usec();
        size_t n = 0;
        int next;

        if (!jobs->is_loaded || jobs->is_going_down)
                return;
        entries = calloc(jobs->n_all + 1, sizeof(QueueEntry));
        open = calloc(jobs->n_all + 1, sizeof(Job *));
        if (!entries || !open)
                return; /* the next tick */
        for (size_t i = 0; i < jobs->n_all; i++) {
                Job *job = jobs->all[i];

                if (job_state_is_final(job->state))
                        continue;
                /* A mount takes no place: it does nothing by itself, and may stay for days. */
                if (job->type == JOB_MOUNT) {
                        if (is_queued(job))
                                run_start(job);
                        continue;
                }
                if (run_prepare_waits(job) && job->room_due_usec > now)
                        continue;
                open[n] = job;
                entries[n++] = (QueueEntry){
                        .job = job->id,
                        .repository = repository_of(job),
                        .node = job->node_id,
                        .is_files = job->type == JOB_FILES,
                        .is_verify = job->type == JOB_VERIFY,
                        .gets_back = job_type_gets_back(job->type),
                        .host = json_string_value(json_object_get(job->row, "Host")),
                        .is_waiting = is_queued(job) || run_prepare_waits(job),
                };
        }
        while ((next = queue_next(entries, n, &limits)) >= 0) {
                entries[next].is_waiting = false;
                if (run_prepare_waits(open[next]))
                        run_prepare_again(open[next]);
                else
                        run_start(open[next]);
        }
        for (size_t i = 0; i < n; i++)
                if (entries[i].is_waiting)
                        show_wait(open[i], queue_wait(entries, n, entries + i, &limits), &limits);
}

void jobs_job_ended(Job *job)
{
        job->finished_usec = clock_monotonic_usec();
        sent_sums_remove(job);
        job_set_phase(job, "");
        (void) job_log(job, NULL, job->state == JOB_COMPLETED ? LOG_INFO : LOG_NOTICE, 0,
                       MESSAGE_JOB_ENDED, "Job %llu of %s is %s%s%s", (unsigned long long) job->id,
                       job_text(job, "Vm"), job_state_to_string(job->state),
                       *job->error_text && job->state != JOB_COMPLETED ? ": " : "",
                       job->state != JOB_COMPLETED ? job->error_text : "");
        tell(job, JOB_NEWS_FINAL);
        jobs_pump(job->jobs);
}

static bool port_is_used(const Jobs *jobs, uint16_t port)
{
        for (size_t i = 0; i < jobs->n_all; i++)
                for (size_t j = 0; j < jobs->all[i]->n_disks; j++)
                        if (jobs->all[i]->disks[j].port == port)
                                return true;
        return false;
}

/* A stranger's port is tried when there is no other, the one that was met longest ago first: he may have
 * gone meanwhile. */
uint16_t jobs_take_port(Jobs *jobs)
{
        const PortRange *range = &jobs->config->export_ports;
        uint64_t now = clock_monotonic_usec(), oldest_usec = UINT64_MAX;
        uint16_t oldest = 0;

        for (unsigned port = range->first; port <= range->last; port++) {
                unsigned i = port - range->first;

                if (i >= JOBS_PORTS_MAX || port_is_used(jobs, (uint16_t) port))
                        continue;
                if (jobs->port_blocked_usec[i] <= now)
                        return (uint16_t) port;
                if (jobs->port_blocked_usec[i] < oldest_usec) {
                        oldest_usec = jobs->port_blocked_usec[i];
                        oldest = (uint16_t) port;
                }
        }
        return oldest;
}

void jobs_block_port(Jobs *jobs, uint16_t port)
{
        unsigned i = (unsigned) port - jobs->config->export_ports.first;

        if (i < JOBS_PORTS_MAX)
                jobs->port_blocked_usec[i] =
                                clock_monotonic_usec() + PORT_BLOCKED_SEC * USEC_PER_SEC;
}

void jobs_on_unit(Jobs *jobs, const char *unit, const UnitState *state)
{
        UnitName name;
        JobDisk *disk;
        Job *job;

        if (jobs->is_going_down || unit_name_from_string(unit, &name) < 0)
                return;
        job = jobs_find(jobs, name.job);
        if (!job)
                return;
        if (job->type != JOB_BACKUP)
                run_work_on_unit(job, &name, unit, state);
        else if (name.kind == UNIT_IMPORT_SERVICE)
                run_copy_on_unit(job, unit, state);
        else if (name.kind == UNIT_EXPORT_SERVICE) {
                disk = job_find_disk(job, name.disk_key);
                if (disk)
                        run_export_on_unit(job, disk, &name, unit, state);
        }
}

static void on_progress(uint64_t id, uint32_t disk_key, uint64_t done, uint64_t total,
                        void *userdata)
{
        Job *job = jobs_find(userdata, id);
        JobDisk *disk = job ? job_find_disk(job, disk_key) : NULL;

        if (job && job->type != JOB_BACKUP && job->state == JOB_COPYING) {
                run_work_progress(job, disk_key, done, total);
                return;
        }
        if (!disk || job->state != JOB_COPYING || done > disk->capacity_bytes ||
            done < disk->bytes_done)
                return;
        if (done > disk->bytes_done) {
                if (job->is_still)
                        job_set_phase(job, "copying");
                job_moved(job);
        }
        disk->bytes_done = done;
        job->is_dirty = true;
}

/* Whether it should come further all the time, and tells how far it is. */
static bool should_move(const Job *job)
{
        return job->type == JOB_BACKUP ? job->is_copy_started || job->is_copying_at_node
               : job->type == JOB_RESTORE || job->type == JOB_VERIFY || job->type == JOB_DELETE
                               ? job->is_copy_started
                               : false;
}

/* Whether the source, the repository or the way between them is away, nobody here can tell, nor when it
 * comes back: what stands still goes on then, and is told till then. */
static void look_whether_it_moves(Job *job, uint64_t now)
{
        uint64_t limit_usec = job->jobs->config->repository_step_usec;
        char phase[sizeof(job->phase)];

        if (!should_move(job) || job->is_still || now - job->moved_usec < limit_usec)
                return;
        job->is_still = true;
        (void) snprintf(phase, sizeof(phase), "nothing has moved for %llu s",
                        (unsigned long long) (limit_usec / USEC_PER_SEC));
        job_set_phase(job, phase);
        (void) job_log(job, NULL, LOG_WARNING, 0, MESSAGE_COPY_STILL,
                       "The %s stands still: %s; see to %s%s (mount, dmesg)%s",
                       job->type == JOB_BACKUP ? "copy" : job_type_to_string(job->type), phase,
                       job->type == JOB_BACKUP ? "the sources and to " : "",
                       job_text(job, "RepositoryPath"),
                       job->type == JOB_DELETE ? "" : ", or cancel the job");
}

static void tick_job(Job *job, uint64_t now)
{
        job_write_tick(job, now);
        if (job->is_dirty) {
                job->is_dirty = false;
                tell(job, JOB_NEWS_PROGRESS);
        }
        if (job->undo_due_usec > 0 && job->undo_due_usec <= now) {
                job->undo_due_usec = 0;
                run_undo(job);
        }
        export_ask_tick(job, now);
        if (job->state == JOB_COPYING && !job->has_error && job->ending == JOB_STATE_INVALID) {
                look_whether_it_moves(job, now);
                if (job->type != JOB_BACKUP) {
                        run_work_tick(job, now);
                        return;
                }
                run_export_probe(job);
                if (job->node_id > 0)
                        node_follow_tick(job, now);
                else
                        run_copy_tick(job, now);
        }
}

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
        Jobs *jobs = userdata;
        uint64_t now = clock_monotonic_usec();
        int r;

        (void) usec;
        for (size_t i = jobs->n_all; i-- > 0 && !jobs->is_going_down;) {
                Job *job = jobs->all[i];

                if (!job_state_is_final(job->state))
                        tick_job(job, now);
                else if (now - job->finished_usec > KEEP_FINAL_SEC * USEC_PER_SEC)
                        drop(jobs, i);
        }
        recover_tick(jobs);
        jobs_pump(jobs);
        r = sd_event_source_set_time_relative(source, TICK_MSEC * USEC_PER_MSEC);
        return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* The hub's sandbox has no /proc/sys, so its unit tells the id (%b); a hub started by hand looks. */
static int read_boot_id(sd_id128_t *ret_id)
{
        const char *text = getenv("SENDENSE_BOOT_ID");

        return text && *text ? sd_id128_from_string(text, ret_id) : sd_id128_get_boot(ret_id);
}

static int start(Jobs *jobs)
{
        char path[UNIT_FILE_PATH_SIZE];
        sd_id128_t boot;
        int r;

        r = read_boot_id(&boot);
        if (r < 0)
                return log_error(r, "Cannot read the id of this boot: %m");
        (void) sd_id128_to_string(boot, jobs->boot_id);
        r = unit_files_init();
        if (r >= 0) {
                runtime_path(PROGRESS_SOCKET, path);
                r = progress_socket_new(jobs->event, path, UNITS_OF_HUB, on_progress, jobs,
                                        &jobs->progress);
        }
        if (r < 0)
                (void) log_warning(r,
                                   "Cannot use the folder /run/sendense: %m; jobs cannot run until "
                                   "sendense-hub.service makes it");
        r = sd_event_add_time_relative(jobs->event, &jobs->tick, CLOCK_MONOTONIC,
                                       TICK_MSEC * USEC_PER_MSEC, 0, on_tick, jobs);
        return r < 0 ? log_error(r, "Cannot set up the clock of the jobs: %m") : 0;
}

DEFINE_CLEANUP(Jobs *, jobs_free)

int jobs_new(const Jobs *values, Jobs **ret_jobs)
{
        CLEANUP(jobs_free_p) Jobs *jobs = malloc(sizeof(Jobs));
        int r;

        if (!jobs)
                return log_oom();
        *jobs = *values;
        r = start(jobs);
        if (r < 0)
                return r;
        *ret_jobs = TAKE(jobs);
        return 0;
}

Jobs *jobs_free(Jobs *jobs)
{
        if (!jobs)
                return NULL;
        jobs->is_going_down = true;
        jobs->observer = NULL;
        while (jobs->n_all > 0)
                drop(jobs, jobs->n_all - 1);
        sd_event_source_disable_unref(jobs->tick);
        progress_socket_free(jobs->progress);
        free(jobs);
        return NULL;
}

void jobs_database_ready(Jobs *jobs)
{
        for (size_t i = 0; i < jobs->n_all; i++)
                job_write_again(jobs->all[i]);
        recover_begin(jobs);
}
