/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One run of sendense-image as a unit, from its task to its result: what an earlier run of the same
 * name left is ended first, so that a step can be repeated after any crash. Used by the job runner,
 * the obligations and the repositories.
 */
#pragma once

#include "names.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Units Units;

enum {
        IMAGE_RUNS = 3, /* of a verb that goes on where one that was killed has stopped */
};

typedef struct ImageTask {
        uint64_t job; /* 0: about a repository */
        uint64_t repository_id;
        const char *step; /* last part of the unit's name: "create-2000" */
        const char *verb; /* of sendense-image */
        const char *write_path; /* the one path below which it may write; NULL: nothing */
        bool as_export_user; /* works on one image, instead of the folders around it */
        bool by_lines; /* its result is many lines: told by read_output, not as one object */
        uint64_t timeout_usec; /* 0: none; a copy of terabytes takes what it takes */
        bool extends; /* asks systemd for as much again whenever it has come further */
        unsigned n_runs; /* so often in all, when it is killed before it says a word; 0 is once */
        bool (*is_wanted)(void *userdata); /* asked before each start; NULL: always */
} ImageTask;

/* result is borrowed and NULL when the run failed; name and text then say why. unit is the unit's
 * name, whose output file is there during the call. */
typedef void (*ImageRunDone)(const json_t *result, const char *unit, const char *name,
                             const char *text, void *userdata);

/* The unit that would be started. */
int image_task_unit(const ImageTask *task, char ret_unit[static UNIT_NAME_SIZE]);

/* Takes spec, on failure too. done is called exactly once, but not before image_run() has returned 0.
 * The strings of task are borrowed for the call. */
int image_run(Units *units, const ImageTask *task, json_t *spec, ImageRunDone done, void *userdata);
