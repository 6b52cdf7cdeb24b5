/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The command line of nbdkit for one disk of a snapshot, checked word by word: what comes from vCenter or a spec can
 * be a value and nothing else. Nothing secret is in it. Pure.
 */
#pragma once

#include "failure.h"
#include "nbdkit.h"

#include <jansson.h>
#include <stdint.h>

typedef struct VddkPlace {
        const char *host;
        uint16_t port;
        const char *user;
        const char *thumbprint; /* SHA-1 of the certificate, colon hex */
        const char *datastore_path;
} VddkPlace;

typedef struct VddkCommand {
        const char *program, *plugin;
        char *parameters[NBDKIT_PARAMETERS_MAX + 1]; /* NULL at the end */
} VddkCommand;

/* Checks what does not depend on the login. -EINVAL with failure set. vddk may be NULL: nbdkit's plugin "vddk", and
 * VMware's library where it is by default; else an object with any of nbdkit, plugin, libdir, transports,
 * compression, config, all text. */
int vddk_command_check(const json_t *vm, const json_t *vddk, uint32_t disk_key, Failure *failure);

/* After the check. -ENOMEM. The objects are borrowed. */
int vddk_command_make(const json_t *vm, const json_t *vddk, const VddkPlace *place,
                      VddkCommand *ret_command);
void vddk_command_done(VddkCommand *command);
