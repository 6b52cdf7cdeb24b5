/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Result files (see result-file.h). jansson parses; what it would let through is checked here first.
 */
#include "result-file.h"

#include "cleanup.h"
#include "small-file.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* The parser recurses, so the depth is measured before it runs. Strings are skipped; whether the
 * brackets match is the parser's to say. */
static bool is_too_deep(const char *text, size_t size)
{
        bool in_string = false;
        size_t depth = 0;

        for (size_t i = 0; i < size; i++)
                if (in_string && text[i] == '\\')
                        i++;
                else if (text[i] == '"')
                        in_string = !in_string;
                else if (!in_string && (text[i] == '{' || text[i] == '[')) {
                        if (++depth > RESULT_DEPTH_MAX)
                                return true;
                } else if (!in_string && (text[i] == '}' || text[i] == ']') && depth > 0)
                        depth--;
        return false;
}

int result_parse_within(const char *text, size_t size, size_t max_size, json_t **ret_result)
{
        json_t *result;

        if (size > max_size)
                return -EFBIG;
        if (is_too_deep(text, size))
                return -ELOOP;
        result = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
        if (!result)
                return -EBADMSG;
        if (!json_is_object(result)) {
                json_decref(result);
                return -EBADMSG;
        }
        *ret_result = result;
        return 0;
}

int result_parse(const char *text, size_t size, json_t **ret_result)
{
        return result_parse_within(text, size, RESULT_SIZE_MAX, ret_result);
}

int result_file_read(const char *path, json_t **ret_result)
{
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r;

        r = small_file_read(path, RESULT_SIZE_MAX, &text, &size);
        return r < 0 ? r : result_parse(text, size, ret_result);
}

int result_file_write(const char *path, const json_t *result)
{
        _cleanup_free_ char *text = NULL;
        size_t size;

        if (!json_is_object(result))
                return -EINVAL;
        text = json_dumps(result, JSON_INDENT(2) | JSON_SORT_KEYS);
        if (!text)
                return -ENOMEM;
        size = strlen(text);
        if (size + 1 > RESULT_SIZE_MAX)
                return -EFBIG;
        if (is_too_deep(text, size))
                return -ELOOP;
        text[size] = '\n'; /* in place of the NUL, which the file does not need */
        return small_file_write(path, 0640, text, size + 1);
}
