/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The events that operators search for, each with a MESSAGE_ID of its own. The texts that
 * `journalctl -x` shows stand in units/sendense.catalog; a test compares the two lists.
 * A released id never changes its meaning; new ids come from `systemd-id128 new`.
 */
#pragma once

typedef enum MessageId {
        MESSAGE_NONE,
        MESSAGE_HUB_READY,
        MESSAGE_HUB_STOPPING,
        MESSAGE_CONFIG_INVALID,
        MESSAGE_DATABASE_READY,
        MESSAGE_DATABASE_LOST,
        MESSAGE_DATABASE_REFUSES,
        MESSAGE_DATABASE_SCHEMA_OLDER,
        MESSAGE_DATABASE_SCHEMA_NEWER,
        MESSAGE_MIGRATION_APPLIED,
        MESSAGE_MIGRATION_FAILED,
        MESSAGE_ACCESS_DENIED,
        MESSAGE_AUTHORITY_UNAVAILABLE,
        MESSAGE_JOB_CREATED,
        MESSAGE_JOB_STATE,
        MESSAGE_JOB_TAKEN_UP,
        MESSAGE_JOB_FAILED,
        MESSAGE_JOB_CANCELLED,
        MESSAGE_JOB_ENDED,
        MESSAGE_BACKUP_COMMITTED,
        MESSAGE_PORT_TAKEN,
        MESSAGE_OBLIGATION_OPEN,
        MESSAGE_REPOSITORY_FAILED,
        MESSAGE_REPOSITORY_OK,
        MESSAGE_NODE_READY,
        MESSAGE_NODE_ADDED,
        MESSAGE_NODE_ENROLLED,
        MESSAGE_NODE_ROTATED,
        MESSAGE_NODE_REMOVED,
        MESSAGE_NODE_FILES_FAILED,
        MESSAGE_NODE_REACHABLE,
        MESSAGE_NODE_UNREACHABLE,
        MESSAGE_MASTER_KEY_UNUSABLE,
        MESSAGE_POLICY_RUN_FAILED,
        MESSAGE_POLICY_RUN_SKIPPED,
        MESSAGE_COPY_STILL,
        MESSAGE_EXPORT_RESTARTED,
        MESSAGE_ID_MAX,
} MessageId;

/* 32 lower-case hex digits for the journal's MESSAGE_ID=, NULL for MESSAGE_NONE. */
const char *message_id_to_string(MessageId id);

/* The name as it stands in the catalog's comment, for the test that compares the lists. */
const char *message_id_name(MessageId id);
