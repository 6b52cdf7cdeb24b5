/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which VM a spec means, and how its disks will be read. The instance UUID counts when there is one; a path is
 * for people.
 */
#pragma once

#include "json-fields.h"
#include "vsphere/inventory.h"

#include <jansson.h>

bool find_is_transport(const char *text);

#define FIND_FIELDS(is_optional)                                                                  \
        { .key = "instance_uuid",                                                                 \
          .kind = JSON_FIELD_TEXT,                                                                \
          .optional = true,                                                                       \
          .min = 1,                                                                               \
          .max = 64 },                                                                            \
                        { .key = "path",                                                          \
                          .kind = JSON_FIELD_TEXT,                                                \
                          .optional = true,                                                       \
                          .min = 1,                                                               \
                          .max = VM_PATH_MAX },                                                   \
        {                                                                                         \
                .key = "transport", .kind = JSON_FIELD_TEXT, .optional = (is_optional), .min = 1, \
                .max = 16, .is_valid = find_is_transport, .must = "must be https or vddk"         \
        }

bool find_is_asked(const json_t *spec);

/* "transport" is vddk; https, which is the default, understands only whole files. */
bool find_reads_deltas(const json_t *spec);

/* With "vm_moref", where a spec has it, as inventory_find_again(). */
int find_vm(VSphere *v, const json_t *spec, VSphereRef *ret_vm, VSphereError *error);
