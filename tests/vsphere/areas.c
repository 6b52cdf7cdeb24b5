/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asks lib/vsphere for the changed areas of a disk, as the copier does. Reads {"vcenter", "vm", "snapshot",
 * "disk_key", "capacity", "change_id", "change_id_now"?} and prints {"outcome", "reason"|"areas"…} or the error.
 */
#include "cleanup.h"
#include "vsphere/cbt.h"
#include "vsphere/login-spec.h"

#include <stdio.h>
#include <string.h>

static json_t *show(int r, const VSphereAreas *areas, const VSphereError *error)
{
        json_t *list = json_array();

        for (size_t i = 0; i < areas->n_areas; i++)
                (void) json_array_append_new(list, json_pack("[I, I]",
                                                             (json_int_t) areas->areas[i].offset,
                                                             (json_int_t) areas->areas[i].length));
        if (r < 0)
                return json_pack("{s:s, s:s, s:s, s:o}", "outcome", "failed", "error_name",
                                 error->name, "error_text", error->text, "areas", list);
        return json_pack("{s:s, s:s, s:I, s:I, s:o}", "outcome", r > 0 ? "whole" : "areas",
                         "reason", areas->reason, "bytes", (json_int_t) areas->bytes, "pages",
                         (json_int_t) areas->n_pages, "areas", list);
}

static int ask(const json_t *spec, VSphereAreas *areas, VSphereError *error)
{
        CLEANUP(login_spec_done) LoginSpec login = {};
        CLEANUP(vsphere_close_p) VSphere *v = NULL;
        VSphereRef vm = { .type = "VirtualMachine" },
                   snapshot = { .type = "VirtualMachineSnapshot" };
        const VSphereAreasRequest request = {
                .vm = &vm,
                .snapshot = &snapshot,
                .disk_key = (uint32_t) json_integer_value(json_object_get(spec, "disk_key")),
                .capacity = (uint64_t) json_integer_value(json_object_get(spec, "capacity")),
                .change_id = json_string_value(json_object_get(spec, "change_id")),
                .change_id_now = json_string_value(json_object_get(spec, "change_id_now")),
        };
        int r;

        (void) snprintf(vm.value, sizeof(vm.value), "%s",
                        json_string_value(json_object_get(spec, "vm")));
        (void) snprintf(snapshot.value, sizeof(snapshot.value), "%s",
                        json_string_value(json_object_get(spec, "snapshot")));
        r = login_spec_read(json_object_get(spec, "vcenter"), NULL, &login, error);
        if (r >= 0)
                r = vsphere_open(&login.login, &v, error);
        return r < 0 ? r : vsphere_changed_areas(v, &request, areas, error);
}

int main(void)
{
        CLEANUP(areas_done) VSphereAreas areas = {};
        VSphereError error = {};
        json_t *spec = json_loadf(stdin, 0, NULL), *result;
        int r;

        if (!spec)
                return EXIT_FAILURE;
        r = ask(spec, &areas, &error);
        result = show(r, &areas, &error);
        (void) json_dumpf(result, stdout, JSON_COMPACT);
        (void) putchar('\n');
        json_decref(result);
        json_decref(spec);
        return EXIT_SUCCESS;
}
