/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Loading settings (see config.h): defaults, then a file, then its drop-ins. Called at start by every
 * daemon and helper and by `sendensectl config check`; never logs and knows no setting by name.
 */
#include "config.h"

#include "cleanup.h"
#include "config-reader.h"
#include "small-file.h"
#include "text.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

void config_done(Config *config)
{
        for (size_t i = 0; i < config->n_keys; i++)
                config_origin_done(config, i);
        *config = (Config){};
}

__attribute__((format(printf, 4, 5))) static int fail_file(const char *path, int error,
                                                           char **ret_error, const char *format,
                                                           ...)
{
        _cleanup_free_ char *what = NULL;
        va_list ap;

        va_start(ap, format);
        what = text_vformat(format, ap);
        va_end(ap);
        if (!what)
                return -ENOMEM;
        *ret_error = text_format("%s: %s", path, what);
        return *ret_error ? error : -ENOMEM;
}

static int read_file(Config *config, const char *path, void *target, char **ret_error)
{
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r;

        r = small_file_read(path, CONFIG_FILE_SIZE_MAX, &text, &size);
        if (r == -ENOENT || r == -ENOMEM)
                return r;
        if (r == -EFBIG)
                return fail_file(path, r, ret_error, "is too large, must have %i bytes at most",
                                 CONFIG_FILE_SIZE_MAX);
        if (r < 0) {
                errno = -r;
                return fail_file(path, r, ret_error,
                                 "cannot be read: %m; must be a text file that this user can read");
        }
        return config_read_text(config, path, text, size, target, ret_error);
}

static int is_dropin(const struct dirent *entry)
{
        size_t n = strlen(entry->d_name);

        return entry->d_name[0] != '.' && n > 5 && strcmp(entry->d_name + n - 5, ".conf") == 0;
}

static int compare_bytes(const struct dirent **a, const struct dirent **b)
{
        return strcmp((*a)->d_name, (*b)->d_name);
}

static int read_dropin(Config *config, const char *folder, const char *name, void *target,
                       char **ret_error)
{
        _cleanup_free_ char *path = NULL;
        int r;

        path = text_format("%s/%s", folder, name);
        if (!path)
                return -ENOMEM;
        r = read_file(config, path, target, ret_error);
        if (r == -ENOENT)
                return fail_file(path, r, ret_error,
                                 "leads nowhere, must be a text file or a link to one");
        return r;
}

static int read_dropins(Config *config, const char *folder, void *target, char **ret_error)
{
        struct dirent **entries = NULL;
        int n, r = 0;

        n = scandir(folder, &entries, is_dropin, compare_bytes);
        if (n < 0 && errno == ENOENT)
                return 0;
        if (n < 0)
                return fail_file(folder, -errno, ret_error,
                                 "cannot be read: %m; must be a folder that this user can read");
        if (n > CONFIG_DROPINS_MAX)
                r = fail_file(folder, -E2BIG, ret_error, "holds %i drop-ins, must hold %i at most",
                              n, CONFIG_DROPINS_MAX);

        for (int i = 0; i < n; i++) {
                if (r == 0)
                        r = read_dropin(config, folder, entries[i]->d_name, target, ret_error);
                free(entries[i]);
        }
        free(entries);
        return r;
}

/* The table is ours: a default that its own parser refuses is a bug that every start would show. */
static int set_defaults(Config *config, const ConfigKey *keys, size_t n_keys, void *target,
                        char **ret_error)
{
        int r;

        if (n_keys > CONFIG_KEYS_MAX)
                return -E2BIG;
        config_done(config);
        *config = (Config){ .keys = keys, .n_keys = n_keys };

        for (size_t i = 0; i < n_keys; i++) {
                r = config_set_key(config, i, target, keys[i].fallback);
                if (r == -ENOMEM)
                        return r;
                if (r < 0) {
                        *ret_error = config_complain(config, keys[i].section, keys[i].name,
                                                     "default '%s' must be %s", keys[i].fallback,
                                                     keys[i].expected);
                        return *ret_error ? r : -ENOMEM;
                }
        }
        return 0;
}

int config_load(Config *config, const ConfigKey *keys, size_t n_keys, const char *path,
                const char *folder, void *target, char **ret_error)
{
        int r;

        r = set_defaults(config, keys, n_keys, target, ret_error);
        if (r < 0)
                return r;
        r = read_file(config, path, target, ret_error);
        if (r < 0 && r != -ENOENT)
                return r;
        return folder ? read_dropins(config, folder, target, ret_error) : 0;
}

int config_load_text(Config *config, const ConfigKey *keys, size_t n_keys, const char *name,
                     const char *text, size_t size, void *target, char **ret_error)
{
        int r;

        r = set_defaults(config, keys, n_keys, target, ret_error);
        if (r < 0)
                return r;
        return config_read_text(config, name, text, size, target, ret_error);
}

char *config_complain(const Config *config, const char *section, const char *name,
                      const char *format, ...)
{
        _cleanup_free_ char *what = NULL;
        va_list ap;
        size_t i;

        va_start(ap, format);
        what = text_vformat(format, ap);
        va_end(ap);
        if (!what)
                return NULL;
        if (config_find_key(config, section, name, &i) && config->origins[i].file)
                return text_format("%s:%u: [%s] %s=: %s", config->origins[i].file,
                                   config->origins[i].line, section, name, what);
        return text_format("built-in default: [%s] %s=: %s", section, name, what);
}

bool config_is_set(const Config *config, const char *section, const char *name)
{
        size_t i;

        return config_find_key(config, section, name, &i) && config->origins[i].file;
}

const char *config_value(const Config *config, size_t i)
{
        return config->origins[i].value ?: config->keys[i].fallback;
}
