/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The command line of the verb migrate, and the words that once were on it.
 */
#pragma once

#include "nbd-targets.h"

#include <jansson.h>

typedef struct MigrateOptions {
        const char *path; /* of the VM in the inventory */
        const char *job; /* letters, digits, '.', '_', '-' */
        const char *password_file; /* NULL: the credential "vcenter" */
        const char *transport; /* "https" or "vddk" */
        const char *quiesce; /* "auto", "required", "no" */
        const char *vddk_plugin, *vddk_libdir; /* NULL: nbdkit's and VMware's own places */
        const char *vsphere_program;
        NbdTargets targets;
        json_t *vcenter; /* as specs have it */
} MigrateOptions;

/* 1: go on; 0: done, it has printed; -EINVAL: wrong usage, said so on stderr. */
int migrate_options_parse(int argc, char *argv[], MigrateOptions *ret_options);
void migrate_options_done(MigrateOptions *options);
