/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The file of "vm set": what a VM is, as JSON. Unknown, missing and wrong keys are named. What the
 * values mean is the hub's business.
 */
#pragma once

#include "ctl.h"

#include <jansson.h>

/* Reads path, "-" for standard input. Every key that has to be there is, and of its type. Complains. */
ExitStatus vm_file_read(const char *path, json_t **ret_vm);
