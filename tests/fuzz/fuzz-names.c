/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names from any text: what is read as a unit name comes out of its parts again, and an id made from
 * any VM's name is safe in a path.
 */
#include "fuzz.h"

#include "cleanup.h"
#include "names.h"

#include <string.h>

static void check_unit(const char *text)
{
        char again[UNIT_NAME_SIZE];
        UnitName name;

        if (unit_name_from_string(text, &name) < 0)
                return;
        MUST(unit_name_to_string(&name, again) == 0);
        MUST(strcmp(text, again) == 0);
        MUST(name.job > 0 && name.job <= JOB_NUMBER_MAX && name.disk_key <= DISK_KEY_MAX);
}

static void check_safe(const char *id)
{
        static const char safe[] =
                        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

        MUST(*id && id[strspn(id, safe)] == '\0');
        MUST(!strstr(id, "--") && id[strlen(id) - 1] != '-');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_free_ char *text = strndup((const char *) data, size);
        char id[BACKUP_ID_SIZE], context[CONTEXT_ID_SIZE];
        int64_t when = 0;

        MUST(text);
        check_unit(text);
        if (backup_id_is_valid(text) || context_id_is_valid(text))
                check_safe(text);

        memcpy(&when, data, size < 5 ? size : 5); /* up to the year 36812 */
        MUST(backup_id_format(text, when, (uint32_t) when, id) == 0);
        check_safe(id);
        MUST(backup_id_is_valid(id));
        if (context_id_format(text, when, context) == 0) {
                check_safe(context);
                MUST(context_id_is_valid(context));
        }
        return 0;
}
