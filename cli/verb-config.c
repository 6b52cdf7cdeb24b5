/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendensectl config check|show: the settings of hub and node as they stand in the files, by the readers that
 * these daemons use.
 */
#include "cleanup.h"
#include "config-files.h"
#include "ctl.h"
#include "json-cleanup.h"
#include "options.h"
#include "output.h"

/* Which of them the words mean: a file is the hub's, unless somebody says that it is the node's. */
static bool is_meant(const Daemon *daemon, const char *path)
{
        bool is_node = daemon != daemons;

        return option_is_given(OPTION_NODE) ? is_node : !path || !is_node;
}

static ExitStatus check(const Daemon *daemon, const char *path, json_t *list)
{
        CLEANUP(settings_done) Settings settings = {};

        return settings_check(daemon, &settings, path, list);
}

ExitStatus verb_config_check(int argc, char *argv[])
{
        const char *path = argc > 0 ? argv[0] : NULL;
        CLEANUP(json_decref_p) json_t *list = json_array();
        ExitStatus s = CTL_OK;

        for (size_t i = 0; i < DAEMONS; i++) {
                ExitStatus of_one = is_meant(daemons + i, path) ? check(daemons + i, path, list)
                                                                : CTL_OK;

                if (of_one == CTL_FAILED)
                        return of_one;
                s = s == CTL_OK ? of_one : s;
        }
        if (arg_json && output_json(list) < 0)
                return complain(CTL_FAILED, "Out of memory");
        return s;
}

static json_t *describe(const Daemon *daemon, const Config *config, size_t i)
{
        const ConfigOrigin *origin = config->origins + i;
        const ConfigKey *key = config->keys + i;
        json_t *line = origin->file ? json_integer(origin->line) : json_null();

        return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s?, s:o}", "daemon", daemon->name, "section",
                         key->section, "key", key->name, "value", config_value(config, i),
                         "default", key->fallback, "file", origin->file, "line", line);
}

static json_t *row(const Daemon *daemon, const Config *config, size_t i)
{
        const ConfigOrigin *origin = config->origins + i;
        _cleanup_free_ char *name = NULL, *from = NULL;

        if (asprintf(&name, "[%s] %s=", config->keys[i].section, config->keys[i].name) < 0) {
                name = NULL;
                return NULL;
        }
        if (origin->file && asprintf(&from, "%s:%u", origin->file, origin->line) < 0) {
                from = NULL;
                return NULL;
        }
        return json_pack("[s, s, s, s]", daemon->name, name, config_value(config, i),
                         from ?: "default");
}

static ExitStatus show(const Daemon *daemon, const char *path, json_t *list)
{
        CLEANUP(settings_done) Settings settings = {};
        _cleanup_free_ char *error = NULL;
        int r;

        r = settings_load(daemon, &settings, path, &error);
        if (r < 0) {
                (void) fprintf(stderr, "%s\n", error ?: "out of memory");
                return CTL_CONFIG;
        }
        for (size_t i = 0; i < settings.config->n_keys; i++)
                if (json_array_append_new(list, arg_json ? describe(daemon, settings.config, i)
                                                         : row(daemon, settings.config, i)) < 0)
                        return complain(CTL_FAILED, "Out of memory");
        return CTL_OK;
}

ExitStatus verb_config_show(int argc, char *argv[])
{
        const char *path = argc > 0 ? argv[0] : NULL;
        CLEANUP(json_decref_p)
        json_t *list = arg_json ? json_array()
                                : json_pack("[[s, s, s, s]]", "DAEMON", "SETTING", "VALUE", "FROM");
        int r;

        for (size_t i = 0; i < DAEMONS; i++) {
                ExitStatus s = is_meant(daemons + i, path) ? show(daemons + i, path, list) : CTL_OK;

                if (s != CTL_OK)
                        return s;
        }
        r = arg_json ? output_json(list) : output_table(list, 0);
        return r < 0 ? complain(CTL_FAILED, "Out of memory") : CTL_OK;
}
