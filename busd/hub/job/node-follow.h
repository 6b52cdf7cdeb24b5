/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A job that a node does a part of, whatever it is: the node is given the task and the login once, then asked how it stands until
 * what follows it has an answer. A node that does not answer holds the job up and ends it only after a long while. What may be owed at
 * vCenter stands in the database before the node hears of the job.
 */
#pragma once

#include "http/http-client.h"
#include "job/job.h"
#include "names.h"

/* What one kind of job wants of its node. */
struct NodeFollow {
        const char *start_path; /* of the node's API */
        UnitKind unit; /* the node's, which the row names once it has accepted the job */
        const char *step; /* in its name; NULL: it has none */
        UnitKind exports; /* that serve what it is told of */
        /* Without login, attempt and keys; NULL: no memory. */
        json_t *(*start_body)(const Job *job);
        void (*on_task)(Job *job,
                        const json_t *task); /* how it stands; then node_follow_again(), or an end */
        void (*ask_more)(Job *job); /* what is asked instead once job->copied is there */
};

/* From now on; job->is_at_node says whether the node has accepted it. */
void node_follow_begin(Job *job, const NodeFollow *follow);

/* Asks again in a moment. */
void node_follow_again(Job *job);

/* Asks the node something else, and never two things at a time. then() gets what it answered, also when that is lost. 0, or a negative
 * errno: then it cannot be asked now, and then() is not called. */
int node_follow_ask(Job *job, const char *path, uint64_t timeout_usec,
                    void (*then)(Job *job, const HttpAnswer *answer));

/* Nobody answered who could; the same question later may be answered. */
bool node_follow_is_lost(const Job *job, const HttpAnswer *answer);

/* Ends the job with the words of a task that failed. */
void node_follow_failed(Job *job, const json_t *task);

/* Takes how far each disk is; and what the task says of one, or NULL. */
void node_follow_progress(Job *job, const json_t *task);
const json_t *node_follow_disk(const json_t *task, uint32_t key);

/* Whether what the node tells takes up no more than that as JSON. One that tells megabytes has a fault, or is hostile, and the job's row
 * could not be read any more. */
bool node_follow_fits(const json_t *value, size_t max_bytes);

/* Asks when it is time. Every half second. */
void node_follow_tick(Job *job, uint64_t now_usec);
