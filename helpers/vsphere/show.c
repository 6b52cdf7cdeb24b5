/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The JSON of VMs and disks (see show.h).
 */
#include "show.h"

json_t *show_disk(const VSphereDisk *disk, const char *datacenter)
{
        json_t *object;

        object = json_pack("{s:I, s:s, s:s, s:I, s:I, s:s, s:s, s:s, s:s, s:s, s:b, s:s}",
                           "disk_key", (json_int_t) disk->key, "label", disk->label, "controller",
                           disk->controller, "unit_number", (json_int_t) disk->unit_number,
                           "capacity_bytes", (json_int_t) disk->capacity_bytes, "backing_uuid",
                           disk->backing_uuid, "datastore_path", disk->file_name, "datacenter",
                           datacenter, "mode", disk->mode, "backing_kind", disk->backing_kind,
                           "has_parent", disk->has_parent, "verdict",
                           disk_verdict_to_string(disk->verdict));
        if (*disk->change_id)
                (void) json_object_set_new(object, "change_id", json_string(disk->change_id));
        if (disk->reason)
                (void) json_object_set_new(object, "reason", json_string(disk->reason));
        return object;
}

static json_t *show_snapshots(const VSphereVm *vm)
{
        json_t *list = json_array();

        for (size_t i = 0; i < vm->n_snapshots; i++)
                (void) json_array_append_new(list, json_pack("{s:s, s:s, s:b}", "moref",
                                                             vm->snapshots[i].ref.value, "name",
                                                             vm->snapshots[i].name, "quiesced",
                                                             vm->snapshots[i].is_quiesced));
        return list;
}

json_t *show_vm(const VSphereVm *vm)
{
        json_t *disks = json_array(), *object;

        for (size_t i = 0; i < vm->disks.n_disks; i++)
                (void) json_array_append_new(disks, show_disk(&vm->disks.disks[i], vm->datacenter));
        object = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:b, s:b, s:s, s:s, "
                           "s:o, s:o}",
                           "moref", vm->ref.value, "name", vm->name, "path", vm->path,
                           "instance_uuid", vm->instance_uuid, "bios_uuid", vm->bios_uuid,
                           "power_state", vm->power_state, "connection_state", vm->connection_state,
                           "firmware", vm->firmware, "template", vm->is_template, "cbt_enabled",
                           vm->cbt_enabled, "cbt_supported", vm->cbt_supported,
                           "consolidation_needed", vm->consolidation_needed, "host", vm->host.value,
                           "datacenter", vm->datacenter, "snapshots", show_snapshots(vm), "disks",
                           disks);
        if (vm->unusable)
                (void) json_object_set_new(object, "unusable", json_string(vm->unusable));
        return object;
}
