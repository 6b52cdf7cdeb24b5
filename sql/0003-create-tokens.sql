-- SPDX-License-Identifier: LGPL-2.1-or-later
--
-- Who may use the HTTP API. A token is 256 random bits that its owner made; only their SHA-256 comes
-- here, and needs no salt, because there is nothing to guess.

CREATE TABLE IF NOT EXISTS api_tokens (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    name VARCHAR(64) NOT NULL
        COMMENT 'the principal in events and journal',
    token_sha256 BINARY(32) NOT NULL,
    roles SET('inspect', 'backup', 'restore', 'delete', 'manage') NOT NULL
        COMMENT 'the polkit actions com.sendense.hub.* that it stands for',
    created_by VARCHAR(255) NOT NULL
        COMMENT 'principal',
    created_usec BIGINT UNSIGNED NOT NULL,
    expires_usec BIGINT UNSIGNED NULL
        COMMENT 'NULL: never',
    revoked_usec BIGINT UNSIGNED NULL
        COMMENT 'kept, so that history can name it',
    PRIMARY KEY (id),
    CONSTRAINT api_tokens_name UNIQUE (name),
    CONSTRAINT api_tokens_token UNIQUE (token_sha256),
    CONSTRAINT api_tokens_roles CHECK (roles <> '')
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin
    COMMENT='Tokens of the HTTP API, as hashes';
