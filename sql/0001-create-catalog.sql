-- SPDX-License-Identifier: LGPL-2.1-or-later
--
-- What is backed up, from where, and to where.
--
-- In all tables: times are unix microseconds (in columns ending in _usec), the unit of the journal and of the bus, free
-- of session time zones; FROM_UNIXTIME(x / 1e6) shows them. Names and identifiers compare byte by
-- byte, trailing blanks included (nopad_bin). Secrets are sealed: a nonce of 24 bytes, then the box
-- with its 16 bytes of authentication, so that no sealed value is shorter than 41 bytes.

CREATE TABLE IF NOT EXISTS backup_repositories (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    name VARCHAR(64) NOT NULL,
    path VARCHAR(512) NOT NULL
        COMMENT 'absolute folder that holds the images',
    created_usec BIGINT UNSIGNED NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT backup_repositories_name UNIQUE (name),
    CONSTRAINT backup_repositories_path UNIQUE (path),
    CONSTRAINT backup_repositories_path_form
        CHECK (path REGEXP '^/[^/]' AND path NOT REGEXP '//|/$|/\\.\\.?(/|$)|[[:cntrl:]]')
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin
    COMMENT='Folders that hold backups';

-- Every hub has this one from the beginning.
INSERT INTO backup_repositories (id, name, path, created_usec)
VALUES (1, 'local', '/var/lib/sendense/repository', CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS UNSIGNED));

CREATE TABLE IF NOT EXISTS vmware_credentials (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT
        COMMENT 'the credential_id that VMs and the API refer to',
    name VARCHAR(64) NOT NULL,
    host VARCHAR(253) NOT NULL
        COMMENT 'of vCenter or ESXi, by name or address',
    port SMALLINT UNSIGNED NOT NULL DEFAULT 443,
    user_name VARCHAR(255) NOT NULL,
    password_sealed VARBINARY(1024) NOT NULL,
    certificate_sha256 BINARY(32) NULL
        COMMENT 'pinned certificate; NULL: verified by the CA',
    created_usec BIGINT UNSIGNED NOT NULL,
    changed_usec BIGINT UNSIGNED NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT vmware_credentials_name UNIQUE (name),
    CONSTRAINT vmware_credentials_port CHECK (port > 0),
    CONSTRAINT vmware_credentials_sealed CHECK (LENGTH(password_sealed) > 40)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin
    COMMENT='How to log in at a vCenter';

CREATE TABLE IF NOT EXISTS nodes (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    name VARCHAR(64) NOT NULL,
    reverse_port SMALLINT UNSIGNED NOT NULL
        COMMENT 'on the hub, 127.0.0.1: where the API of this node is reached',
    public_key VARCHAR(512) NULL
        COMMENT 'SSH key of its tunnel; NULL: not enrolled, or on the machine of the hub',
    token_sealed VARBINARY(512) NULL
        COMMENT 'bearer token for its API; NULL: not enrolled',
    created_usec BIGINT UNSIGNED NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT nodes_name UNIQUE (name),
    CONSTRAINT nodes_reverse_port UNIQUE (reverse_port),
    CONSTRAINT nodes_public_key UNIQUE (public_key),
    CONSTRAINT nodes_port CHECK (reverse_port > 0),
    CONSTRAINT nodes_sealed CHECK (LENGTH(token_sealed) > 40)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin
    COMMENT='Node appliances';

CREATE TABLE IF NOT EXISTS vm_replication_contexts (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    context_id VARCHAR(95) NOT NULL
        COMMENT 'ctx-<vm>-<yyyymmdd>-<hhmmss>',
    instance_uuid CHAR(36) NOT NULL
        COMMENT 'identity of the VM, and its folder in a repository',
    vm_name VARCHAR(255) NOT NULL,
    vm_path VARCHAR(1024) NOT NULL
        COMMENT 'in the inventory, with its escapes',
    credential_id BIGINT UNSIGNED NULL
        COMMENT 'where it runs; NULL: entered by hand, its disks are read from given sources',
    node_id BIGINT UNSIGNED NULL
        COMMENT 'that backs it up; NULL: chosen at each backup',
    created_usec BIGINT UNSIGNED NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT vm_replication_contexts_context_id UNIQUE (context_id),
    -- A VM moved to another vCenter keeps its identity and its backups; two VMs with one identity
    -- would share a folder.
    CONSTRAINT vm_replication_contexts_instance_uuid UNIQUE (instance_uuid),
    CONSTRAINT vm_replication_contexts_context_id_form
        CHECK (context_id REGEXP '^ctx-[A-Za-z0-9_-]+-[0-9]{8}-[0-9]{6}\\z'),
    CONSTRAINT vm_replication_contexts_uuid_form CHECK (
        instance_uuid REGEXP '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\\z'),
    CONSTRAINT vm_replication_contexts_credential
        FOREIGN KEY (credential_id) REFERENCES vmware_credentials (id),
    CONSTRAINT vm_replication_contexts_node
        FOREIGN KEY (node_id) REFERENCES nodes (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin
    COMMENT='VMs that are or were backed up';

CREATE TABLE IF NOT EXISTS vm_disks (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT
        COMMENT 'the disk_id of the API',
    vm_context_id BIGINT UNSIGNED NOT NULL,
    disk_key INT UNSIGNED NOT NULL
        COMMENT 'device key as VMware says it (2000), never computed',
    unit_number INT UNSIGNED NOT NULL
        COMMENT 'on its controller; two disks may have the same',
    controller VARCHAR(64) NOT NULL
        COMMENT 'its kind and device key, such as pvscsi:1000',
    capacity_bytes BIGINT UNSIGNED NOT NULL,
    backing_uuid VARCHAR(64) NULL
        COMMENT 'identity of the data; NULL: VMware gives none, so every backup is a full',
    change_id VARCHAR(255) NULL
        COMMENT 'of the newest backup; NULL: the next is a full',
    PRIMARY KEY (id),
    CONSTRAINT vm_disks_key UNIQUE (vm_context_id, disk_key),
    CONSTRAINT vm_disks_key_form CHECK (disk_key BETWEEN 1 AND 2147483647),
    CONSTRAINT vm_disks_capacity CHECK (capacity_bytes > 0),
    CONSTRAINT vm_disks_change_id CHECK (change_id <> ''),
    CONSTRAINT vm_disks_backing_uuid CHECK (backing_uuid <> ''),
    CONSTRAINT vm_disks_context
        FOREIGN KEY (vm_context_id) REFERENCES vm_replication_contexts (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin
    COMMENT='Disks of the VMs, as last discovered';
