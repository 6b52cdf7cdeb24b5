-- SPDX-License-Identifier: LGPL-2.1-or-later
--
-- The marker of a repository's folder. A folder without it, or with another, is not this repository: its
-- disk is not mounted, and nothing may be written there.

ALTER TABLE backup_repositories
    ADD COLUMN IF NOT EXISTS repository_uuid CHAR(36) NULL
        COMMENT 'in the folder''s marker; NULL: not looked at yet',
    ADD UNIQUE INDEX IF NOT EXISTS backup_repositories_uuid (repository_uuid),
    ADD CONSTRAINT IF NOT EXISTS backup_repositories_uuid_form CHECK (
        repository_uuid REGEXP '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\\z');
