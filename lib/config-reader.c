/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The syntax of settings (see config-reader.h): sections, assignments, comments, and a sentence for
 * each way to get them wrong.
 */
#include "config-reader.h"

#include "cleanup.h"
#include "config.h"
#include "text.h"
#include "utf8.h"

#include <errno.h>
#include <stdarg.h>
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

void config_origin_done(Config *config, size_t i)
{
        free(config->origins[i].file);
        free(config->origins[i].value);
        config->origins[i] = (ConfigOrigin){};
}

__attribute__((format(printf, 2, 3))) static int reader_fail(const Reader *reader,
                                                             const char *format, ...)
{
        _cleanup_free_ char *what = NULL;
        va_list ap;

        va_start(ap, format);
        what = text_vformat(format, ap);
        va_end(ap);
        if (!what)
                return -ENOMEM;
        *reader->ret_error = text_format("%s:%u: %s", reader->file, reader->line, what);
        return *reader->ret_error ? -EINVAL : -ENOMEM;
}

int config_set_key(const Config *config, size_t i, void *target, const char *value)
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

bool config_find_key(const Config *config, const char *section, const char *name, size_t *ret_index)
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
        if (!config_find_key(reader->config, reader->section, name, &i)) {
                known = list_names(reader->config, reader->section);
                return reader_fail(reader, "unknown key %s= in [%s], must be one of %s", name,
                                   reader->section, known ?: "the documented ones");
        }
        key = reader->config->keys + i;
        if (reader->seen[i] > 0)
                return reader_fail(reader, "[%s] %s= is set in line %u already, must be set once",
                                   key->section, key->name, reader->seen[i]);

        effective = *value ? value : key->fallback;
        r = config_set_key(reader->config, i, reader->target, effective);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return reader_fail(reader, "[%s] %s=%s must be %s", key->section, key->name, value,
                                   key->expected);

        origin = reader->config->origins + i;
        config_origin_done(reader->config, i);
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

int config_read_text(Config *config, const char *file, const char *text, size_t size, void *target,
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
