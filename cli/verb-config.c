/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendensectl config check|show: the hub's settings as they stand in the files, by the reader that the
 * hub uses.
 */
#include "cleanup.h"
#include "ctl.h"
#include "hub-config.h"
#include "json-cleanup.h"
#include "output.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#define HUB_USER "sendense"

/* *ret_error is the line about what is wrong. */
static int load(HubConfig *config, const char *path, char **ret_error)
{
        int r = hub_config_load_named(config, path, ret_error);

        if (r < 0 && !*ret_error)
                *ret_error = strdup(strerror(-r));
        return r;
}

/* What root can read, the hub may not be able to: the files of every day are read as its user. Where there is
 * no such user, nothing is installed, and there is no other to ask. What follows only prints. */
static int become_hub_user(void)
{
        const struct passwd *user;

        if (geteuid() != 0)
                return 0;
        errno = 0;
        user = getpwnam(HUB_USER);
        if (!user)
                return -errno;
        if (initgroups(user->pw_name, user->pw_gid) < 0 ||
            setresgid(user->pw_gid, user->pw_gid, user->pw_gid) < 0 ||
            setresuid(user->pw_uid, user->pw_uid, user->pw_uid) < 0)
                return -errno;
        return 0;
}

static ExitStatus print_verdict(const char *path, const char *error)
{
        CLEANUP(json_decref_p)
        json_t *verdict = json_pack("{s:s, s:b, s:s?}", "file", path, "valid", error == NULL,
                                    "error", error);

        if (arg_json && (!verdict || output_json(verdict) < 0))
                return complain(CTL_FAILED, "Out of memory");
        if (!arg_json && error)
                (void) fprintf(stderr, "%s\n", error);
        if (!arg_json && !error)
                (void) printf("%s: good, with all its drop-ins%s\n", path,
                              access(path, F_OK) < 0 ? " (there is no such file: the defaults hold)"
                                                     : "");
        return error ? CTL_CONFIG : CTL_OK;
}

ExitStatus verb_config_check(int argc, char *argv[])
{
        CLEANUP(hub_config_done) HubConfig config = {};
        const char *path = argc > 0 ? argv[0] : NULL;
        _cleanup_free_ char *error = NULL;
        int r;

        if (!path) {
                r = become_hub_user();
                if (r < 0)
                        return complain(CTL_FAILED,
                                        "Cannot become the user %s, as whom the hub reads its "
                                        "settings: %s",
                                        HUB_USER, strerror(-r));
        }
        r = load(&config, path, &error);
        return print_verdict(path ?: HUB_CONFIG_FILE, r < 0 ? error ?: "out of memory" : NULL);
}

static json_t *describe(const Config *config, size_t i)
{
        const ConfigOrigin *origin = config->origins + i;
        const ConfigKey *key = hub_config_keys + i;
        json_t *line = origin->file ? json_integer(origin->line) : json_null();

        return json_pack("{s:s, s:s, s:s, s:s, s:s?, s:o}", "section", key->section, "key",
                         key->name, "value", config_value(config, i), "default", key->fallback,
                         "file", origin->file, "line", line);
}

static json_t *row(const Config *config, size_t i)
{
        const ConfigOrigin *origin = config->origins + i;
        _cleanup_free_ char *name = NULL, *from = NULL;

        if (asprintf(&name, "[%s] %s=", hub_config_keys[i].section, hub_config_keys[i].name) < 0) {
                name = NULL;
                return NULL;
        }
        if (origin->file && asprintf(&from, "%s:%u", origin->file, origin->line) < 0) {
                from = NULL;
                return NULL;
        }
        return json_pack("[s, s, s]", name, config_value(config, i), from ?: "default");
}

ExitStatus verb_config_show(int argc, char *argv[])
{
        CLEANUP(hub_config_done) HubConfig config = {};
        CLEANUP(json_decref_p) json_t *list = NULL;
        _cleanup_free_ char *error = NULL;
        int r;

        r = load(&config, argc > 0 ? argv[0] : NULL, &error);
        if (r < 0) {
                (void) fprintf(stderr, "%s\n", error ?: "out of memory");
                return CTL_CONFIG;
        }

        list = arg_json ? json_array() : json_pack("[[s, s, s]]", "SETTING", "VALUE", "FROM");
        for (size_t i = 0; i < hub_config_n_keys; i++)
                if (json_array_append_new(list, arg_json ? describe(&config.config, i)
                                                         : row(&config.config, i)) < 0)
                        return complain(CTL_FAILED, "Out of memory");
        r = arg_json ? output_json(list) : output_table(list, 0);
        return r < 0 ? complain(CTL_FAILED, "Out of memory") : CTL_OK;
}
