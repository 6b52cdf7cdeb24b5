/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the methods that begin jobs share: whether the hub takes one now, and the answer, which is the job's object.
 */
#pragma once

#include "bus/bus-call.h"
#include "job-types.h"
#include "job/begin.h"

enum {
        BUS_KEY_MAX_BYTES = 255,
};

/* A request about a backup (taken, may be NULL) with its caller's key: asked again by him it is the job that was made then, and another
 * one with that key is refused. The same without a key. NULL: no memory. */
json_t *bus_begin_keyed(json_t *request, const char *key);

/* job_begin() or job_begin_work(). */
typedef int (*BusBegin)(Jobs *jobs, json_t *request, JobBegun done, void *userdata);

/* The last part of an act: the request, which gets its Principal, is begun; the call is answered when the job is written down. */
int bus_begin_job(Manager *manager, sd_bus_message *call, const char *principal, json_t *request,
                  BusBegin begin, sd_bus_error *error);

/* For a method about one backup. work (taken) is what the job is asked to do, in the words of its type; key is the caller's, or NULL. */
int bus_begin_work(Manager *manager, sd_bus_message *call, const char *action, JobType type,
                   const char *backup_id, json_t *work, const char *key, sd_bus_error *error);
