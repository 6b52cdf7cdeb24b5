/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tickets (see ticket.h): a counted pointer to the job, and the generation in which it was asked.
 */
#include "job/ticket.h"

#include "cleanup.h"
#include "job/job.h"

#include <errno.h>

struct Ticket {
        Job *job;
        JobDisk *disk;
        unsigned generation;
        JobThen then;
        JobResult then_result;
};

static int make(Job *job, JobDisk *disk, JobThen then, JobResult then_result, Ticket **ret_ticket)
{
        Ticket *ticket = malloc(sizeof(Ticket));

        if (!ticket)
                return -ENOMEM;
        *ticket = (Ticket){
                .job = job,
                .disk = disk,
                .generation = job->generation,
                .then = then,
                .then_result = then_result,
        };
        job->n_tickets++;
        *ret_ticket = ticket;
        return 0;
}

int ticket_new(Job *job, JobDisk *disk, JobThen then, Ticket **ret_ticket)
{
        return make(job, disk, then, NULL, ret_ticket);
}

int ticket_new_result(Job *job, JobDisk *disk, JobResult then, Ticket **ret_ticket)
{
        return make(job, disk, NULL, then, ret_ticket);
}

void ticket_discard(Ticket *ticket)
{
        Job *job = ticket->job;

        free(ticket);
        job_ticket_done(job);
}

bool ticket_is_awaited(void *userdata)
{
        const Ticket *ticket = userdata;

        return !ticket->job->is_removed && ticket->generation == ticket->job->generation;
}

void ticket_done(int error, const char *text, void *userdata)
{
        Ticket *ticket = userdata;

        if (ticket_is_awaited(ticket) && ticket->then)
                ticket->then(ticket->job, ticket->disk, error, text);
        ticket_discard(ticket);
}

void ticket_image_done(const json_t *result, const char *unit, const char *name, const char *text,
                       void *userdata)
{
        Ticket *ticket = userdata;

        (void) unit;
        if (ticket_is_awaited(ticket) && ticket->then_result)
                ticket->then_result(ticket->job, ticket->disk, result, name, text);
        ticket_discard(ticket);
}
