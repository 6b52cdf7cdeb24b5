/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The splitter (see sql-split.h).
 */
#include "sql-split.h"

#include <errno.h>
#include <string.h>

static int is_blank(char c)
{
        return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* MariaDB wants a blank after the two dashes; "1--1" is arithmetic. */
static int is_line_comment(const char *text)
{
        return *text == '#' ||
               (text[0] == '-' && text[1] == '-' && (text[2] == '\0' || is_blank(text[2])));
}

int sql_is_gap(const char *text)
{
        return is_blank(*text) || is_line_comment(text) || (text[0] == '/' && text[1] == '*');
}

static const char *quoted_end(const char *text, const char **ret_error)
{
        char quote = *text;

        for (text++; *text; text++) {
                if (*text == '\\' && quote != '`' && text[1])
                        text++;
                else if (*text == quote)
                        return text + 1;
        }
        *ret_error = "a quote is not closed";
        return NULL;
}

static const char *block_comment_end(const char *text, const char **ret_error)
{
        const char *end;

        if (text[2] == '!' || (text[2] == 'M' && text[3] == '!')) {
                *ret_error = "a comment that MariaDB executes is not allowed";
                return NULL;
        }
        end = strstr(text + 2, "*/");
        if (!end) {
                *ret_error = "a comment is not closed";
                return NULL;
        }
        return end + 2;
}

const char *sql_token_end(const char *text, const char **ret_error)
{
        if (*text == '\'' || *text == '"' || *text == '`')
                return quoted_end(text, ret_error);
        if (text[0] == '/' && text[1] == '*')
                return block_comment_end(text, ret_error);
        if (is_line_comment(text))
                return text + strcspn(text, "\n");
        return text + 1;
}

/* Moves the cursor over what begins at it. */
static int cursor_skip(SqlCursor *cursor, const char **ret_error)
{
        const char *end = sql_token_end(cursor->next, ret_error);

        if (!end)
                return -EINVAL;
        for (; cursor->next < end; cursor->next++)
                if (*cursor->next == '\n')
                        cursor->line++;
        return 0;
}

int sql_split_next(SqlCursor *cursor, SqlStatement *ret_statement, const char **ret_error)
{
        const char *start;
        unsigned line;

        while (*cursor->next && sql_is_gap(cursor->next))
                if (cursor_skip(cursor, ret_error) < 0)
                        return -EINVAL;
        if (!*cursor->next)
                return 0;

        start = cursor->next;
        line = cursor->line;
        while (*cursor->next && *cursor->next != ';')
                if (cursor_skip(cursor, ret_error) < 0)
                        return -EINVAL;
        if (!*cursor->next) {
                *ret_error = "the last statement does not end with a semicolon";
                return -EINVAL;
        }
        if (cursor->next == start) {
                *ret_error = "a semicolon without a statement";
                return -EINVAL;
        }

        *ret_statement = (SqlStatement){
                .text = start,
                .length = (size_t) (cursor->next - start),
                .line = line,
        };
        cursor->next++;
        return 1;
}
