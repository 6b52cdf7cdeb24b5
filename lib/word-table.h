/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Words of an enum and back, out of a table of them, for the rooms that define such words. The functions that
 * DEFINE_WORDS() makes answer NULL, or -EINVAL, for what is not in the table.
 */
#pragma once

#include "cleanup.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

static inline const char *word_table_get(const char *const *table, size_t n, int value)
{
        return value >= 0 && (size_t) value < n ? table[value] : NULL;
}

static inline int word_table_find(const char *const *table, size_t n, const char *text)
{
        for (size_t i = 0; i < n; i++)
                if (strcmp(table[i], text) == 0)
                        return (int) i;
        return -EINVAL;
}

/* The table is called as the words, with an s behind. */
#define DEFINE_WORDS(type, name)                                                   \
        const char *name##_to_string(type value)                                   \
        {                                                                          \
                return word_table_get(name##s, ELEMENTSOF(name##s), (int) value);  \
        }                                                                          \
        type name##_from_string(const char *text)                                  \
        {                                                                          \
                return (type) word_table_find(name##s, ELEMENTSOF(name##s), text); \
        }
