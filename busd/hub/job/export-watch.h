/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Exports that run: who answers there, whether they still do, and their end. Used by the steps of a job.
 */
#pragma once

#include "job/job.h"

/* The names of a job's units. The buffer is returned. */
const char *export_unit_name(const Job *job, const JobDisk *disk, UnitKind kind,
                             char ret_unit[static UNIT_NAME_SIZE]);
const char *copy_unit_name(const Job *job, char ret_unit[static UNIT_NAME_SIZE]);

/* Asks the export for size and instance, and systemd for its process; then the disk has invocation_id
 * and process_id. Anything else than what the row says fails the job. One that does not answer is asked again for as long as a probe would
 * let it. */
void export_ask_instance(Job *job, JobDisk *disk, void (*then)(Job *job, JobDisk *disk));

/* Asks again what is due. */
void export_ask_tick(Job *job, uint64_t now_usec);

/* 0 when nobody holds the port on 127.0.0.1, which a bind proves; else the errno of it. */
int export_port_is_free(uint16_t port);

/* Stops sockets and services of all disks, and copy before them; then when none of them runs and every
 * port can be bound again. Fails the job, or repeats the undoing of one that ends. */
void export_stop_all(Job *job, void (*then)(Job *job));
