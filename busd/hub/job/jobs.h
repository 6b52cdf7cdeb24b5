/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All open jobs: takes them up when the hub starts, lets the queue go, hands news of units and of
 * copies to the job they are about. One for each hub, in the loop's thread.
 */
#pragma once

#include "job/job-figures.h"
#include "job/job.h"

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

typedef struct HubConfig HubConfig;
typedef struct Nodes Nodes;
typedef struct ProgressSocket ProgressSocket;
typedef struct Units Units;
typedef struct UnitState UnitState;

enum {
        JOBS_OPEN_MAX = 1100, /* running and queued: [Jobs] Queued=, and room for restores */
        JOBS_PORTS_MAX = 1000, /* [Exports] Ports= */
};

typedef enum JobNews {
        JOB_NEWS_NEW, /* on the list */
        JOB_NEWS_CHANGED, /* state, phase or error */
        JOB_NEWS_PROGRESS, /* bytes; at most twice a second */
        JOB_NEWS_FINAL, /* over: stays on the list for a while */
        JOB_NEWS_REMOVED,
} JobNews;

typedef void (*JobsObserver)(Job *job, JobNews news, void *userdata);

struct Jobs {
        sd_event *event;
        sd_bus *bus;
        Store *store;
        Units *units;
        Nodes *nodes; /* of those that are copied at one; not in values, because it is made later */
        const HubConfig *config;
        JobsObserver observer;
        void (*loaded)(void *userdata); /* once: all that was open is taken up */
        void *userdata;

        ProgressSocket *progress;
        sd_event_source *tick;
        Job *all[JOBS_OPEN_MAX];
        size_t n_all; /* open ones, and those that ended a moment ago */
        char boot_id[33];
        bool is_loading, is_loaded;
        bool wants_load; /* a job could not be read again: the tick looks for it */
        bool is_blind; /* systemd does not tell, said so */
        bool is_unreadable_told; /* which open jobs cannot be read, said so */
        bool is_going_down; /* nothing is undone any more: the next boot decides */
        bool is_short_of_ports; /* said so */
        JobFigures figures;
        uint64_t port_blocked_usec[JOBS_PORTS_MAX]; /* a stranger has it: not before */
};

/* values holds what is borrowed: event, bus, store, units, config, observer,
 * loaded, userdata. Logs. */
int jobs_new(const Jobs *values, Jobs **ret_jobs);
Jobs *jobs_free(Jobs *jobs);

/* The database has come (back): takes up what is open, or sends again what waited. */
void jobs_database_ready(Jobs *jobs);

/* A job just written into the database. -ENOBUFS when JOBS_OPEN_MAX are open. Logs. */
int jobs_add(Jobs *jobs, json_t *row, Job **ret_job);

/* Forgets what is known of the job and reads it from the database again. */
void jobs_reload(Job *job);

/* Off the list, without a word to the database. */
void jobs_forget(Job *job);

/* The job has reached its final state. */
void jobs_job_ended(Job *job);

/* Lets go what may go. */
void jobs_pump(Jobs *jobs);

Job *jobs_find(Jobs *jobs, uint64_t id);
size_t jobs_n_open(const Jobs *jobs);

/* Of those that get something back, or of all others. */
size_t jobs_n_open_of(const Jobs *jobs, bool gets_back);

/* Ends it as cancelled. -EALREADY when it is ending or has ended; -EPERM when what it has begun can only be finished. done is called once, perhaps before this
 * returns 0: with 0 when that is written down; -ENOTCONN: the database was lost meanwhile, and it is
 * written when that is back; -EAGAIN: the database takes no writes, and it is written when it does; -EALREADY: the job ended before; -ECANCELED: the job is not looked after any
 * more; another errno: it cannot be written. */
int job_cancel(Job *job, const char *principal, JobCancelled done, void *userdata);

/* Tells the observer. */
void jobs_announce(Job *job);

/* For units.h: what happened to a unit of ours. */
void jobs_on_unit(Jobs *jobs, const char *unit, const UnitState *state);

/* A port of the range that no job holds; those on which a stranger was seen lately come last. 0 when there is none. */
uint16_t jobs_take_port(Jobs *jobs);
void jobs_block_port(Jobs *jobs, uint16_t port);
