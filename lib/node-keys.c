/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The nodes' keys and tokens (see node-keys.h): both files have the same shape, a number apart.
 */
#include "node-keys.h"

#include "cleanup.h"
#include "parse.h"
#include "public-key.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef struct Line {
        const char *name, *type, *key;
        uint64_t number;
} Line;

bool node_name_is_valid(const char *text)
{
        static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
        size_t n = strlen(text);

        return n > 0 && n < NODE_NAME_SIZE && text[0] != '-' && strspn(text, letters) == n;
}

static int read_line(char *text, uint64_t max, Line *ret_line)
{
        const char *name = strsep(&text, " "), *number = strsep(&text, " ");

        ret_line->name = name;
        ret_line->type = strsep(&text, " ");
        ret_line->key = strsep(&text, " ");
        if (!ret_line->key || text || !node_name_is_valid(name) ||
            parse_uint64(number, 1, max, &ret_line->number) < 0)
                return -EBADMSG;
        return 0;
}

/* Reads all of it, so that what stands behind a key decides like what stands before. */
static int find(const char *path, uint64_t max, const char *type, const char *key,
                char ret_name[static NODE_NAME_SIZE], uint64_t *ret_number)
{
        _cleanup_fclose_ FILE *file = fopen(path, "re");
        char text[NODE_KEYS_LINE_MAX];
        bool found = false;

        if (!file)
                return -errno;
        while (fgets(text, sizeof(text), file)) {
                char *end = strchr(text, '\n');
                Line line;

                if (!end)
                        return -EBADMSG;
                *end = '\0';
                if (text[0] == '\0' || text[0] == '#')
                        continue;
                if (read_line(text, max, &line) < 0)
                        return -EBADMSG;
                if (found || strcmp(line.type, type) != 0 || strcmp(line.key, key) != 0)
                        continue;
                (void) snprintf(ret_name, NODE_NAME_SIZE, "%s", line.name);
                *ret_number = line.number;
                found = true;
        }
        if (ferror(file))
                return -EIO;
        return found ? 0 : -ENOENT;
}

int node_keys_find(const char *path, const char *type, const char *key, NodeKey *ret_node)
{
        NodeKey node = {};
        uint64_t number = 0;
        int r;

        r = find(path, UINT16_MAX, type, key, node.name, &number);
        if (r < 0)
                return r;
        node.reverse_port = (uint16_t) number;
        *ret_node = node;
        return 0;
}

int node_tokens_find(const char *path, const char *type, const char *key, NodeToken *ret_token)
{
        NodeToken token = {};
        int r;

        r = find(path, INT64_MAX, type, key, token.name, &token.expires_unix);
        if (r < 0)
                return r;
        *ret_token = token;
        return 0;
}

static int print(FILE *file, const char *name, uint64_t number, uint64_t max,
                 const char *public_key)
{
        PublicKey key;

        if (!node_name_is_valid(name) || number == 0 || number > max ||
            public_key_parse(public_key, &key) < 0)
                return -EINVAL;
        return fprintf(file, "%s %" PRIu64 " %s\n", name, number, public_key) < 0 ? -ENOMEM : 0;
}

static FILE *text_open(char **text, size_t *size)
{
        FILE *file = open_memstream(text, size);

        if (file)
                (void) fputs("# Written by sendense-hub.service; a change here is lost.\n", file);
        return file;
}

static int text_close(FILE *file, int r, char **text, char **ret_text)
{
        if (fclose(file) != 0 && r >= 0)
                r = -ENOMEM;
        if (r < 0)
                free(*text);
        else
                *ret_text = *text;
        return r;
}

int node_keys_format(const NodeKey *nodes, const char *const *public_keys, size_t n,
                     char **ret_text)
{
        char *text = NULL;
        size_t size;
        FILE *file = text_open(&text, &size);
        int r = 0;

        if (!file)
                return -ENOMEM;
        for (size_t i = 0; i < n && r >= 0; i++)
                r = print(file, nodes[i].name, nodes[i].reverse_port, UINT16_MAX, public_keys[i]);
        return text_close(file, r, &text, ret_text);
}

int node_tokens_format(const NodeToken *tokens, const char *const *public_keys, size_t n,
                       char **ret_text)
{
        char *text = NULL;
        size_t size;
        FILE *file = text_open(&text, &size);
        int r = 0;

        if (!file)
                return -ENOMEM;
        for (size_t i = 0; i < n && r >= 0; i++)
                r = print(file, tokens[i].name, tokens[i].expires_unix, INT64_MAX, public_keys[i]);
        return text_close(file, r, &text, ret_text);
}
