-- SPDX-License-Identifier: LGPL-2.1-or-later
--
-- A restore into the VM that is there exchanges its disks: it is alone with the VM, as what writes into its chains is, and no layer from
-- before it may be built upon afterwards.

ALTER TABLE backup_jobs
    DROP INDEX IF EXISTS backup_jobs_one_active,
    DROP COLUMN IF EXISTS active_vm_context_id;

ALTER TABLE backup_jobs
    ADD COLUMN IF NOT EXISTS changes_vm BOOLEAN NOT NULL DEFAULT 0
        COMMENT '1: exchanges the disks of its VM, or may have: what was backed up before it is no parent of what comes after',
    ADD COLUMN IF NOT EXISTS active_vm_context_id BIGINT UNSIGNED
        GENERATED ALWAYS AS (
            CASE WHEN state IN ('completed', 'failed', 'cancelled') OR (job_type NOT IN ('backup', 'delete') AND NOT changes_vm) THEN NULL
                 ELSE vm_context_id END) VIRTUAL
        COMMENT 'the VM while the job is open and writes into its chains, or into itself: one such job for each VM',
    ADD UNIQUE INDEX IF NOT EXISTS backup_jobs_one_active (active_vm_context_id),
    ADD CONSTRAINT IF NOT EXISTS backup_jobs_changes CHECK (changes_vm IN (0, 1) AND (changes_vm = 0 OR job_type = 'restore'));
