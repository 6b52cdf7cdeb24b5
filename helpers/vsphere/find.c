/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The VM that a spec means (see find.h).
 */
#include "find.h"

#include "bus/bus-error.h"

#include <string.h>

bool find_is_transport(const char *text)
{
        return strcmp(text, "https") == 0 || strcmp(text, "vddk") == 0;
}

bool find_is_asked(const json_t *spec)
{
        return json_field_text(spec, "instance_uuid") || json_field_text(spec, "path");
}

bool find_reads_deltas(const json_t *spec)
{
        const char *transport = json_field_text(spec, "transport");

        return transport && strcmp(transport, "vddk") == 0;
}

int find_vm(VSphere *v, const json_t *spec, VSphereRef *ret_vm, VSphereError *error)
{
        const char *uuid = json_field_text(spec, "instance_uuid");
        const char *path = json_field_text(spec, "path");

        if (uuid)
                return inventory_find_again(v, uuid, json_field_text(spec, "vm_moref"), ret_vm,
                                            error);
        if (path)
                return inventory_find_path(v, path, ret_vm, error);
        return vsphere_error_set(error, BUS_ERROR_INVALID_ARGUMENT,
                                 "the spec names no VM: \"instance_uuid\" or \"path\" is missing");
}
