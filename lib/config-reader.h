/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One text of settings, line by line: the part of the config reader that knows the syntax. Called by
 * config.c alone, which knows files. Pure; does not log.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

typedef struct Config Config;

/* Reads the lines of text into the fields of target and notes where each value came from. file stands
 * for itself in errors. -EINVAL with *ret_error set, or -ENOMEM. */
int config_read_text(Config *config, const char *file, const char *text, size_t size, void *target,
                     char **ret_error);

/* Reads value into the field of key i: 0, or what the key's parser returns. */
int config_set_key(const Config *config, size_t i, void *target, const char *value);

bool config_find_key(const Config *config, const char *section, const char *name,
                     size_t *ret_index);

/* Forgets where the value of key i came from. */
void config_origin_done(Config *config, size_t i);
