# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2154 # the sizes, and in_hub(), are of who sources it
#
# A large catalog in the hub's machine: n_vms VMs and n_jobs completed backups. For bench/catalog and bench/api, which have in_hub().

fill() {
    # shellcheck disable=SC2016 # expanded in the machine
    in_hub '
        until busctl get-property com.sendense.Hub1 /com/sendense/Hub1 com.sendense.Hub1.Manager DatabaseState |
            grep -q ready; do sleep 0.1; done
        mariadb sendense <<X
INSERT INTO vm_replication_contexts (context_id, instance_uuid, vm_name, vm_path, created_usec)
    SELECT CONCAT("ctx-vm", seq, "-20260101-000000"),
           CONCAT("50000000-0000-0000-0000-", LPAD(seq, 12, "0")), CONCAT("vm", seq), "/DC/vm", seq
    FROM seq_1_to_$1;
INSERT INTO vm_disks (vm_context_id, disk_key, unit_number, controller, capacity_bytes)
    SELECT id, 2000, 0, "pvscsi:1000", 1073741824 FROM vm_replication_contexts;
INSERT INTO backup_jobs (vm_context_id, repository_id, backup_id, backup_type, state, principal, created_usec,
                         started_usec, finished_usec)
    SELECT v.id, 1, CONCAT("backup-vm-", s.seq), "full", "completed", "uid:0", s.seq, s.seq, s.seq
    FROM seq_1_to_$2 s JOIN vm_replication_contexts v ON v.vm_name = CONCAT("vm", 1 + s.seq % $1);
INSERT INTO backup_disks (job_id, vm_context_id, repository_id, disk_key, state, backup_type, capacity_bytes,
                          file_path, size_bytes)
    SELECT id, vm_context_id, 1, 2000, "completed", "full", 1073741824, CONCAT("x/", id), 1048576 FROM backup_jobs;
INSERT INTO job_events (event_id, job_id, at_usec, principal, to_state, reason)
    SELECT MD5(id), id, created_usec, "uid:0", "queued", "asked for" FROM backup_jobs;
ANALYZE TABLE backup_jobs, backup_disks, vm_replication_contexts, vm_disks, job_events;
X' "$n_vms" "$n_jobs"
}
