/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The question (see mount-question.h).
 */
#include "job/mount-question.h"

#include "bus/bus-error.h"
#include "job/export-tls.h"
#include "job/export-watch.h"
#include "job/jobs.h"
#include "job/run.h"
#include "parse.h"
#include "unit/handshake.h"
#include "unit/mount-unit.h"
#include "unit/units.h"

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

static Question *question_new(Job *job, JobDisk *disk, MountAnswer answer)
{
        Question *q = malloc(sizeof(Question));

        if (!q)
                return NULL;
        *q = (Question){
                .job = job,
                .disk = disk,
                .generation = job->generation,
                .answer = answer,
        };
        job->n_tickets++;
        return q;
}

static bool is_awaited(const Question *q)
{
        return !q->job->is_removed && q->generation == q->job->generation;
}

static void on_greeting(int error, const char *text, uint64_t size_bytes, const char *description,
                        void *userdata)
{
        Question *q = userdata;

        if (is_awaited(q))
                q->answer(q->job, q->disk, error, text, size_bytes, description ? description : "");
        question_end(q);
}

void mount_ask(Job *job, JobDisk *disk, MountAnswer answer)
{
        char path[UNIT_FILE_PATH_SIZE], psk[UNIT_FILE_PATH_SIZE];
        const HandshakeRequest request = {
                .port = disk->port,
                .socket_path = disk->port > 0 ? NULL : path,
                .export_name = disk->export_name,
                .psk_path = export_tls_path(job, disk, UNIT_MOUNT_SERVICE, psk),
                .timeout_usec = HANDSHAKE_TIMEOUT_USEC,
        };
        Question *q = question_new(job, disk, answer);
        int r = -ENOMEM;

        mount_socket_path(job->id, disk->key, path);
        if (q) {
                r = handshake_start(job->jobs->event, &request, on_greeting, q, &q->handshake);
                if (r < 0)
                        question_end(q);
        }
        if (r < 0)
                job_fail(job, BUS_ERROR_EXPORT_FAILED, "Disk %s: cannot ask its mount: %s",
                         disk->text, strerror(-r));
}

static void on_looked(int error, const UnitState *state, void *userdata)
{
        Question *q = userdata;
        bool is_up = error >= 0 && state->exists &&
                     (strcmp(state->active, "active") == 0 ||
                      strcmp(state->active, "activating") == 0);

        if (is_awaited(q) && is_up)
                q->answer(q->job, q->disk, 0, NULL, q->disk->capacity_bytes, state->invocation_id);
        else if (is_awaited(q))
                mount_ask(q->job, q->disk, q->answer);
        question_end(q);
}

void mount_look(Job *job, JobDisk *disk, MountAnswer answer)
{
        Question *q = question_new(job, disk, answer);
        char unit[UNIT_NAME_SIZE];
        int r = -ENOMEM;

        if (q) {
                r = units_get(job->jobs->units,
                              export_unit_name(job, disk, UNIT_MOUNT_SERVICE, unit), on_looked, q);
                if (r < 0)
                        question_end(q);
        }
        if (r < 0)
                mount_ask(job, disk, answer);
}
