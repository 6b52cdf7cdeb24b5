/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of the Manager object (see bus-manager.h): every method and property with the function
 * behind it. A handler reads, validates and asks for permission; the act behind it answers. All methods
 * carry the UNPRIVILEGED flag, because sd-bus's own check of capabilities would block the loop and
 * authorise.c is the check.
 */
#include "bus/bus-manager.h"

#include "bus/bus-methods.h"
#include "bus/bus-status.h"
#include "log.h"
#include "manager.h"
#include "names.h"

static const sd_bus_vtable manager_vtable[] = {
        SD_BUS_VTABLE_START(0),

        SD_BUS_PROPERTY("Version", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Commit", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("BuildId", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("StartedUSec", "t", get_started, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("State", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("DatabaseState", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("DatabaseError", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("DatabaseSchema", "u", get_database_schema, 0,
                        SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("ProgramSchema", "u", get_program_schema, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("ExportPorts", "(qq)", get_export_ports, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Jobs", "u", get_jobs, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Obligations", "u", get_obligations, 0,
                        SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Dispatches", "t", get_dispatch, 0, 0),
        SD_BUS_PROPERTY("DispatchP999USec", "t", get_dispatch, 0, 0),
        SD_BUS_PROPERTY("DispatchMaxUSec", "t", get_dispatch, 0, 0),
        SD_BUS_PROPERTY("LogLevel", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),

        SD_BUS_METHOD_WITH_ARGS("GetStatus", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("a{sv}", status), method_get_status,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetFigures", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("a{sv}", figures), method_get_figures,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ProbeDatabase", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("s", state), method_probe_database,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SetLogLevel", SD_BUS_ARGS("s", level, "a{sv}", options),
                                SD_BUS_NO_RESULT, method_set_log_level, SD_BUS_VTABLE_UNPRIVILEGED),

        SD_BUS_METHOD_WITH_ARGS(
                        "AddRepository", SD_BUS_ARGS("s", name, "s", path, "a{sv}", options),
                        SD_BUS_RESULT("t", id), method_add_repository, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListRepositories", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("aa{sv}", repositories), method_list_repositories,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RemoveRepository", SD_BUS_ARGS("s", repository, "a{sv}", options),
                                SD_BUS_NO_RESULT, method_remove_repository,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("CheckRepository", SD_BUS_ARGS("s", repository, "a{sv}", options),
                                SD_BUS_RESULT("a{sv}", health), method_check_repository,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ScanRepository", SD_BUS_ARGS("s", repository, "a{sv}", options),
                                SD_BUS_RESULT("a{sv}", result), method_scan_repository,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("AddNode", SD_BUS_ARGS("s", name, "s", token_key, "a{sv}", options),
                                SD_BUS_RESULT("o", node), method_add_node,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RotateNode",
                                SD_BUS_ARGS("s", node, "s", token_key, "a{sv}", options),
                                SD_BUS_NO_RESULT, method_rotate_node, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RemoveNode", SD_BUS_ARGS("s", node, "a{sv}", options),
                                SD_BUS_NO_RESULT, method_remove_node, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListNodes", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("aa{sv}", nodes), method_list_nodes,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetNode", SD_BUS_ARGS("s", node, "a{sv}", options),
                                SD_BUS_RESULT("a{sv}", details), method_get_node,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("EnrolNode",
                                SD_BUS_ARGS("s", token_key, "s", public_key, "a{sv}", options),
                                SD_BUS_RESULT("s", name, "q", reverse_port, "s", ports, "s",
                                              api_token_sha256),
                                method_enrol_node, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("AddVcenter",
                                SD_BUS_ARGS("s", name, "s", host, "h", password, "a{sv}", options),
                                SD_BUS_RESULT("t", id), method_add_vcenter,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListVcenters", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("aa{sv}", vcenters), method_list_vcenters,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetVcenter", SD_BUS_ARGS("s", vcenter, "a{sv}", options),
                                SD_BUS_RESULT("a{sv}", details), method_get_vcenter,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS(
                        "RotateVcenter", SD_BUS_ARGS("s", vcenter, "h", password, "a{sv}", options),
                        SD_BUS_NO_RESULT, method_rotate_vcenter, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RemoveVcenter", SD_BUS_ARGS("s", vcenter, "a{sv}", options),
                                SD_BUS_NO_RESULT, method_remove_vcenter,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("TestVcenter", SD_BUS_ARGS("s", vcenter, "a{sv}", options),
                                SD_BUS_RESULT("a{sv}", about), method_test_vcenter,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ShowCertificate", SD_BUS_ARGS("s", host, "a{sv}", options),
                                SD_BUS_RESULT("a{sv}", certificate), method_show_certificate,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("DiscoverVms", SD_BUS_ARGS("s", vcenter, "a{sv}", options),
                                SD_BUS_RESULT("aa{sv}", vms), method_discover_vms,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS(
                        "CreateToken",
                        SD_BUS_ARGS("s", name, "s", sha256_hex, "as", roles, "a{sv}", options),
                        SD_BUS_RESULT("t", id), method_create_token, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListTokens", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("aa{sv}", tokens), method_list_tokens,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RevokeToken", SD_BUS_ARGS("s", token, "a{sv}", options),
                                SD_BUS_NO_RESULT, method_revoke_token, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Authenticate", SD_BUS_ARGS("h", credential, "a{sv}", options),
                                SD_BUS_RESULT("s", session), method_authenticate,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SetVm",
                                SD_BUS_ARGS("s", instance_uuid, "s", name, "s", path, "aa{sv}",
                                            disks, "a{sv}", options),
                                SD_BUS_RESULT("s", context_id), method_set_vm,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListVms", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("aa{sv}", vms), method_list_vms,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetVm", SD_BUS_ARGS("s", vm, "a{sv}", options),
                                SD_BUS_RESULT("a{sv}", details), method_get_vm,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("StartBackup", SD_BUS_ARGS("s", vm, "a{sv}", options),
                                SD_BUS_RESULT("o", job), method_start_backup,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListBackups", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("aa{sv}", backups), method_list_backups,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetBackup", SD_BUS_ARGS("s", backup_id, "a{sv}", options),
                                SD_BUS_RESULT("a{sv}", backup), method_get_backup,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("MountBackup", SD_BUS_ARGS("s", backup_id, "a{sv}", options),
                                SD_BUS_RESULT("o", job), method_mount_backup,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("UnmountBackup", SD_BUS_ARGS("t", job, "a{sv}", options),
                                SD_BUS_NO_RESULT, method_unmount_backup,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListMounts", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("aa{sv}", mounts), method_list_mounts,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RestoreDisk",
                                SD_BUS_ARGS("s", backup_id, "u", disk_key, "a{sv}", target, "a{sv}",
                                            options),
                                SD_BUS_RESULT("o", job), method_restore_disk,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("VerifyBackup", SD_BUS_ARGS("s", backup_id, "a{sv}", options),
                                SD_BUS_RESULT("o", job), method_verify_backup,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("VerifyAll", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("ao", jobs), method_verify_all,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("DeleteBackup", SD_BUS_ARGS("s", backup_id, "a{sv}", options),
                                SD_BUS_RESULT("o", job), method_delete_backup,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetChain", SD_BUS_ARGS("s", vm, "a{sv}", options),
                                SD_BUS_RESULT("aa{sv}", layers), method_get_chain,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListJobs", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("aa{sv}", jobs), method_list_jobs,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetJob", SD_BUS_ARGS("t", id, "a{sv}", options),
                                SD_BUS_RESULT("a{sv}", job), method_get_job,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("CancelJob", SD_BUS_ARGS("t", id, "a{sv}", options),
                                SD_BUS_NO_RESULT, method_cancel_job, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListPorts", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("aa{sv}", ports), method_list_ports,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListObligations", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("aa{sv}", obligations), method_list_obligations,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ForgiveObligation", SD_BUS_ARGS("t", id, "a{sv}", options),
                                SD_BUS_NO_RESULT, method_forgive_obligation,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Cleanup", SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("as", done),
                                method_cleanup, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Diagnose", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("aa{sv}", checks), method_diagnose,
                                SD_BUS_VTABLE_UNPRIVILEGED),

        SD_BUS_SIGNAL_WITH_ARGS("JobNew", SD_BUS_ARGS("t", id, "o", job), 0),
        SD_BUS_SIGNAL_WITH_ARGS("JobRemoved", SD_BUS_ARGS("t", id, "o", job, "s", result), 0),

        SD_BUS_VTABLE_END,
};

int bus_manager_register(Manager *manager)
{
        int r;

        r = sd_bus_add_object_vtable(manager->bus, NULL, HUB_BUS_PATH, HUB_MANAGER_INTERFACE,
                                     manager_vtable, manager);
        return r < 0 ? r : sd_bus_add_object_manager(manager->bus, NULL, HUB_BUS_PATH);
}

void bus_manager_emit_changed(Manager *manager, const char *property)
{
        int r;

        if (!manager->has_name)
                return; /* nobody can have read the old value */
        r = sd_bus_emit_properties_changed(manager->bus, HUB_BUS_PATH, HUB_MANAGER_INTERFACE,
                                           property, NULL);
        if (r < 0)
                (void) log_warning(r, "Cannot announce the change of %s: %m", property);
}
