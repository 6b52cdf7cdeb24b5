/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the methods that begin jobs share: whether the hub takes one now, and the answer, which is the job's object.
 */
#pragma once

#include "bus/bus-call.h"
#include "job-types.h"
#include "job/begin.h"

/* job_begin() or job_begin_work(). */
typedef int (*BusBegin)(Jobs *jobs, json_t *request, JobBegun done, void *userdata);

/* The last part of an act: the request, which gets its Principal, is begun; the call is answered when the job is written down. */
int bus_begin_job(Manager *manager, sd_bus_message *call, const char *principal, json_t *request,
                  BusBegin begin, sd_bus_error *error);

/* For a method about one backup. work (taken) is what the job is asked to do, in the words of its type. */
int bus_begin_work(Manager *manager, sd_bus_message *call, const char *action, JobType type,
                   const char *backup_id, json_t *work, sd_bus_error *error);
