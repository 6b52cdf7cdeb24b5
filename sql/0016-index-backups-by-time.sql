-- SPDX-License-Identifier: LGPL-2.1-or-later
--
-- Which backup is the newest is a question of its time: what a repository's scan has adopted has new numbers and old times. Lists of backups,
-- and the last one of a VM, are read in this order. The first has all that such a page is chosen by, so that no row of another is read for it; the
-- second also serves the foreign key that backup_jobs_context was for.

ALTER TABLE backup_jobs
    ADD INDEX IF NOT EXISTS backup_jobs_newest (job_type, state, deleted_usec, created_usec, id, vm_context_id, repository_id),
    ADD INDEX IF NOT EXISTS backup_jobs_of_vm (vm_context_id, created_usec),
    DROP INDEX IF EXISTS backup_jobs_context;
