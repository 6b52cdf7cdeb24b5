/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the routes about a backup share: the question for it, the disks that a call names, and the job that it begins and answers.
 */
#pragma once

#include "hub-task.h"
#include "json-fields.h"

/* A route whose body says what is to be done with the backup of its path. */
typedef struct BegunRoute {
        const char *method; /* of the bus */
        /* Why the body is refused, else NULL and the caller's reference. */
        const char *(*read_body)(HttpRequest *request, json_t **ret_body,
                                 char error[static JSON_FIELDS_ERROR_SIZE]);
        int (*append)(sd_bus_message *call, const char *backup_id, const json_t *body);
} BegunRoute;

/* The header Idempotency-Key, borrowed, or NULL in *ret_key; else why it is refused. */
const char *begun_key(HttpRequest *request, const char **ret_key);

/* For what has no key: refuses a request that has one, rather than do it twice where once was meant. Says what to do instead. */
bool begun_refuse_key(HubTask *task, const char *instead);

/* Reads the body and the key, calls, and answers with the job. */
void begun_call(HubTask *task, const BegunRoute *route);

/* Asks the hub for a backup. */
void begun_ask_backup(HubTask *task, const char *id, HubReply reply);

/* The option disks (au) of a call; nothing for NULL. */
int begun_append_disks(sd_bus_message *call, const json_t *disks);

/* The number of the job whose object the reply is; -EBADMSG. */
int begun_read(sd_bus_message *reply, uint64_t *ret_job);

/* For hub_call_send(): 202, the job, and where it is to be seen. */
void begun_answer(HubTask *task, sd_bus_message *reply, const sd_bus_error *error);
