-- SPDX-License-Identifier: LGPL-2.1-or-later
--
-- How a node comes and goes. It waits with the public half of a one-time token, is enrolled with a key of its own,
-- and stays as a row when it is removed, because finished jobs name it; its name and port are then free for others.

ALTER TABLE nodes
    ADD COLUMN IF NOT EXISTS is_local TINYINT(1) NOT NULL DEFAULT 0
        COMMENT '1: on the machine of the hub, reached without a tunnel',
    ADD COLUMN IF NOT EXISTS token_key VARCHAR(512) NULL
        COMMENT 'SSH key that is the one-time token, its public half; NULL: none was made',
    ADD COLUMN IF NOT EXISTS token_expires_usec BIGINT UNSIGNED NULL,
    ADD COLUMN IF NOT EXISTS token_used_usec BIGINT UNSIGNED NULL
        COMMENT 'NULL: open. Until it expires, its user may ask for the same answer again',
    ADD COLUMN IF NOT EXISTS enrolled_usec BIGINT UNSIGNED NULL
        COMMENT 'when it got the key it has; NULL: waits',
    ADD COLUMN IF NOT EXISTS removed_usec BIGINT UNSIGNED NULL
        COMMENT 'kept, so that history can name it',
    ADD COLUMN IF NOT EXISTS live_name VARCHAR(64)
        GENERATED ALWAYS AS (CASE WHEN removed_usec IS NULL THEN name ELSE NULL END) VIRTUAL
        COMMENT 'the name until it is removed',
    ADD COLUMN IF NOT EXISTS live_port SMALLINT UNSIGNED
        GENERATED ALWAYS AS (CASE WHEN removed_usec IS NULL THEN reverse_port ELSE NULL END) VIRTUAL
        COMMENT 'the port until it is removed',
    DROP INDEX IF EXISTS nodes_name,
    DROP INDEX IF EXISTS nodes_reverse_port,
    ADD UNIQUE INDEX IF NOT EXISTS nodes_live_name (live_name),
    ADD UNIQUE INDEX IF NOT EXISTS nodes_live_port (live_port),
    ADD UNIQUE INDEX IF NOT EXISTS nodes_token_key (token_key),
    ADD CONSTRAINT IF NOT EXISTS nodes_token CHECK (
        (token_key IS NULL) = (token_expires_usec IS NULL)
        AND (token_used_usec IS NULL OR token_key IS NOT NULL)),
    ADD CONSTRAINT IF NOT EXISTS nodes_two_keys CHECK (token_key <> public_key),
    ADD CONSTRAINT IF NOT EXISTS nodes_local CHECK (
        is_local IN (0, 1) AND (is_local = 0 OR (public_key IS NULL AND token_key IS NULL))),
    ADD CONSTRAINT IF NOT EXISTS nodes_enrolled CHECK (
        enrolled_usec IS NULL OR removed_usec IS NOT NULL
        OR (token_sealed IS NOT NULL AND (is_local = 1 OR public_key IS NOT NULL))),
    ADD CONSTRAINT IF NOT EXISTS nodes_removed CHECK (
        removed_usec IS NULL OR (public_key IS NULL AND token_sealed IS NULL AND token_key IS NULL));
