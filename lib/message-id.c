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
        [MESSAGE_DATABASE_SCHEMA_OLDER] = { "database-schema-older",
                                            "97d608618a564567ad47f616e12f0505" },
        [MESSAGE_DATABASE_SCHEMA_NEWER] = { "database-schema-newer",
                                            "6ffb3abdde7a45538ef8d4f318562d70" },
        [MESSAGE_MIGRATION_APPLIED] = { "migration-applied", "a84e2efe047843919f1fc1e566335054" },
        [MESSAGE_MIGRATION_FAILED] = { "migration-failed", "53eec779d24046289f4408af883872e9" },
        [MESSAGE_ACCESS_DENIED] = { "access-denied", "08cb19214514464babee95d21fdafd88" },
        [MESSAGE_AUTHORITY_UNAVAILABLE] = { "authority-unavailable",
                                            "e06dcd0d05be4bf2b52eb0c8e02bb511" },
};

const char *message_id_to_string(MessageId id)
{
        return id > MESSAGE_NONE && id < MESSAGE_ID_MAX ? messages[id].id : NULL;
}

const char *message_id_name(MessageId id)
{
        return id > MESSAGE_NONE && id < MESSAGE_ID_MAX ? messages[id].name : NULL;
}
