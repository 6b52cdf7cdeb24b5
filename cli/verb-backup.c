/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendensectl backup start|list: what is asked for is checked in its form alone; whether it can be had is
 * the hub's business.
 */
#include "cleanup.h"
#include "columns.h"
#include "ctl.h"
#include "hub-client.h"
#include "job-begun.h"
#include "job-types.h"
#include "job-words.h"
#include "json-cleanup.h"
#include "names.h"
#include "options.h"
#include "parse.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* What the last look at its data said. */
static char *cell_health(const json_t *backup, const char *key)
{
        return json_is_true(json_object_get(backup, "Damaged")) ? strdup("DAMAGED")
                                                                : cell_time(backup, key);
}

static const Column backup_columns[] = {
        { "BACKUP", "BackupId", cell_text, false },
        { "VM", "Vm", cell_text, false },
        { "READ AS", "BackupType", cell_text, false },
        { "DISKS", "Disks", cell_number, true },
        { "SIZE", "SizeBytes", cell_bytes, true },
        { "FINISHED", "FinishedUSec", cell_time, false },
        { "JOB", "Job", cell_number, true },
        { "REPOSITORY", "Repository", cell_text, false },
        { "VERIFIED", "VerifiedUSec", cell_health, false },
};

/* KEY=VALUE of --source and --exclude. *ret_value points into text. */
static ExitStatus parse_pair(const char *name, const char *text, uint32_t *ret_key,
                             const char **ret_value)
{
        const char *equals = strchr(text, '=');
        _cleanup_free_ char *digits = NULL;
        uint64_t key;

        if (!equals || !equals[1])
                return complain(CTL_USAGE, "--%s=%s: must be KEY=%s", name, text,
                                strcmp(name, "source") == 0 ? "URI" : "REASON");
        digits = strndup(text, (size_t) (equals - text));
        if (!digits)
                return complain(CTL_FAILED, "Out of memory");
        if (parse_uint64(digits, 1, DISK_KEY_MAX, &key) < 0)
                return complain(CTL_USAGE, "--%s=%s: '%s' is no key of a disk, which is a number",
                                name, text, digits);
        *ret_key = (uint32_t) key;
        *ret_value = equals + 1;
        return CTL_OK;
}

/* The same disk twice would be a mistake that a dictionary hides. */
static ExitStatus check_pairs(Option option, const char *name)
{
        const char *text, *value = NULL, *other = NULL;
        uint32_t key = 0, other_key = 0;
        ExitStatus s;

        for (size_t i = 0; (text = option_nth(option, i)); i++) {
                s = parse_pair(name, text, &key, &value);
                for (size_t j = 0; s == CTL_OK && j < i; j++) {
                        s = parse_pair(name, option_nth(option, j), &other_key, &other);
                        if (s == CTL_OK && key == other_key)
                                s = complain(CTL_USAGE,
                                             "--%s=: the disk %" PRIu32 " is given twice", name,
                                             key);
                }
                if (s != CTL_OK)
                        return s;
        }
        return CTL_OK;
}

/* "sources" or "exclude" as a{us}, when it was given. */
static int append_pairs(sd_bus_message *message, Option option, const char *name)
{
        const char *text, *value = NULL;
        uint32_t key = 0;
        int r;

        if (!option_is_given(option))
                return 0;
        r = sd_bus_message_open_container(message, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(message, "s", name);
        if (r >= 0)
                r = sd_bus_message_open_container(message, 'v', "a{us}");
        if (r >= 0)
                r = sd_bus_message_open_container(message, 'a', "{us}");
        for (size_t i = 0; r >= 0 && (text = option_nth(option, i)); i++) {
                if (parse_pair(name, text, &key, &value) != CTL_OK)
                        return -ENOMEM; /* it was good before */
                r = sd_bus_message_append(message, "{us}", key, value);
        }
        for (int i = 0; r >= 0 && i < 3; i++)
                r = sd_bus_message_close_container(message);
        return r;
}

static int append_text(sd_bus_message *message, const char *name, const char *value)
{
        return value ? sd_bus_message_append(message, "{sv}", name, "s", value) : 0;
}

/* --full and --incremental are --type= in one word. */
static const char *wanted_type(void)
{
        return option_is_given(OPTION_FULL)          ? backup_type_to_string(BACKUP_FULL)
               : option_is_given(OPTION_INCREMENTAL) ? backup_type_to_string(BACKUP_INCREMENTAL)
                                                     : option_value(OPTION_TYPE);
}

static int append_start(sd_bus_message *message, const char *vm)
{
        int r;

        r = sd_bus_message_append(message, "s", vm);
        if (r >= 0)
                r = sd_bus_message_open_container(message, 'a', "{sv}");
        if (r >= 0)
                r = append_text(message, "repository", option_value(OPTION_REPOSITORY));
        if (r >= 0)
                r = append_text(message, "type", wanted_type());
        if (r >= 0)
                r = append_text(message, "node", option_value(OPTION_THROUGH));
        if (r >= 0)
                r = append_pairs(message, OPTION_SOURCE, "sources");
        if (r >= 0)
                r = append_pairs(message, OPTION_EXCLUDE, "exclude");
        return r < 0 ? r : sd_bus_message_close_container(message);
}

static ExitStatus check_start(void)
{
        const char *type = option_value(OPTION_TYPE);
        ExitStatus s;

        if (type && backup_type_from_string(type) < 0)
                return complain(CTL_USAGE, "--type=%s: must be full or incremental", type);
        if (option_is_given(OPTION_FULL) + option_is_given(OPTION_INCREMENTAL) + !!type > 1)
                return complain(CTL_USAGE, "--full, --incremental and --type= exclude each other");
        s = check_pairs(OPTION_SOURCE, "source");
        return s == CTL_OK ? check_pairs(OPTION_EXCLUDE, "exclude") : s;
}

/* Asks for the backup; *ret_path is the job's object. */
static ExitStatus start(const char *vm, json_t **ret_path)
{
        CLEANUP(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *message = NULL, *reply = NULL;
        ExitStatus s;
        int r;

        s = hub_connect(&bus);
        if (s == CTL_OK)
                s = hub_new_call(bus, "StartBackup", true, &message);
        if (s != CTL_OK)
                return s;
        r = append_start(message, vm);
        if (r < 0)
                return hub_complain_arguments(r);
        s = hub_call(bus, message, &reply);
        return s == CTL_OK ? hub_read_answer(reply, "o", ret_path) : s;
}

ExitStatus verb_backup_start(int argc, char *argv[])
{
        CLEANUP(json_decref_p) json_t *path = NULL;
        ExitStatus s;

        (void) argc;
        s = check_start();
        if (s == CTL_OK)
                s = start(argv[0], &path);
        return s == CTL_OK ? job_begun(path, option_is_given(OPTION_WAIT)) : s;
}

ExitStatus verb_backup_list(int argc, char *argv[])
{
        CLEANUP(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *message = NULL, *reply = NULL;
        CLEANUP(json_decref_p) json_t *list = NULL;
        uint32_t limit;
        ExitStatus s;
        int r;

        s = limit_parse(&limit);
        if (s == CTL_OK)
                s = hub_connect(&bus);
        if (s == CTL_OK)
                s = hub_new_call(bus, "ListBackups", false, &message);
        if (s != CTL_OK)
                return s;
        r = sd_bus_message_open_container(message, 'a', "{sv}");
        if (r >= 0)
                r = sd_bus_message_append(message, "{sv}", "limit", "u", limit);
        if (r >= 0)
                r = append_text(message, "vm", argc > 0 ? argv[0] : NULL);
        if (r >= 0)
                r = append_text(message, "repository", option_value(OPTION_REPOSITORY));
        if (r >= 0)
                r = sd_bus_message_close_container(message);
        if (r < 0)
                return hub_complain_arguments(r);
        s = hub_call(bus, message, &reply);
        if (s == CTL_OK)
                s = hub_read_answer(reply, "aa{sv}", &list);
        if (s == CTL_OK)
                s = show_list(list, backup_columns, ELEMENTSOF(backup_columns),
                              "There is no such backup.");
        if (s == CTL_OK)
                limit_print(list, limit);
        return s;
}
