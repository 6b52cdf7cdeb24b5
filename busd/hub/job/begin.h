/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How a backup begins, whoever asks for it: the VM of a vCenter is looked at, the job is written down, and taken up.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

typedef struct Job Job;
typedef struct Jobs Jobs;

/* 0 and the job's id; job is NULL when it was made by the same request before. Or a negative errno with a name of the bus and one
 * line. */
typedef void (*JobBegun)(int error, const char *name, const char *text, uint64_t id, const Job *job,
                         void *userdata);

/* request: what store_job_create() takes, without NowUSec, NodesReachable and EventId, and with IdempotencyKey when there is one; it
 * is kept until done, which may be before this returns. Errors as store_call(); then done is not called. A request whose key was used
 * before gets its job, whatever became of VM, node and queue since. */
int job_begin(Jobs *jobs, json_t *request, JobBegun done, void *userdata);

/* A job about a backup that is there. request: what store_job_work_create() takes, without NowUSec and EventId. */
int job_begin_work(Jobs *jobs, json_t *request, JobBegun done, void *userdata);
