/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Units of jobs that are over: found and stopped, one after the other. For the sweep, which says what a stray is
 * and writes down what became of each; knows no job and no row.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Units Units;

typedef struct StrayUnits {
        /* Given by who looks for them. */
        Units *units;
        bool (*is_open)(uint64_t job, void *userdata); /* its units are its own business */
        const bool *is_going_down; /* then no further one is stopped */
        void (*say)(const char *line, void *userdata);
        void (*done)(bool are_left, void *userdata); /* some could not be looked up or stopped */
        void *userdata;

        /* The look that is under way. */
        json_t *names;
        size_t next; /* of them */
        bool are_left;
} StrayUnits;

/* Begins; done is called once, unless this fails. */
int stray_units_stop(StrayUnits *strays);

/* Forgets what is under way. */
void stray_units_done(StrayUnits *strays);
