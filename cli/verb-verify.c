/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendensectl backup verify: one backup is read back, or all that were not for a while.
 */
#include "cleanup.h"
#include "columns.h"
#include "ctl.h"
#include "hub-client.h"
#include "job-begun.h"
#include "job-watch.h"
#include "json-cleanup.h"
#include "names.h"
#include "options.h"
#include "parse.h"

#include <inttypes.h>
#include <string.h>

enum {
        AGE_MAX_SEC = 3650 * 86400,
};

static ExitStatus verify_one(const char *backup_id)
{
        CLEANUP(json_decref_p) json_t *path = NULL;
        uint64_t id = 0;
        ExitStatus s;

        if (option_is_given(OPTION_NO_CHAIN))
                s = hub_ask("VerifyBackup", true, "o", &path, "sa{sv}", backup_id, 1, "chain", "b",
                            0);
        else
                s = hub_ask("VerifyBackup", true, "o", &path, "sa{sv}", backup_id, 0);
        if (s == CTL_OK)
                s = job_number(path, &id);
        if (s != CTL_OK)
                return s;
        if (option_is_given(OPTION_WAIT))
                return job_watch(id);
        return show_act("Job", json_incref(path),
                        "job %" PRIu64 ". Watch it: sendensectl job watch %" PRIu64, id, id);
}

static int append_all(sd_bus_message *message, uint64_t age_usec)
{
        const char *vm = option_value(OPTION_VM), *repository = option_value(OPTION_REPOSITORY);
        int r;

        r = sd_bus_message_open_container(message, 'a', "{sv}");
        if (r >= 0 && age_usec > 0)
                r = sd_bus_message_append(message, "{sv}", "older_than_usec", "t", age_usec);
        if (r >= 0 && vm)
                r = sd_bus_message_append(message, "{sv}", "vm", "s", vm);
        if (r >= 0 && repository)
                r = sd_bus_message_append(message, "{sv}", "repository", "s", repository);
        return r < 0 ? r : sd_bus_message_close_container(message);
}

static ExitStatus verify_all(uint64_t age_usec)
{
        CLEANUP(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *message = NULL, *reply = NULL;
        CLEANUP(json_decref_p) json_t *paths = NULL;
        ExitStatus s;
        int r;

        s = hub_connect(&bus);
        if (s == CTL_OK)
                s = hub_new_call(bus, "VerifyAll", true, &message);
        if (s != CTL_OK)
                return s;
        r = append_all(message, age_usec);
        if (r < 0)
                return hub_complain_arguments(r);
        s = hub_call(bus, message, &reply);
        if (s == CTL_OK)
                s = hub_read_answer(reply, "ao", &paths);
        if (s != CTL_OK)
                return s;
        return show_act("Jobs", json_incref(paths),
                        json_array_size(paths) == 0 ? "Nothing is due."
                                                    : "%zu jobs. List them: sendensectl job list",
                        json_array_size(paths));
}

static ExitStatus check_usage(int argc, uint64_t *ret_age_usec)
{
        const char *age = option_value(OPTION_OLDER_THAN);
        bool all = option_is_given(OPTION_ALL);

        if (all == (argc > 0))
                return complain(CTL_USAGE, "backup verify wants a backup, or --all");
        if (all && (option_is_given(OPTION_NO_CHAIN) || option_is_given(OPTION_WAIT)))
                return complain(CTL_USAGE, "--no-chain and --wait are for one backup");
        if (!all && (age || option_is_given(OPTION_VM) || option_is_given(OPTION_REPOSITORY)))
                return complain(CTL_USAGE, "--older-than=, --vm= and --repository= go with --all");
        if (age && parse_span_usec(age, USEC_PER_SEC, AGE_MAX_SEC * USEC_PER_SEC, ret_age_usec) < 0)
                return complain(CTL_USAGE, "--older-than=%s: must be a time, such as 7d", age);
        return CTL_OK;
}

ExitStatus verb_backup_verify(int argc, char *argv[])
{
        uint64_t age_usec = 0;
        ExitStatus s = check_usage(argc, &age_usec);

        if (s != CTL_OK)
                return s;
        return argc > 0 ? verify_one(argv[0]) : verify_all(age_usec);
}
