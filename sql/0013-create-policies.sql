-- SPDX-License-Identifier: LGPL-2.1-or-later
--
-- What is backed up by itself, and how long it is kept. A policy's timer is made of its row; a run is written down before
-- anything of it begins, so that it goes on from the rows after a death of the hub.

CREATE TABLE IF NOT EXISTS policies (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    name VARCHAR(64) NOT NULL
        COMMENT 'part of the names of its units',
    vms LONGTEXT NOT NULL
        COMMENT 'JSON list of names with wildcards, context ids and instance UUIDs',
    except_vms LONGTEXT NOT NULL
        COMMENT 'JSON list of the same kind: those that are left out',
    repository_id BIGINT UNSIGNED NOT NULL,
    node_id BIGINT UNSIGNED NULL
        COMMENT 'that backs up; NULL: chosen at each backup',
    calendar VARCHAR(255) NULL
        COMMENT 'as in systemd.time(7); NULL: runs when it is asked to',
    randomized_delay_usec BIGINT UNSIGNED NOT NULL DEFAULT 0,
    is_persistent TINYINT(1) NOT NULL DEFAULT 1
        COMMENT '1: a run that was missed is made up',
    is_enabled TINYINT(1) NOT NULL DEFAULT 1
        COMMENT '0: has no timer',
    full_every_usec BIGINT UNSIGNED NULL
        COMMENT 'a full when the newest that it made is older; NULL: incremental for ever',
    keep_last INT UNSIGNED NOT NULL DEFAULT 0,
    keep_hourly INT UNSIGNED NOT NULL DEFAULT 0,
    keep_daily INT UNSIGNED NOT NULL DEFAULT 0,
    keep_weekly INT UNSIGNED NOT NULL DEFAULT 0,
    keep_monthly INT UNSIGNED NOT NULL DEFAULT 0,
    keep_yearly INT UNSIGNED NOT NULL DEFAULT 0,
    principal VARCHAR(255) NOT NULL
        COMMENT 'who set it last',
    created_usec BIGINT UNSIGNED NOT NULL,
    changed_usec BIGINT UNSIGNED NOT NULL,
    heard_usec BIGINT UNSIGNED NOT NULL
        COMMENT 'what its timer told until then has led to a run; what it told later was missed',
    removed_usec BIGINT UNSIGNED NULL
        COMMENT 'kept, so that history can name it',
    live_name VARCHAR(64) AS (CASE WHEN removed_usec IS NULL THEN name ELSE NULL END) VIRTUAL
        COMMENT 'the name until it is removed',
    PRIMARY KEY (id),
    CONSTRAINT policies_live_name UNIQUE (live_name),
    KEY policies_repository (repository_id),
    KEY policies_node (node_id),
    CONSTRAINT policies_name_form CHECK (name REGEXP '^[A-Za-z0-9][A-Za-z0-9._-]*\\z'),
    CONSTRAINT policies_vms CHECK (JSON_VALID(vms) AND JSON_TYPE(vms) = 'ARRAY' AND JSON_LENGTH(vms) > 0),
    CONSTRAINT policies_except CHECK (JSON_VALID(except_vms) AND JSON_TYPE(except_vms) = 'ARRAY'),
    CONSTRAINT policies_flags CHECK (is_persistent IN (0, 1) AND is_enabled IN (0, 1)),
    CONSTRAINT policies_calendar CHECK (calendar <> ''),
    CONSTRAINT policies_full_every CHECK (full_every_usec > 0),
    CONSTRAINT policies_repository
        FOREIGN KEY (repository_id) REFERENCES backup_repositories (id),
    CONSTRAINT policies_node
        FOREIGN KEY (node_id) REFERENCES nodes (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin
    COMMENT='What is backed up when, and what of it is kept';

CREATE TABLE IF NOT EXISTS policy_runs (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    policy_id BIGINT UNSIGNED NOT NULL,
    kind ENUM('backup', 'prune') NOT NULL
        COMMENT 'prune: only deletes what its rule does not keep',
    cause ENUM('timer', 'missed', 'asked') NOT NULL
        COMMENT 'missed: what its timer told was not followed at its time',
    state ENUM('running', 'completed', 'failed', 'skipped') NOT NULL DEFAULT 'running',
    principal VARCHAR(255) NOT NULL
        COMMENT 'who asked for it',
    created_usec BIGINT UNSIGNED NOT NULL,
    finished_usec BIGINT UNSIGNED NULL,
    summary VARCHAR(2048) NULL
        COMMENT 'what came of it, in one line',
    running_policy_id BIGINT UNSIGNED AS (CASE WHEN state = 'running' THEN policy_id ELSE NULL END) VIRTUAL
        COMMENT 'the policy while the run is open: one open run for each',
    PRIMARY KEY (id),
    CONSTRAINT policy_runs_one_running UNIQUE (running_policy_id),
    KEY policy_runs_by_policy (policy_id, id),
    CONSTRAINT policy_runs_finished CHECK ((state = 'running') = (finished_usec IS NULL)),
    CONSTRAINT policy_runs_policy
        FOREIGN KEY (policy_id) REFERENCES policies (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin
    COMMENT='Runs of policies';

CREATE TABLE IF NOT EXISTS policy_run_vms (
    run_id BIGINT UNSIGNED NOT NULL,
    vm_context_id BIGINT UNSIGNED NOT NULL,
    state ENUM('waiting', 'backup', 'prune', 'completed', 'failed', 'skipped') NOT NULL DEFAULT 'waiting',
    is_full TINYINT(1) NOT NULL DEFAULT 0
        COMMENT '1: a full is asked for',
    backup_job_id BIGINT UNSIGNED NULL
        COMMENT 'the backup that the run made',
    delete_job_id BIGINT UNSIGNED NULL
        COMMENT 'the deletion that is under way; the last one when all are done',
    n_deleted INT UNSIGNED NOT NULL DEFAULT 0
        COMMENT 'backups that the run deleted',
    before_bytes BIGINT UNSIGNED NULL
        COMMENT 'that the backups of the VM take up in the repository, before the first of them is deleted',
    after_bytes BIGINT UNSIGNED NULL
        COMMENT 'the same when all are',
    reason VARCHAR(2048) NULL
        COMMENT 'why it failed or was skipped, or why nothing is deleted',
    PRIMARY KEY (run_id, vm_context_id),
    KEY policy_run_vms_context (vm_context_id),
    KEY policy_run_vms_backup (backup_job_id),
    KEY policy_run_vms_delete (delete_job_id),
    CONSTRAINT policy_run_vms_flags CHECK (is_full IN (0, 1)),
    CONSTRAINT policy_run_vms_run
        FOREIGN KEY (run_id) REFERENCES policy_runs (id),
    CONSTRAINT policy_run_vms_context
        FOREIGN KEY (vm_context_id) REFERENCES vm_replication_contexts (id),
    CONSTRAINT policy_run_vms_backup
        FOREIGN KEY (backup_job_id) REFERENCES backup_jobs (id),
    CONSTRAINT policy_run_vms_delete
        FOREIGN KEY (delete_job_id) REFERENCES backup_jobs (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin
    COMMENT='What a run does for each of its VMs';
