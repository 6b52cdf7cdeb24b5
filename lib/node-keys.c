/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The nodes' keys (see node-keys.h).
 */
#include "node-keys.h"

#include "cleanup.h"
#include "parse.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

typedef struct Line {
        NodeKey node;
        const char *type, *key;
} Line;

static bool is_name(const char *text)
{
        static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
        size_t n = strlen(text);

        return n > 0 && n < NODE_NAME_SIZE && text[0] != '-' && strspn(text, letters) == n;
}

static int read_line(char *text, Line *ret_line)
{
        const char *name = strsep(&text, " "), *port = strsep(&text, " ");
        uint64_t number;

        ret_line->type = strsep(&text, " ");
        ret_line->key = strsep(&text, " ");
        if (!ret_line->key || text || !is_name(name) ||
            parse_uint64(port, 1, UINT16_MAX, &number) < 0)
                return -EBADMSG;
        (void) snprintf(ret_line->node.name, sizeof(ret_line->node.name), "%s", name);
        ret_line->node.reverse_port = (uint16_t) number;
        return 0;
}

int node_keys_find(const char *path, const char *type, const char *key, NodeKey *ret_node)
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
                if (read_line(text, &line) < 0)
                        return -EBADMSG;
                if (!found && strcmp(line.type, type) == 0 && strcmp(line.key, key) == 0) {
                        *ret_node = line.node;
                        found = true;
                }
        }
        if (ferror(file))
                return -EIO;
        return found ? 0 : -ENOENT;
}
