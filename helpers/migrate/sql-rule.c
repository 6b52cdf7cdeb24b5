/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The lists of allowed statements (see sql-rule.h). Each form was run twice against a server by
 * tests/sql/rules.sh, which reads them from here.
 */
#include "sql-rule.h"

#include "cleanup.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

enum {
        WORD_SIZE = 64,
};

/* The beginnings of statements, word by word; * is any one word. */
static const struct {
        const char *words;
        SqlKind kind;
} forms[] = {
        { "CREATE TABLE IF NOT EXISTS", SQL_DEFINITION },
        { "CREATE INDEX IF NOT EXISTS", SQL_DEFINITION },
        { "CREATE UNIQUE INDEX IF NOT EXISTS", SQL_DEFINITION },
        { "CREATE OR REPLACE VIEW", SQL_DEFINITION },
        { "DROP TABLE IF EXISTS", SQL_DEFINITION },
        { "DROP INDEX IF EXISTS", SQL_DEFINITION },
        { "DROP VIEW IF EXISTS", SQL_DEFINITION },
        { "INSERT INTO", SQL_DATA },
        { "UPDATE", SQL_DATA },
        { "DELETE FROM", SQL_DATA },
};

/* The beginnings of the comma-separated parts of ALTER TABLE. */
static const char *const alterations[] = {
        "ADD COLUMN IF NOT EXISTS",
        "ADD INDEX IF NOT EXISTS",
        "ADD UNIQUE INDEX IF NOT EXISTS",
        "ADD CONSTRAINT IF NOT EXISTS * CHECK",
        "ADD CONSTRAINT * FOREIGN KEY IF NOT EXISTS",
        "DROP COLUMN IF EXISTS",
        "DROP INDEX IF EXISTS",
        "DROP FOREIGN KEY IF EXISTS",
        "DROP CONSTRAINT IF EXISTS",
        "MODIFY COLUMN",
        "CHANGE COLUMN IF EXISTS",
        "RENAME COLUMN IF EXISTS",
        "RENAME INDEX IF EXISTS",
        "ALTER COLUMN",
};

/* A way through one statement; words come out one by one, everything else as single characters. */
typedef struct Reader {
        const char *next, *end;
        char word[WORD_SIZE]; /* empty at the end */
} Reader;

static bool is_word_char(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '$' || c == '.';
}

/* The splitter has been here before, so every quote and comment has its end. */
static const char *token_end(const Reader *reader, const char *text)
{
        const char *unused, *end = text;

        if (!is_word_char(*text))
                return sql_token_end(text, &unused) ?: reader->end;
        while (end < reader->end && is_word_char(*end))
                end++;
        return end;
}

static void reader_next(Reader *reader)
{
        const char *start;
        size_t n;

        while (reader->next < reader->end && sql_is_gap(reader->next))
                reader->next = token_end(reader, reader->next);
        start = reader->next;
        if (start < reader->end)
                reader->next = token_end(reader, start);

        n = (size_t) (reader->next - start);
        if (n >= WORD_SIZE)
                n = WORD_SIZE - 1;
        memcpy(reader->word, start, n);
        reader->word[n] = '\0';
}

/* Whether the statement goes on with these words, the current one first; moves behind them if so. */
static bool reader_accept(Reader *reader, const char *words)
{
        Reader ahead = *reader;

        while (*words) {
                size_t n = strcspn(words, " ");
                bool is_any = n == 1 && *words == '*';

                if (!*ahead.word || (!is_any && (strlen(ahead.word) != n ||
                                                 strncasecmp(ahead.word, words, n) != 0)))
                        return false;
                reader_next(&ahead);
                words += n;
                words += strspn(words, " ");
        }
        *reader = ahead;
        return true;
}

/* Moves behind the next comma that is not in parentheses; false at the end. */
static bool reader_skip_part(Reader *reader)
{
        int depth = 0;

        for (; *reader->word; reader_next(reader)) {
                if (strcmp(reader->word, "(") == 0)
                        depth++;
                else if (strcmp(reader->word, ")") == 0)
                        depth--;
                else if (strcmp(reader->word, ",") == 0 && depth == 0) {
                        reader_next(reader);
                        return true;
                }
        }
        return false;
}

static bool accept_alteration(Reader *reader)
{
        for (size_t i = 0; i < ELEMENTSOF(alterations); i++)
                if (reader_accept(reader, alterations[i]))
                        return true;
        return false;
}

static int check_alter_table(Reader *reader, const char **ret_error)
{
        do
                if (!accept_alteration(reader)) {
                        *ret_error = "each part of ALTER TABLE must be harmless to repeat: "
                                     "IF [NOT] EXISTS, MODIFY COLUMN or ALTER COLUMN";
                        return -EINVAL;
                }
        while (reader_skip_part(reader));
        return 0;
}

int sql_rule_check(const SqlStatement *statement, SqlKind *ret_kind, const char **ret_error)
{
        Reader reader = { .next = statement->text, .end = statement->text + statement->length };

        reader_next(&reader);
        if (reader_accept(&reader, "ALTER TABLE *")) {
                *ret_kind = SQL_DEFINITION;
                return check_alter_table(&reader, ret_error);
        }
        for (size_t i = 0; i < ELEMENTSOF(forms); i++)
                if (reader_accept(&reader, forms[i].words)) {
                        *ret_kind = forms[i].kind;
                        return 0;
                }

        *ret_error = "not a statement for a migration: CREATE|DROP TABLE|INDEX|VIEW with IF [NOT] "
                     "EXISTS, ALTER TABLE, INSERT INTO, UPDATE or DELETE FROM";
        return -EINVAL;
}
