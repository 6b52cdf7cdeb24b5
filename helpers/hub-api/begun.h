/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the routes that begin jobs about a backup share: the disks that a call names, and the job that it answers.
 */
#pragma once

#include "hub-task.h"

/* The option disks (au) of a call; nothing for NULL. */
int begun_append_disks(sd_bus_message *call, const json_t *disks);

/* The number of the job whose object the reply is; -EBADMSG. */
int begun_read(sd_bus_message *reply, uint64_t *ret_job);

/* For hub_call_send(): 202, the job, and where it is to be seen. */
void begun_answer(HubTask *task, sd_bus_message *reply, const sd_bus_error *error);
