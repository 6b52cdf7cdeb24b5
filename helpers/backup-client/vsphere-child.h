/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs sendense-vsphere for one verb: a spec goes in, its result comes out. For the verb migrate, which does
 * by itself what sendense-node does with units.
 */
#pragma once

#include "failure.h"

#include <jansson.h>

typedef struct VsphereChild {
        const char *program;
        const char *password_file; /* NULL: it has the credential */
        int signal_fd; /* readable: it is asked to end; -1: it is left alone */
} VsphereChild;

/* *ret_result is the caller's reference. Otherwise failure is set, with the name and the words of
 * sendense-vsphere. */
int vsphere_child_run(const VsphereChild *child, const char *verb, const json_t *spec,
                      json_t **ret_result, Failure *failure);
