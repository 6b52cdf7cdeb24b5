/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The strict config reader (see config.h). Reads whole small files, walks their lines, hands each
 * value to its table's parser. Called at start by every daemon and helper and by
 * `sendensectl config check`; never logs and knows no setting by name.
 */
#include "config.h"

#include "cleanup.h"
#include "small-file.h"
#include "utf8.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

/* One file being read. */
typedef struct Reader {
        Config *config;
        void *target;
        const char *file;
        unsigned line;
        const char *section; /* of a table, NULL before the first header */
        unsigned seen[CONFIG_KEYS_MAX];
        char **ret_error;
} Reader;

static void origin_done(ConfigOrigin *origin)
{
        free(origin->file);
        free(origin->value);
        *origin = (ConfigOrigin){};
}

void config_done(Config *config)
{
        for (size_t i = 0; i < config->n_keys; i++)
                origin_done(config->origins + i);
        *config = (Config){};
}

__attribute__((format(printf, 2, 3))) static int reader_fail(const Reader *reader,
                                                             const char *format, ...)
{
        _cleanup_free_ char *what = NULL;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&what, format, ap);
        va_end(ap);
        if (n < 0) {
                what = NULL;
                return -ENOMEM;
        }
        if (asprintf(reader->ret_error, "%s:%u: %s", reader->file, reader->line, what) < 0) {
                *reader->ret_error = NULL;
                return -ENOMEM;
        }
        return -EINVAL;
}

static int key_set(Config *config, size_t i, void *target, const char *value)
{
        const ConfigKey *key = config->keys + i;

        return key->parse(key, value, (char *) target + key->offset);
}

/* The table's own spelling of a section, NULL when no key lives in it. */
static const char *find_section(const Config *config, const char *name)
{
        for (size_t i = 0; i < config->n_keys; i++)
                if (strcmp(config->keys[i].section, name) == 0)
                        return config->keys[i].section;
        return NULL;
}

static bool find_key(const Config *config, const char *section, const char *name, size_t *ret_index)
{
        for (size_t i = 0; i < config->n_keys; i++)
                if (strcmp(config->keys[i].section, section) == 0 &&
                    strcmp(config->keys[i].name, name) == 0) {
                        *ret_index = i;
                        return true;
                }
        return false;
}

/* "A, B, C": the keys of a section, or, for NULL, the sections. */
static char *list_names(const Config *config, const char *section)
{
        char *list = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&list, &size);
        const char *last = NULL;

        if (!f)
                return NULL;
        for (size_t i = 0; i < config->n_keys; i++) {
                const ConfigKey *key = config->keys + i;

                if (section && strcmp(key->section, section) != 0)
                        continue;
                if (!section && last && strcmp(last, key->section) == 0)
                        continue;
                (void) fprintf(f, section ? "%s%s=" : "%s[%s]", last ? ", " : "",
                               section ? key->name : key->section);
                last = key->section;
        }
        if (fclose(f) != 0) {
                free(list);
                return NULL;
        }
        return list;
}

static char *strip(char *text)
{
        size_t n;

        text += strspn(text, " \t");
        n = strlen(text);
        while (n > 0 && strchr(" \t\r", text[n - 1]))
                text[--n] = '\0';
        return text;
}

static int read_header(Reader *reader, char *line)
{
        size_t n = strlen(line);
        _cleanup_free_ char *known = NULL;

        if (line[n - 1] != ']')
                return reader_fail(reader, "section header '%s' must end in ']'", line);
        line[n - 1] = '\0';

        reader->section = find_section(reader->config, line + 1);
        if (reader->section)
                return 0;

        known = list_names(reader->config, NULL);
        return reader_fail(reader, "unknown section [%s], must be one of %s", line + 1,
                           known ?: "the documented ones");
}

static int read_assignment(Reader *reader, char *line)
{
        _cleanup_free_ char *known = NULL;
        char *equals = strchr(line, '=');
        const ConfigKey *key;
        const char *name, *value, *effective;
        ConfigOrigin *origin;
        size_t i;
        int r;

        if (!equals)
                return reader_fail(reader, "'%s' must be a [Section] or a Key=value", line);
        *equals = '\0';
        name = strip(line);
        value = strip(equals + 1);

        if (!reader->section)
                return reader_fail(reader, "%s= must stand below a [Section]", name);
        if (!find_key(reader->config, reader->section, name, &i)) {
                known = list_names(reader->config, reader->section);
                return reader_fail(reader, "unknown key %s= in [%s], must be one of %s", name,
                                   reader->section, known ?: "the documented ones");
        }
        key = reader->config->keys + i;
        if (reader->seen[i] > 0)
                return reader_fail(reader, "[%s] %s= is set in line %u already, must be set once",
                                   key->section, key->name, reader->seen[i]);

        effective = *value ? value : key->fallback;
        r = key_set(reader->config, i, reader->target, effective);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return reader_fail(reader, "[%s] %s=%s must be %s", key->section, key->name, value,
                                   key->expected);

        origin = reader->config->origins + i;
        origin_done(origin);
        *origin = (ConfigOrigin){ strdup(reader->file), reader->line, strdup(effective) };
        if (!origin->file || !origin->value)
                return -ENOMEM;
        reader->seen[i] = reader->line;
        return 0;
}

static int read_line(Reader *reader, const char *start, size_t size)
{
        char line[CONFIG_LINE_LENGTH_MAX + 1];
        char *text;

        if (size > CONFIG_LINE_LENGTH_MAX)
                return reader_fail(reader, "line has %zu bytes, must have %i at most", size,
                                   CONFIG_LINE_LENGTH_MAX);
        memcpy(line, start, size);
        line[size] = '\0';
        for (size_t i = 0; i < size; i++)
                if (((unsigned char) line[i] < ' ' && !strchr("\t\r", line[i])) || line[i] == 0x7f)
                        return reader_fail(reader, "byte 0x%02x must not be in a text file",
                                           (unsigned) (unsigned char) line[i]);
        if (!utf8_is_valid(line))
                return reader_fail(reader, "must be UTF-8 text");

        text = strip(line);
        if (text[0] == '\0' || text[0] == '#' || text[0] == ';')
                return 0;
        if (text[strlen(text) - 1] == '\\')
                return reader_fail(reader, "a line must not be continued by '\\'");
        if (text[0] == '[')
                return read_header(reader, text);
        return read_assignment(reader, text);
}

static int read_text(Config *config, const char *file, const char *text, size_t size, void *target,
                     char **ret_error)
{
        Reader reader = {
                .config = config,
                .target = target,
                .file = file,
                .ret_error = ret_error,
        };
        int r;

        while (size > 0) {
                const char *newline = memchr(text, '\n', size);
                size_t length = newline ? (size_t) (newline - text) : size;

                reader.line++;
                /* strlen() of a line is used below, so a NUL must not hide the rest of it. */
                if (memchr(text, '\0', length))
                        return reader_fail(&reader, "byte 0x00 must not be in a text file");
                r = read_line(&reader, text, length);
                if (r < 0)
                        return r;
                text += length;
                size -= length;
                if (newline) {
                        text++;
                        size--;
                }
        }
        return 0;
}

__attribute__((format(printf, 4, 5))) static int fail_file(const char *path, int error,
                                                           char **ret_error, const char *format,
                                                           ...)
{
        _cleanup_free_ char *what = NULL;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&what, format, ap);
        va_end(ap);
        if (n < 0) {
                what = NULL;
                return -ENOMEM;
        }
        if (asprintf(ret_error, "%s: %s", path, what) < 0) {
                *ret_error = NULL;
                return -ENOMEM;
        }
        return error;
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
        return read_text(config, path, text, size, target, ret_error);
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

        if (asprintf(&path, "%s/%s", folder, name) < 0) {
                path = NULL;
                return -ENOMEM;
        }
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
                r = key_set(config, i, target, keys[i].fallback);
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
        return read_text(config, name, text, size, target, ret_error);
}

char *config_complain(const Config *config, const char *section, const char *name,
                      const char *format, ...)
{
        _cleanup_free_ char *what = NULL;
        char *line = NULL;
        va_list ap;
        size_t i;
        int n;

        va_start(ap, format);
        n = vasprintf(&what, format, ap);
        va_end(ap);
        if (n < 0) {
                what = NULL;
                return NULL;
        }

        if (find_key(config, section, name, &i) && config->origins[i].file)
                n = asprintf(&line, "%s:%u: [%s] %s=: %s", config->origins[i].file,
                             config->origins[i].line, section, name, what);
        else
                n = asprintf(&line, "built-in default: [%s] %s=: %s", section, name, what);
        return n < 0 ? NULL : line;
}

bool config_is_set(const Config *config, const char *section, const char *name)
{
        size_t i;

        return find_key(config, section, name, &i) && config->origins[i].file;
}

const char *config_value(const Config *config, size_t i)
{
        return config->origins[i].value ?: config->keys[i].fallback;
}
