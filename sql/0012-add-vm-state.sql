-- SPDX-License-Identifier: LGPL-2.1-or-later
--
-- What the VM was at the snapshot of a backup, from the node, until the commit record has it: a restore builds the VM of it.

ALTER TABLE backup_jobs
    ADD COLUMN IF NOT EXISTS vm_state LONGTEXT NULL
        COMMENT 'hardware of the VM and whether its guest was quiesced, as JSON; NULL: not known',
    ADD CONSTRAINT IF NOT EXISTS backup_jobs_vm_state CHECK (vm_state IS NULL OR (job_type = 'backup' AND JSON_VALID(vm_state)));
