/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of MESSAGE_IDs (see message-id.h). Read by lib/log and by the test that compares it
 * with the message catalog.
 */
#include "message-id.h"

#include "cleanup.h"

static const struct {
        const char *name;
        const char *id;
} messages[MESSAGE_ID_MAX] = {
        [MESSAGE_HUB_READY] = { "hub-ready", "aff976ad507b4d7a8ffa8db9aade890c" },
        [MESSAGE_HUB_STOPPING] = { "hub-stopping", "9564822c91c24330b208187446fed83c" },
        [MESSAGE_CONFIG_INVALID] = { "config-invalid", "b9c468d30fa744b49d53f7fa460e8ced" },
        [MESSAGE_DATABASE_READY] = { "database-ready", "3de2ba89f6874a9f965c7b6ffe593bff" },
        [MESSAGE_DATABASE_LOST] = { "database-lost", "a09d5268225d4992b30124ac015209cf" },
        [MESSAGE_DATABASE_REFUSES] = { "database-refuses", "5d48931eee584f11acf00a8bb3ace5ae" },
        [MESSAGE_DATABASE_SCHEMA_OLDER] = { "database-schema-older",
                                            "97d608618a564567ad47f616e12f0505" },
        [MESSAGE_DATABASE_SCHEMA_NEWER] = { "database-schema-newer",
                                            "6ffb3abdde7a45538ef8d4f318562d70" },
        [MESSAGE_MIGRATION_APPLIED] = { "migration-applied", "a84e2efe047843919f1fc1e566335054" },
        [MESSAGE_MIGRATION_FAILED] = { "migration-failed", "53eec779d24046289f4408af883872e9" },
        [MESSAGE_ACCESS_DENIED] = { "access-denied", "08cb19214514464babee95d21fdafd88" },
        [MESSAGE_AUTHORITY_UNAVAILABLE] = { "authority-unavailable",
                                            "e06dcd0d05be4bf2b52eb0c8e02bb511" },
        [MESSAGE_JOB_CREATED] = { "job-created", "4d2b9576e1da4260a16dc48050374821" },
        [MESSAGE_JOB_STATE] = { "job-state", "3b701ac75e9248ceaef574d786dc4016" },
        [MESSAGE_JOB_TAKEN_UP] = { "job-taken-up", "289e8786f66c41619bbd294927502ce5" },
        [MESSAGE_JOB_FAILED] = { "job-failed", "577f3650eb4e4c19aae473901632b99d" },
        [MESSAGE_JOB_CANCELLED] = { "job-cancelled", "6721bb2d281b403895dab68a893a2f3e" },
        [MESSAGE_JOB_ENDED] = { "job-ended", "e106b3c40169431ba1c4beefdbcfae41" },
        [MESSAGE_BACKUP_COMMITTED] = { "backup-committed", "0085e2910a8a49aa838605cd70f18ac7" },
        [MESSAGE_PORT_TAKEN] = { "port-taken", "97084e928c4b4cd192726503e49ea3da" },
        [MESSAGE_OBLIGATION_OPEN] = { "obligation-open", "ab733e53c73f417eaca6d1790a5e4ce1" },
        [MESSAGE_REPOSITORY_FAILED] = { "repository-failed", "379ffd45316045d0b9873b9c455cccb1" },
        [MESSAGE_REPOSITORY_OK] = { "repository-ok", "c221c0d27b3a4e02907ef0e0ef791c89" },
        [MESSAGE_NODE_READY] = { "node-ready", "1c16f2104f4c4049a206fb7739dcbd53" },
        [MESSAGE_NODE_ADDED] = { "node-added", "450cf676541c46a7ac7ff2e5b987f7c2" },
        [MESSAGE_NODE_ENROLLED] = { "node-enrolled", "b657aaed329e4d6b82e63f29b7393526" },
        [MESSAGE_NODE_ROTATED] = { "node-rotated", "97ee731ed3154594becff3456e7cecff" },
        [MESSAGE_NODE_REMOVED] = { "node-removed", "60f170d84ff141569b0df7a9647e3a28" },
        [MESSAGE_NODE_REACHABLE] = { "node-reachable", "61053fb7715f4096b97a238607e533e9" },
        [MESSAGE_NODE_UNREACHABLE] = { "node-unreachable", "2dca901b88384902bf13aade07659dba" },
        [MESSAGE_NODE_FILES_FAILED] = { "node-files-failed", "1a619452f17f4659a48189167375caf7" },
        [MESSAGE_MASTER_KEY_UNUSABLE] = { "master-key-unusable",
                                          "cbe134f8d82547a097bf9d65538978d6" },
        [MESSAGE_POLICY_RUN_FAILED] = { "policy-run-failed", "9652c3e23221437393c758d119d42d70" },
        [MESSAGE_POLICY_RUN_SKIPPED] = { "policy-run-skipped", "acc416331d46451cb2f0cc325372f4f6" },
        [MESSAGE_COPY_STILL] = { "copy-still", "a7e146242597487ea5c86e219b6077f5" },
        [MESSAGE_EXPORT_RESTARTED] = { "export-restarted", "309103657f40459992c6392b4a5809e4" },
};

const char *message_id_to_string(MessageId id)
{
        return id > MESSAGE_NONE && id < MESSAGE_ID_MAX ? messages[id].id : NULL;
}

const char *message_id_name(MessageId id)
{
        return id > MESSAGE_NONE && id < MESSAGE_ID_MAX ? messages[id].name : NULL;
}
