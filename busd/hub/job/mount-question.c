/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The question (see mount-question.h).
 */
#include "job/mount-question.h"

#include "bus/bus-error.h"
#include "job/jobs.h"
#include "job/run.h"
#include "parse.h"
#include "unit/handshake.h"
#include "unit/mount-unit.h"

#include <errno.h>
#include <string.h>

#define HANDSHAKE_TIMEOUT_USEC (10 * USEC_PER_SEC)

typedef struct Question {
        Job *job;
        JobDisk *disk;
        unsigned generation;
        MountAnswer answer;
        Handshake *handshake;
} Question;

static void question_end(Question *q)
{
        Job *job = q->job;

        handshake_free(q->handshake);
        free(q);
        job_ticket_done(job);
}

static void on_greeting(int error, const char *text, uint64_t size_bytes, const char *description,
                        void *userdata)
{
        Question *q = userdata;

        if (!q->job->is_removed && q->generation == q->job->generation)
                q->answer(q->job, q->disk, error, text, size_bytes, description ? description : "");
        question_end(q);
}

void mount_ask(Job *job, JobDisk *disk, MountAnswer answer)
{
        char path[UNIT_FILE_PATH_SIZE];
        const HandshakeRequest request = {
                .port = disk->port,
                .socket_path = disk->port > 0 ? NULL : path,
                .export_name = disk->export_name,
                .timeout_usec = HANDSHAKE_TIMEOUT_USEC,
        };
        Question *q = malloc(sizeof(Question));
        int r = -ENOMEM;

        mount_socket_path(job->id, disk->key, path);
        if (q) {
                *q = (Question){
                        .job = job,
                        .disk = disk,
                        .generation = job->generation,
                        .answer = answer,
                };
                job->n_tickets++;
                r = handshake_start(job->jobs->event, &request, on_greeting, q, &q->handshake);
                if (r < 0)
                        question_end(q);
        }
        if (r < 0)
                job_fail(job, BUS_ERROR_EXPORT_FAILED, "Disk %s: cannot ask its mount: %s",
                         disk->text, strerror(-r));
}
