-- SPDX-License-Identifier: LGPL-2.1-or-later
--
-- Jobs about a backup that is there: verify, restore, delete, mount, files. They read what is sealed, so that they may run beside a
-- backup of the same VM; a deletion changes it, and is alone.

ALTER TABLE backup_jobs
    MODIFY COLUMN job_type ENUM('backup', 'restore', 'delete', 'verify', 'mount', 'files') NOT NULL DEFAULT 'backup',
    DROP INDEX IF EXISTS backup_jobs_one_active,
    DROP COLUMN IF EXISTS active_vm_context_id;

ALTER TABLE backup_jobs
    ADD COLUMN IF NOT EXISTS active_vm_context_id BIGINT UNSIGNED
        GENERATED ALWAYS AS (
            CASE WHEN state IN ('completed', 'failed', 'cancelled') OR job_type NOT IN ('backup', 'delete') THEN NULL
                 ELSE vm_context_id END) VIRTUAL
        COMMENT 'the VM while the job is open and writes into its chains: one such job for each VM',
    ADD COLUMN IF NOT EXISTS work LONGTEXT NULL
        COMMENT 'what was asked, as JSON, without secrets; NULL: a backup',
    ADD COLUMN IF NOT EXISTS work_result LONGTEXT NULL
        COMMENT 'what came of it, as JSON',
    ADD COLUMN IF NOT EXISTS deleted_usec BIGINT UNSIGNED NULL
        COMMENT 'when the backup was deleted; the row stays as history. NULL: it is there',
    ADD UNIQUE INDEX IF NOT EXISTS backup_jobs_one_active (active_vm_context_id),
    ADD CONSTRAINT IF NOT EXISTS backup_jobs_work CHECK ((job_type = 'backup') = (work IS NULL)
        AND (work IS NULL OR JSON_VALID(work)) AND (work_result IS NULL OR (work IS NOT NULL AND JSON_VALID(work_result)))),
    ADD CONSTRAINT IF NOT EXISTS backup_jobs_deleted CHECK (deleted_usec IS NULL OR (job_type = 'backup' AND state = 'completed'));

ALTER TABLE backup_disks
    ADD COLUMN IF NOT EXISTS verified_usec BIGINT UNSIGNED NULL
        COMMENT 'when the layer was last read back and was what its digests say',
    ADD COLUMN IF NOT EXISTS damaged_usec BIGINT UNSIGNED NULL
        COMMENT 'since when it is known not to be; NULL: nothing is known against it',
    ADD COLUMN IF NOT EXISTS damage_text VARCHAR(2048) NULL
        COMMENT 'what was found',
    ADD CONSTRAINT IF NOT EXISTS backup_disks_damage CHECK ((damaged_usec IS NULL) = (damage_text IS NULL));
