-- SPDX-License-Identifier: LGPL-2.1-or-later
--
-- How a job will end once all it did is undone: written down before anything is undone, so that a hub
-- that is killed meanwhile goes on undoing and never resumes what was given up.

ALTER TABLE backup_jobs
    ADD COLUMN IF NOT EXISTS ending ENUM('failed', 'cancelled') NULL
        COMMENT 'decided; the state follows when all is undone. NULL: goes on, or has completed'
        AFTER state,
    ADD CONSTRAINT IF NOT EXISTS backup_jobs_ending CHECK (
        ending IS NULL
        OR (state NOT IN ('releasing', 'completed')
            AND (state NOT IN ('failed', 'cancelled') OR CAST(state AS CHAR) = CAST(ending AS CHAR))));
