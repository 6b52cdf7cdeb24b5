/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendensectl config check|show: the settings of hub and node as they stand in the files, by the readers that
 * these daemons use.
 */
#include "cleanup.h"
#include "ctl.h"
#include "hub-config.h"
#include "json-cleanup.h"
#include "node-config.h"
#include "options.h"
#include "output.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

/* Of one daemon, as they were read. */
typedef struct Settings {
        HubConfig hub;
        NodeConfig node;
        const Config *config; /* of the one that was read */
} Settings;

typedef struct Daemon {
        const char *name, *user, *file;
        int (*load)(Settings *settings, const char *path, char **ret_error);
} Daemon;

static void settings_done(Settings *settings)
{
        hub_config_done(&settings->hub);
        node_config_done(&settings->node);
}

static int load_hub(Settings *settings, const char *path, char **ret_error)
{
        settings->config = &settings->hub.config;
        return hub_config_load_named(&settings->hub, path, ret_error);
}

static int load_node(Settings *settings, const char *path, char **ret_error)
{
        settings->config = &settings->node.config;
        return node_config_load(&settings->node, path, ret_error);
}

static const Daemon daemons[] = {
        { "hub", "sendense", HUB_CONFIG_FILE, load_hub },
        { "node", "sendense-node", NODE_CONFIG_FILE, load_node },
};

/* Which of them the words mean: a file is the hub's, unless somebody says that it is the node's. */
static bool is_meant(const Daemon *daemon, const char *path)
{
        bool is_node = daemon != daemons;

        return option_is_given(OPTION_NODE) ? is_node : !path || !is_node;
}

static int load(const Daemon *daemon, Settings *settings, const char *path, char **ret_error)
{
        int r = daemon->load(settings, path, ret_error);

        if (r < 0 && !*ret_error)
                *ret_error = strdup(strerror(-r));
        return r;
}

/* What root can read, the daemon may not be able to: the files of every day are read as its user. Where there is
 * no such user, nothing is installed, and there is no other to ask. */
static int become_user(const Daemon *daemon)
{
        const struct passwd *user;

        if (geteuid() != 0)
                return 0;
        errno = 0;
        user = getpwnam(daemon->user);
        if (!user)
                return -errno;
        if (initgroups(user->pw_name, user->pw_gid) < 0 || setegid(user->pw_gid) < 0 ||
            seteuid(user->pw_uid) < 0)
                return -errno;
        return 0;
}

static int become_oneself(void)
{
        if (geteuid() == getuid())
                return 0;
        if (seteuid(getuid()) < 0 || setegid(getgid()) < 0 || setgroups(0, NULL) < 0)
                return -errno;
        return 0;
}

static int add_verdict(json_t *list, const char *path, const char *error)
{
        if (!arg_json && error)
                (void) fprintf(stderr, "%s\n", error);
        if (!arg_json && !error)
                (void) printf("%s: good, with all its drop-ins%s\n", path,
                              access(path, F_OK) < 0 ? " (there is no such file: the defaults hold)"
                                                     : "");
        return json_array_append_new(list, json_pack("{s:s, s:b, s:s?}", "file", path, "valid",
                                                     error == NULL, "error", error));
}

static ExitStatus check(const Daemon *daemon, const char *path, json_t *list)
{
        CLEANUP(settings_done) Settings settings = {};
        _cleanup_free_ char *error = NULL;
        int r, left;

        r = path ? 0 : become_user(daemon);
        if (r < 0)
                return complain(CTL_FAILED,
                                "Cannot become the user %s, as whom the %s reads its settings: %s",
                                daemon->user, daemon->name, strerror(-r));
        r = load(daemon, &settings, path, &error);
        left = become_oneself();
        if (left < 0)
                return complain(CTL_FAILED, "Cannot become root again: %s", strerror(-left));
        if (add_verdict(list, path ?: daemon->file, r < 0 ? error ?: "out of memory" : NULL) < 0)
                return complain(CTL_FAILED, "Out of memory");
        return r < 0 ? CTL_CONFIG : CTL_OK;
}

ExitStatus verb_config_check(int argc, char *argv[])
{
        const char *path = argc > 0 ? argv[0] : NULL;
        CLEANUP(json_decref_p) json_t *list = json_array();
        ExitStatus s = CTL_OK;

        for (size_t i = 0; i < ELEMENTSOF(daemons); i++) {
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

        r = load(daemon, &settings, path, &error);
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

        for (size_t i = 0; i < ELEMENTSOF(daemons); i++) {
                ExitStatus s = is_meant(daemons + i, path) ? show(daemons + i, path, list) : CTL_OK;

                if (s != CTL_OK)
                        return s;
        }
        r = arg_json ? output_json(list) : output_table(list, 0);
        return r < 0 ? complain(CTL_FAILED, "Out of memory") : CTL_OK;
}
