-- SPDX-License-Identifier: LGPL-2.1-or-later
--
-- A backup that failed for a reason that passes by itself is tried again as a job of its own, so many times and no more.

ALTER TABLE backup_jobs
    ADD COLUMN IF NOT EXISTS retry_of BIGINT UNSIGNED NULL
        COMMENT 'the job that failed and that this one tries again; NULL: somebody asked for it',
    ADD COLUMN IF NOT EXISTS retry_number INT UNSIGNED NOT NULL DEFAULT 0
        COMMENT 'how many jobs in a row have failed before this one',
    ADD UNIQUE INDEX IF NOT EXISTS backup_jobs_retry_once (retry_of),
    ADD CONSTRAINT backup_jobs_retry_of
        FOREIGN KEY IF NOT EXISTS (retry_of) REFERENCES backup_jobs (id),
    ADD CONSTRAINT IF NOT EXISTS backup_jobs_retry CHECK ((retry_of IS NULL) = (retry_number = 0));
