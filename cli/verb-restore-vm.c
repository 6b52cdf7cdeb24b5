/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendensectl restore vm: a whole VM back into a vCenter, as a new one or into itself. What is not given is the VM's own.
 */
#include "cleanup.h"
#include "columns.h"
#include "ctl.h"
#include "hub-client.h"
#include "job-watch.h"
#include "json-cleanup.h"
#include "names.h"
#include "options.h"
#include "parse.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define JOB_PATH_PREFIX HUB_BUS_PATH "/job/"

typedef struct Word {
        const char *member;
        Option option;
} Word;

static int append_texts(sd_bus_message *message, const Word *words, size_t n)
{
        int r = 0;

        for (size_t i = 0; i < n && r >= 0; i++)
                if (option_is_given(words[i].option))
                        r = sd_bus_message_append(message, "{sv}", words[i].member, "s",
                                                  option_value(words[i].option));
        return r;
}

static int append_flag(sd_bus_message *message, const char *member, Option option, int value)
{
        return option_is_given(option) ? sd_bus_message_append(message, "{sv}", member, "b", value)
                                       : 0;
}

/* OLD=NEW; an old name may have a '=' in it when its last one does not count. */
static ExitStatus check_networks(void)
{
        const char *pair;

        for (size_t i = 0; (pair = option_nth(OPTION_NETWORK, i)); i++) {
                const char *equals = strrchr(pair, '=');

                if (!equals || equals == pair || equals[1] == '\0')
                        return complain(CTL_USAGE, "--network=%s: must be OLD=NEW", pair);
        }
        return CTL_OK;
}

static int append_networks(sd_bus_message *message)
{
        const char *pair;
        int r;

        if (!option_is_given(OPTION_NETWORK))
                return 0;
        r = sd_bus_message_open_container(message, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(message, "s", "networks");
        if (r >= 0)
                r = sd_bus_message_open_container(message, 'v', "a{ss}");
        if (r >= 0)
                r = sd_bus_message_open_container(message, 'a', "{ss}");
        for (size_t i = 0; r >= 0 && (pair = option_nth(OPTION_NETWORK, i)); i++) {
                const char *equals = strrchr(pair, '=');
                _cleanup_free_ char *old = strndup(pair, (size_t) (equals - pair));

                r = old ? sd_bus_message_append(message, "{ss}", old, equals + 1) : -ENOMEM;
        }
        for (int n = 0; r >= 0 && n < 3; n++)
                r = sd_bus_message_close_container(message);
        return r;
}

static int append_target(sd_bus_message *message)
{
        static const Word words[] = {
                { "vcenter", OPTION_VCENTER }, { "name", OPTION_NAME },
                { "folder", OPTION_FOLDER },   { "resource_pool", OPTION_POOL },
                { "host", OPTION_HOST },       { "datastore", OPTION_DATASTORE },
        };
        int r = sd_bus_message_open_container(message, 'a', "{sv}");

        if (r >= 0)
                r = append_texts(message, words, ELEMENTSOF(words));
        if (r >= 0)
                r = append_networks(message);
        if (r >= 0)
                r = append_flag(message, "power_on", OPTION_POWER_ON, 1);
        if (r >= 0)
                r = append_flag(message, "keep_macs", OPTION_KEEP_MACS, 1);
        if (r >= 0)
                r = append_flag(message, "force", OPTION_FORCE, 1);
        if (r >= 0)
                r = append_flag(message, "in_place", OPTION_IN_PLACE, 1);
        if (r >= 0)
                r = append_flag(message, "keep_disks", OPTION_KEEP_DISKS, 1);
        return r < 0 ? r : sd_bus_message_close_container(message);
}

static int append_options(sd_bus_message *message)
{
        static const Word words[] = { { "node", OPTION_THROUGH } };
        int r = sd_bus_message_open_container(message, 'a', "{sv}");

        if (r >= 0)
                r = append_texts(message, words, ELEMENTSOF(words));
        if (r >= 0)
                r = append_flag(message, "verify", OPTION_NO_VERIFY, 0);
        if (r >= 0)
                r = append_flag(message, "damaged_ok", OPTION_DAMAGED_OK, 1);
        return r < 0 ? r : sd_bus_message_close_container(message);
}

static ExitStatus start(const char *backup_id, json_t **ret_path, uint64_t *ret_id)
{
        CLEANUP(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *message = NULL, *reply = NULL;
        const char *text;
        ExitStatus s;
        int r;

        s = hub_connect(&bus);
        if (s == CTL_OK)
                s = hub_new_call(bus, "RestoreVm", true, &message);
        if (s != CTL_OK)
                return s;
        r = sd_bus_message_append(message, "s", backup_id);
        if (r >= 0)
                r = append_target(message);
        if (r >= 0)
                r = append_options(message);
        if (r < 0)
                return hub_complain_arguments(r);
        s = hub_call(bus, message, &reply);
        if (s == CTL_OK)
                s = hub_read_answer(reply, "o", ret_path);
        if (s != CTL_OK)
                return s;
        text = json_string_value(*ret_path);
        if (strncmp(text, JOB_PATH_PREFIX, strlen(JOB_PATH_PREFIX)) != 0 ||
            parse_uint64(text + strlen(JOB_PATH_PREFIX), 1, JOB_NUMBER_MAX, ret_id) < 0)
                return complain(CTL_FAILED,
                                "the hub's answer cannot be read: %s is no job. Compare: "
                                "sendensectl version",
                                text);
        return CTL_OK;
}

ExitStatus verb_restore_vm(int argc, char *argv[])
{
        CLEANUP(json_decref_p) json_t *path = NULL;
        uint64_t id = 0;
        ExitStatus s;

        (void) argc;
        s = check_networks();
        if (s == CTL_OK)
                s = start(argv[0], &path, &id);
        if (s != CTL_OK)
                return s;
        if (option_is_given(OPTION_WAIT) || (!arg_json && isatty(STDOUT_FILENO)))
                return job_watch(id);
        return show_act("Job", json_incref(path),
                        "job %" PRIu64 ". Watch it: sendensectl job watch %" PRIu64, id, id);
}
