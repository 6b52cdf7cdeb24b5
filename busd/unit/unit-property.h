/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a transient unit is asked of systemd, put together as a value, which unit_job_create() sends:
 *   {"unit": name, "properties": [[name, D-Bus signature, value], …]}
 * The daemons' rooms for their kinds of units call it. Pure. All return 0, -EINVAL for what cannot be
 * said, or -ENOMEM.
 */
#pragma once

#include "names.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

int unit_spec_new(const UnitName *name, json_t **ret_spec);

/* Appends [name, signature, value]; takes value. NULL is what cannot be said: no path, no UTF-8. */
int unit_property(json_t *spec, const char *name, const char *signature, json_t *value);

int unit_property_description(json_t *spec, const char *format, ...)
                __attribute__((format(printf, 2, 3)));

/* What ties a unit to its job, and its journal lines; a disk_key of 0 is none. */
int unit_property_job(json_t *spec, UnitKind kind, uint64_t job, uint32_t disk_key);

/* ExecStart: a program, and its one argument or NULL. */
int unit_property_command(json_t *spec, const char *program, const char *argument);

/* Its task and its result. */
int unit_property_files(json_t *spec, const char *in_path, const char *out_path);

/* Absolute, and without what systemd 252 does not bring back from the file it writes of a call. */
bool unit_path_is_sound(const char *path);

/* A path as JSON; NULL when it is not sound. */
json_t *unit_property_path(const char *path);
