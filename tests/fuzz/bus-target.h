/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The daemons that fuzz-bus.c sends messages to, and what it must know of them.
 */
#pragma once

typedef struct BusTargetMethod {
        const char *name, *arguments; /* the signature before the options */
} BusTargetMethod;

typedef struct BusTarget {
        const char *word; /* on the command line */
        const char *name, *path, *manager;
        const char *quiet; /* a method with options alone that changes nothing and needs little memory */
        const BusTargetMethod *methods;
        unsigned n_methods;
} BusTarget;

/* NULL: there is none of that word. */
const BusTarget *bus_target_find(const char *word);
