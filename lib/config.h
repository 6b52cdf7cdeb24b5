/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A strict reader of `[Section]` `Key=value` files as systemd writes them, with drop-ins. Every
 * error is one line that names file, line and key and says what would be right. Knows no setting by
 * name: each program's table does (hub-config.c). Does not log.
 *
 * Comments start with # or ; at the beginning of a line. An empty value means the default. A key
 * may stand once in a file; a later drop-in overrides an earlier file.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        CONFIG_FILE_SIZE_MAX = 64 * 1024,
        CONFIG_LINE_LENGTH_MAX = 1024,
        CONFIG_DROPINS_MAX = 64,
        CONFIG_KEYS_MAX = 64,
};

typedef struct ConfigKey ConfigKey;

/* Reads value into field. 0, or -EINVAL when the value is not what key->expected describes. */
typedef int (*ConfigParse)(const ConfigKey *key, const char *value, void *field);

struct ConfigKey {
        const char *section;
        const char *name;
        ConfigParse parse;
        size_t offset; /* of the field in the target structure */
        uint64_t min, max; /* for the parsers that use them */
        const char *fallback; /* the default, parsed like any value: one place for each setting */
        const char *expected; /* ends "must be …": "a port from 1 to 65535" */
};

/* Where a value came from and how it is written; file and value are NULL for a default. */
typedef struct ConfigOrigin {
        char *file;
        unsigned line;
        char *value;
} ConfigOrigin;

typedef struct Config {
        const ConfigKey *keys;
        size_t n_keys;
        ConfigOrigin origins[CONFIG_KEYS_MAX];
} Config;

void config_done(Config *config);

/* Fills every field of target: defaults first, then path (which may be missing), then the drop-ins
 * `folder/NAME.conf` in order of their names (the folder may be missing). folder may be NULL. config
 * and target must be zeroed or hold earlier values, whose strings are freed.
 * Negative errno with *ret_error (one line, owned by the caller) set, but for -ENOMEM; -EINVAL for what
 * an operator must mend in a file, others for a file or folder that cannot be read. */
int config_load(Config *config, const ConfigKey *keys, size_t n_keys, const char *path,
                const char *folder, void *target, char **ret_error);

/* The same for text in memory, without drop-ins; name stands for the file in errors. */
int config_load_text(Config *config, const ConfigKey *keys, size_t n_keys, const char *name,
                     const char *text, size_t size, void *target, char **ret_error);

/* Whether a file set the key, rather than the table's default. */
bool config_is_set(const Config *config, const char *section, const char *name);

/* One line "FILE:LINE: [Section] Key=: text" (or "default of …" when the key was not set), for
 * checks that compare settings with each other. NULL when out of memory. */
char *config_complain(const Config *config, const char *section, const char *name,
                      const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The text of key i as it is in force. Borrowed. */
const char *config_value(const Config *config, size_t i);
