/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The methods of com.sendense.Hub1.Manager, a file for each subject. Only bus-manager.c, whose table
 * lists them, sees this.
 */
#pragma once

#include <systemd/sd-bus.h>

#define BUS_METHOD(name) int name(sd_bus_message *call, void *userdata, sd_bus_error *error)

/* bus-status.c */
BUS_METHOD(method_get_status);
BUS_METHOD(method_probe_database);
BUS_METHOD(method_set_log_level);

/* bus-repository.c */
BUS_METHOD(method_add_repository);
BUS_METHOD(method_list_repositories);
BUS_METHOD(method_remove_repository);
BUS_METHOD(method_check_repository);
BUS_METHOD(method_scan_repository);

/* bus-node.c */
BUS_METHOD(method_add_node);
BUS_METHOD(method_rotate_node);
BUS_METHOD(method_remove_node);
BUS_METHOD(method_list_nodes);
BUS_METHOD(method_get_node);

/* bus-enrol.c */
BUS_METHOD(method_enrol_node);

/* bus-vcenter.c */
BUS_METHOD(method_list_vcenters);
BUS_METHOD(method_get_vcenter);
BUS_METHOD(method_test_vcenter);
BUS_METHOD(method_show_certificate);
BUS_METHOD(method_remove_vcenter);

/* bus-vcenter-login.c */
BUS_METHOD(method_add_vcenter);
BUS_METHOD(method_rotate_vcenter);

/* bus-discover.c */
BUS_METHOD(method_discover_vms);

/* bus-token.c */
BUS_METHOD(method_create_token);
BUS_METHOD(method_list_tokens);
BUS_METHOD(method_revoke_token);

/* bus-session.c */
BUS_METHOD(method_authenticate);

/* bus-vm.c */
BUS_METHOD(method_set_vm);
BUS_METHOD(method_list_vms);
BUS_METHOD(method_get_vm);

/* bus-backup.c */
BUS_METHOD(method_start_backup);
BUS_METHOD(method_list_backups);
BUS_METHOD(method_list_jobs);
BUS_METHOD(method_get_job);
BUS_METHOD(method_cancel_job);

/* bus-mount.c */
BUS_METHOD(method_mount_backup);
BUS_METHOD(method_unmount_backup);
BUS_METHOD(method_list_mounts);
/* bus-restore.c */
BUS_METHOD(method_restore_disk);

/* bus-files.c */
BUS_METHOD(method_list_files);
BUS_METHOD(method_get_files);

/* bus-restore-vm.c */
BUS_METHOD(method_restore_vm);

/* bus-verify.c */
BUS_METHOD(method_verify_backup);
BUS_METHOD(method_verify_all);

/* bus-policy.c */
BUS_METHOD(method_set_policy);
BUS_METHOD(method_remove_policy);
BUS_METHOD(method_run_policy);

/* bus-policy-show.c */
BUS_METHOD(method_list_policies);
BUS_METHOD(method_get_policy);
BUS_METHOD(method_prune);

/* bus-figures.c */
BUS_METHOD(method_get_figures);

/* bus-backup-show.c */
BUS_METHOD(method_get_backup);
BUS_METHOD(method_delete_backup);
BUS_METHOD(method_get_chain);

/* bus-upkeep.c */
BUS_METHOD(method_list_ports);
BUS_METHOD(method_list_obligations);
BUS_METHOD(method_forgive_obligation);
BUS_METHOD(method_cleanup);
BUS_METHOD(method_diagnose);
