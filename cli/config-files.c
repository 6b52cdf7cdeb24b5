/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading settings (see config-files.h).
 */
#include "config-files.h"

#include "cleanup.h"
#include "parse.h"
#include "text.h"

#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void settings_done(Settings *settings)
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

const Daemon daemons[] = {
        [DAEMON_HUB] = { "hub", "sendense", HUB_CONFIG_FILE, "sendense-hub.service", load_hub },
        [DAEMON_NODE] = { "node", "sendense-node", NODE_CONFIG_FILE, "sendense-node.service",
                          load_node },
};

int settings_load(const Daemon *daemon, Settings *settings, const char *path, char **ret_error)
{
        int r = daemon->load(settings, path, ret_error);

        if (r < 0 && !*ret_error)
                *ret_error = strdup(strerror(-r));
        return r;
}

/* Where there is no such user, nothing is installed, and there is no other to ask. */
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

ExitStatus settings_check(const Daemon *daemon, Settings *settings, const char *path, json_t *list)
{
        _cleanup_free_ char *error = NULL;
        int r, left;

        r = path ? 0 : become_user(daemon);
        if (r < 0)
                return complain(CTL_FAILED,
                                "Cannot become the user %s, as whom the %s reads its settings: %s",
                                daemon->user, daemon->name, strerror(-r));
        r = settings_load(daemon, settings, path, &error);
        left = become_oneself();
        if (left < 0)
                return complain(CTL_FAILED, "Cannot become root again: %s", strerror(-left));
        if (add_verdict(list, path ?: daemon->file, r < 0 ? error ?: "out of memory" : NULL) < 0)
                return complain(CTL_FAILED, "Out of memory");
        return r < 0 ? CTL_CONFIG : CTL_OK;
}

static void look(const char *path, uint64_t *newest)
{
        struct stat st;
        uint64_t usec;

        if (stat(path, &st) < 0)
                return;
        /* A file that is put in place keeps the time when it was written: this one is of the move. */
        usec = (uint64_t) st.st_ctim.tv_sec * USEC_PER_SEC + (uint64_t) st.st_ctim.tv_nsec / 1000;
        if (usec > *newest)
                *newest = usec;
}

uint64_t settings_changed_usec(const Daemon *daemon)
{
        _cleanup_free_ char *folder = text_format("%s.d", daemon->file);
        DIR *dir = folder ? opendir(folder) : NULL;
        const struct dirent *entry;
        uint64_t newest = 0;

        look(daemon->file, &newest);
        if (!dir)
                return newest;
        /* Of the folder itself: one that was taken away. */
        look(folder, &newest);
        while ((entry = readdir(dir))) {
                _cleanup_free_ char *path = text_format("%s/%s", folder, entry->d_name);

                if (path && *entry->d_name != '.')
                        look(path, &newest);
        }
        (void) closedir(dir);
        return newest;
}
