-- SPDX-License-Identifier: LGPL-2.1-or-later
--
-- Number 0 is where sendense-migrate keeps its books; it is made before all others and has no row
-- of its own. A migration is whole when statements_done = statements.

CREATE TABLE IF NOT EXISTS schema_migrations (
    number INT UNSIGNED NOT NULL
        COMMENT 'of the file, 0001 is 1',
    name VARCHAR(128) NOT NULL
        COMMENT 'of the file, without number and .sql',
    sha256 CHAR(64) NOT NULL
        COMMENT 'of the file; a released file never changes',
    statements INT UNSIGNED NOT NULL
        COMMENT 'how many the file has',
    statements_done INT UNSIGNED NOT NULL DEFAULT 0
        COMMENT 'a run that was interrupted goes on after this one',
    program_version VARCHAR(64) NOT NULL
        COMMENT 'of the sendense-migrate that began it',
    started_usec BIGINT UNSIGNED NOT NULL,
    finished_usec BIGINT UNSIGNED NULL,
    PRIMARY KEY (number),
    CONSTRAINT schema_migrations_name UNIQUE (name),
    CONSTRAINT schema_migrations_sha256 CHECK (sha256 REGEXP '^[0-9a-f]{64}\\z'),
    CONSTRAINT schema_migrations_done CHECK (statements_done <= statements),
    CONSTRAINT schema_migrations_finished
        CHECK ((finished_usec IS NOT NULL) = (statements_done = statements))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin
    COMMENT='What sendense-migrate has applied; the hub only reads it';
