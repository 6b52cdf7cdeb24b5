/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The objects /com/sendense/Hub1/job/<n>, interface com.sendense.Hub1.Job: one for each job that is open
 * or ended a moment ago. manager.c registers them; the runner's news come in here.
 */
#pragma once

#include "job/jobs.h"

#include <systemd/sd-bus.h>

#define HUB_JOB_INTERFACE "com.sendense.Hub1.Job"

enum {
        JOB_OBJECT_PATH_SIZE = 64,
};

typedef struct Manager Manager;

int bus_job_register(Manager *manager);

void bus_job_path(uint64_t id, char ret_path[static JOB_OBJECT_PATH_SIZE]);

/* A JobsObserver; userdata is the Manager. */
void bus_job_on_news(Job *job, JobNews news, void *userdata);

/* What memory knows besides the row: bytes, ports, processes. */
void bus_job_add_live(Jobs *jobs, json_t *row);

/* Cancels job id for the caller of call, when he may. In bus-backup.c. */
int bus_job_cancel(Manager *manager, sd_bus_message *call, uint64_t id, sd_bus_error *error);
