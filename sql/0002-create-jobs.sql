-- SPDX-License-Identifier: LGPL-2.1-or-later
--
-- Jobs, what they hold while they run, and what they leave for others to read. State words are the
-- ones of the bus and the journal; a test compares them with the tables of lib.
--
-- A row that has a unit holds its name and the machine's boot_id from before the unit is started,
-- and its INVOCATION_ID once systemd has told it: a unit of the same name in another boot, or with
-- another invocation, is not this one.

CREATE TABLE IF NOT EXISTS backup_jobs (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT
        COMMENT 'the number in unit names, object paths and SENDENSE_JOB=',
    job_type ENUM('backup', 'restore', 'delete', 'verify') NOT NULL DEFAULT 'backup',
    vm_context_id BIGINT UNSIGNED NOT NULL,
    repository_id BIGINT UNSIGNED NOT NULL,
    backup_id VARCHAR(95) NULL
        COMMENT 'backup-<vm>-<unix seconds>[-n], of the backup it makes; names files; NULL: makes none',
    backup_type ENUM('full', 'incremental') NULL
        COMMENT 'of it, as asked for; what became of each disk stands in backup_disks',
    target_job_id BIGINT UNSIGNED NULL
        COMMENT 'that made the backup it works on; NULL: makes one itself',
    node_id BIGINT UNSIGNED NULL
        COMMENT 'that copies; NULL: not chosen yet, or copied on the hub',
    state ENUM('queued', 'preparing', 'exporting', 'copying', 'finishing', 'releasing',
               'completed', 'failed', 'cancelled') NOT NULL DEFAULT 'queued',
    attempt INT UNSIGNED NOT NULL DEFAULT 1
        COMMENT 'part of export names, so that an old copy cannot write into a new attempt',
    principal VARCHAR(255) NOT NULL
        COMMENT 'who asked for it',
    unit VARCHAR(127) NULL
        COMMENT 'of the copy',
    invocation_id CHAR(32) NULL,
    boot_id CHAR(32) NULL,
    error_name VARCHAR(255) NULL
        COMMENT 'of the bus, for programs',
    error_text VARCHAR(2048) NULL
        COMMENT 'for people',
    created_usec BIGINT UNSIGNED NOT NULL,
    started_usec BIGINT UNSIGNED NULL
        COMMENT 'left the queue',
    finished_usec BIGINT UNSIGNED NULL,
    active_vm_context_id BIGINT UNSIGNED AS (
        CASE WHEN state IN ('completed', 'failed', 'cancelled') THEN NULL ELSE vm_context_id END
    ) VIRTUAL
        COMMENT 'the VM while the job is open: one open job for each VM',
    PRIMARY KEY (id),
    CONSTRAINT backup_jobs_backup_id UNIQUE (backup_id),
    CONSTRAINT backup_jobs_one_active UNIQUE (active_vm_context_id),
    -- What backup_disks and target_job_id refer to: they cannot belong to another VM or repository.
    CONSTRAINT backup_jobs_place UNIQUE (id, vm_context_id, repository_id),
    KEY backup_jobs_by_state (state, id),
    CONSTRAINT backup_jobs_backup CHECK (
        (job_type = 'backup') = (backup_id IS NOT NULL)
        AND (job_type = 'backup') = (backup_type IS NOT NULL)
        AND (job_type = 'backup') = (target_job_id IS NULL)),
    CONSTRAINT backup_jobs_backup_id_form
        CHECK (backup_id REGEXP '^backup-[A-Za-z0-9_-]+-[0-9]+\\z'),
    CONSTRAINT backup_jobs_attempt CHECK (attempt > 0),
    CONSTRAINT backup_jobs_finished CHECK (
        (state IN ('completed', 'failed', 'cancelled')) = (finished_usec IS NOT NULL)),
    CONSTRAINT backup_jobs_error CHECK (
        (state <> 'failed' OR error_name IS NOT NULL) AND (state <> 'completed' OR error_name IS NULL)),
    CONSTRAINT backup_jobs_unit CHECK (
        (unit IS NULL) = (boot_id IS NULL) AND (invocation_id IS NULL OR unit IS NOT NULL)),
    CONSTRAINT backup_jobs_ids CHECK (
        invocation_id REGEXP '^[0-9a-f]{32}\\z' AND boot_id REGEXP '^[0-9a-f]{32}\\z'),
    CONSTRAINT backup_jobs_context
        FOREIGN KEY (vm_context_id) REFERENCES vm_replication_contexts (id),
    CONSTRAINT backup_jobs_repository
        FOREIGN KEY (repository_id) REFERENCES backup_repositories (id),
    CONSTRAINT backup_jobs_node
        FOREIGN KEY (node_id) REFERENCES nodes (id),
    CONSTRAINT backup_jobs_target
        FOREIGN KEY (target_job_id, vm_context_id, repository_id)
        REFERENCES backup_jobs (id, vm_context_id, repository_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin
    COMMENT='Jobs, each about one VM; a completed one of type backup is a restore point';

CREATE TABLE IF NOT EXISTS backup_disks (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    job_id BIGINT UNSIGNED NOT NULL,
    vm_context_id BIGINT UNSIGNED NOT NULL
        COMMENT 'of the job',
    repository_id BIGINT UNSIGNED NOT NULL
        COMMENT 'of the job',
    disk_key INT UNSIGNED NOT NULL
        COMMENT 'as the snapshot says it',
    state ENUM('pending', 'exporting', 'copying', 'copied', 'checked', 'completed', 'excluded',
               'failed', 'cancelled') NOT NULL DEFAULT 'pending',
    backup_type ENUM('full', 'incremental') NOT NULL,
    reason VARCHAR(1024) NULL
        COMMENT 'why excluded, or why a full was made of an incremental',
    capacity_bytes BIGINT UNSIGNED NOT NULL
        COMMENT 'in the snapshot',
    backing_uuid VARCHAR(64) NULL
        COMMENT 'in the snapshot',
    change_id VARCHAR(255) NULL
        COMMENT 'of the snapshot, from which the next incremental starts',
    parent_id BIGINT UNSIGNED NULL
        COMMENT 'layer below; NULL: a full',
    file_path VARCHAR(512) NULL
        COMMENT 'of the image below the repository; NULL: excluded, or not made yet',
    size_bytes BIGINT UNSIGNED NULL
        COMMENT 'of the image on disk, when finished',
    unit VARCHAR(127) NULL
        COMMENT 'that works on the image now',
    invocation_id CHAR(32) NULL,
    boot_id CHAR(32) NULL,
    error_text VARCHAR(2048) NULL,
    PRIMARY KEY (id),
    CONSTRAINT backup_disks_key UNIQUE (job_id, disk_key),
    CONSTRAINT backup_disks_file UNIQUE (repository_id, file_path),
    -- What parent_id refers to: the layer below is of the same VM, disk and repository.
    CONSTRAINT backup_disks_chain UNIQUE (id, vm_context_id, disk_key, repository_id),
    -- What port_leases refers to: the lease's disk is of its job.
    CONSTRAINT backup_disks_job_and_id UNIQUE (job_id, id),
    CONSTRAINT backup_disks_capacity CHECK (capacity_bytes > 0),
    CONSTRAINT backup_disks_reason
        CHECK (state <> 'excluded' OR (reason IS NOT NULL AND reason <> '')),
    CONSTRAINT backup_disks_image CHECK (
        CASE
            WHEN state = 'excluded' THEN file_path IS NULL
            WHEN state IN ('exporting', 'copying', 'copied', 'checked', 'completed')
                THEN file_path IS NOT NULL
            ELSE TRUE
        END),
    CONSTRAINT backup_disks_layer CHECK (
        CASE backup_type
            WHEN 'full' THEN parent_id IS NULL
            ELSE parent_id IS NOT NULL OR file_path IS NULL
        END),
    CONSTRAINT backup_disks_file_form CHECK (
        file_path NOT REGEXP '^/|//|/$|(^|/)\\.\\.?(/|$)|[[:cntrl:]]' AND file_path <> ''),
    CONSTRAINT backup_disks_unit CHECK (
        (unit IS NULL) = (boot_id IS NULL) AND (invocation_id IS NULL OR unit IS NOT NULL)),
    CONSTRAINT backup_disks_ids CHECK (
        invocation_id REGEXP '^[0-9a-f]{32}\\z' AND boot_id REGEXP '^[0-9a-f]{32}\\z'),
    CONSTRAINT backup_disks_job
        FOREIGN KEY (job_id, vm_context_id, repository_id)
        REFERENCES backup_jobs (id, vm_context_id, repository_id),
    CONSTRAINT backup_disks_disk
        FOREIGN KEY (vm_context_id, disk_key) REFERENCES vm_disks (vm_context_id, disk_key),
    CONSTRAINT backup_disks_parent
        FOREIGN KEY (parent_id, vm_context_id, disk_key, repository_id)
        REFERENCES backup_disks (id, vm_context_id, disk_key, repository_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin
    COMMENT='Each disk of each backup: its image layer, or why there is none';

CREATE TABLE IF NOT EXISTS port_leases (
    port SMALLINT UNSIGNED NOT NULL
        COMMENT 'on 127.0.0.1; the row is the lease, and is deleted when the port is free again',
    job_id BIGINT UNSIGNED NOT NULL,
    backup_disk_id BIGINT UNSIGNED NOT NULL,
    export_name VARCHAR(128) NOT NULL
        COMMENT 'with attempt and nonce',
    unit VARCHAR(127) NOT NULL
        COMMENT 'sendense-export-<job>-<key>.service',
    invocation_id CHAR(32) NULL
        COMMENT 'also what the export tells its clients',
    boot_id CHAR(32) NOT NULL,
    leased_usec BIGINT UNSIGNED NOT NULL,
    PRIMARY KEY (port),
    CONSTRAINT port_leases_export UNIQUE (export_name),
    CONSTRAINT port_leases_unit UNIQUE (unit),
    CONSTRAINT port_leases_disk UNIQUE (job_id, backup_disk_id),
    CONSTRAINT port_leases_port CHECK (port > 0),
    CONSTRAINT port_leases_export_form CHECK (export_name REGEXP '^[A-Za-z0-9][A-Za-z0-9._-]*\\z'),
    CONSTRAINT port_leases_ids CHECK (
        invocation_id REGEXP '^[0-9a-f]{32}\\z' AND boot_id REGEXP '^[0-9a-f]{32}\\z'),
    CONSTRAINT port_leases_job_disk
        FOREIGN KEY (job_id, backup_disk_id) REFERENCES backup_disks (job_id, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin
    COMMENT='Ports in use by exports';

CREATE TABLE IF NOT EXISTS job_events (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT
        COMMENT 'also the id of the event stream',
    event_id CHAR(32) NOT NULL
        COMMENT 'made by who writes it: a transaction sent twice counts once',
    job_id BIGINT UNSIGNED NOT NULL,
    at_usec BIGINT UNSIGNED NOT NULL,
    principal VARCHAR(255) NOT NULL
        COMMENT 'who; the hub itself is "hub"',
    from_state ENUM('queued', 'preparing', 'exporting', 'copying', 'finishing', 'releasing',
                    'completed', 'failed', 'cancelled') NULL
        COMMENT 'NULL: the job was made',
    to_state ENUM('queued', 'preparing', 'exporting', 'copying', 'finishing', 'releasing',
                  'completed', 'failed', 'cancelled') NOT NULL
        COMMENT 'equal to from_state: something happened on the way',
    reason VARCHAR(2048) NOT NULL
        COMMENT 'why, in one line',
    PRIMARY KEY (id),
    CONSTRAINT job_events_event_id UNIQUE (event_id),
    KEY job_events_by_job (job_id, id),
    CONSTRAINT job_events_event_id_form CHECK (event_id REGEXP '^[0-9a-f]{32}\\z'),
    CONSTRAINT job_events_job
        FOREIGN KEY (job_id) REFERENCES backup_jobs (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin
    COMMENT='History of the jobs: a row for each change of state, in its transaction';

CREATE TABLE IF NOT EXISTS obligations (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    kind VARCHAR(64) NOT NULL
        COMMENT 'what must be undone: a word of the hub',
    subject VARCHAR(512) NOT NULL
        COMMENT 'the unit, path, port or snapshot it is about',
    job_id BIGINT UNSIGNED NOT NULL,
    node_id BIGINT UNSIGNED NULL
        COMMENT 'where it must be done; NULL: on the hub',
    state ENUM('open', 'done') NOT NULL DEFAULT 'open',
    attempts INT UNSIGNED NOT NULL DEFAULT 0,
    created_usec BIGINT UNSIGNED NOT NULL,
    next_attempt_usec BIGINT UNSIGNED NOT NULL
        COMMENT 'not before',
    done_usec BIGINT UNSIGNED NULL,
    error_text VARCHAR(2048) NULL
        COMMENT 'of the last attempt',
    open_subject VARCHAR(512) AS (
        CASE WHEN state = 'open' THEN subject ELSE NULL END
    ) VIRTUAL
        COMMENT 'the subject while it is owed',
    open_place BIGINT UNSIGNED AS (
        CASE WHEN state = 'open' THEN COALESCE(node_id, 0) ELSE NULL END
    ) VIRTUAL
        COMMENT 'where it is owed, 0 for the hub: the same thing is owed once',
    PRIMARY KEY (id),
    CONSTRAINT obligations_once UNIQUE (kind, open_place, open_subject),
    KEY obligations_due (state, next_attempt_usec),
    CONSTRAINT obligations_words CHECK (kind REGEXP '^[a-z][a-z-]*\\z' AND subject <> ''),
    CONSTRAINT obligations_done CHECK ((state = 'done') = (done_usec IS NOT NULL)),
    CONSTRAINT obligations_job
        FOREIGN KEY (job_id) REFERENCES backup_jobs (id),
    CONSTRAINT obligations_node
        FOREIGN KEY (node_id) REFERENCES nodes (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin
    COMMENT='What must be undone, written down before it is done';
