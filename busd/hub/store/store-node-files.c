/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From rows to files (see store-node-files.h). A used token stays until it expires, so that its node can ask for a lost answer.
 */
#include "store/store-node-files.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "fault-point.h"
#include "node-keys.h"
#include "parse.h"
#include "small-file.h"
#include "store/statement.h"
#include "store/store-request.h"
#include "text.h"

#include <errno.h>
#include <string.h>

enum {
        FILE_MODE = 0640, /* the folder's group, which sshd's command has, reads */
};

static int read_rows(MYSQL *database, uint64_t now_usec, json_t **ret_nodes, json_t **ret_tokens)
{
        int r;

        r = statement_rows(database,
                           "SELECT n.name AS Name, n.reverse_port AS ReversePort,"
                           " n.public_key AS `Key` FROM nodes n WHERE n.removed_usec IS NULL"
                           " AND n.public_key IS NOT NULL ORDER BY n.name",
                           NULL, 0, ret_nodes);
        if (r < 0)
                return r;
        return statement_rows(database,
                              "SELECT n.name AS Name, n.token_expires_usec AS ExpiresUSec,"
                              " n.token_key AS `Key` FROM nodes n WHERE n.removed_usec IS NULL"
                              " AND n.token_expires_usec > ? ORDER BY n.name",
                              SQL_VALUES(SQL_NUMBER(now_usec)), ret_tokens);
}

static int format_nodes(const json_t *rows, char **ret_text)
{
        size_t n = json_array_size(rows), i;
        _cleanup_free_ NodeKey *nodes = calloc(n + 1, sizeof(NodeKey));
        _cleanup_free_ const char **keys = calloc(n + 1, sizeof(char *));
        const json_t *row;

        if (!nodes || !keys)
                return -ENOMEM;
        json_array_foreach (rows, i, row) {
                nodes[i].reverse_port = (uint16_t) object_number(row, "ReversePort");
                (void) snprintf(nodes[i].name, sizeof(nodes[i].name), "%s",
                                object_text(row, "Name"));
                keys[i] = object_text(row, "Key");
        }
        return node_keys_format(nodes, keys, n, ret_text);
}

static int format_tokens(const json_t *rows, char **ret_text)
{
        size_t n = json_array_size(rows), i;
        _cleanup_free_ NodeToken *tokens = calloc(n + 1, sizeof(NodeToken));
        _cleanup_free_ const char **keys = calloc(n + 1, sizeof(char *));
        const json_t *row;

        if (!tokens || !keys)
                return -ENOMEM;
        json_array_foreach (rows, i, row) {
                tokens[i].expires_unix = object_number(row, "ExpiresUSec") / USEC_PER_SEC;
                (void) snprintf(tokens[i].name, sizeof(tokens[i].name), "%s",
                                object_text(row, "Name"));
                keys[i] = object_text(row, "Key");
        }
        return node_tokens_format(tokens, keys, n, ret_text);
}

static int write_file(StoreRequest *request, const char *name, const char *text)
{
        const char *folder = object_text(request->in, "Folder");
        _cleanup_free_ char *path = text_format("%s/%s", folder, name);
        int r;

        if (!path)
                return -ENOMEM;
        r = small_file_write(path, FILE_MODE, text, strlen(text));
        return r < 0 ? store_refuse(request, r, BUS_ERROR_FAILED, "%s cannot be written: %s", path,
                                    strerror(-r))
                     : 0;
}

static uint64_t next_expiry(const json_t *tokens)
{
        uint64_t next = 0;
        const json_t *row;
        size_t i;

        json_array_foreach (tokens, i, row)
                if (next == 0 || object_number(row, "ExpiresUSec") < next)
                        next = object_number(row, "ExpiresUSec");
        return next;
}

int store_node_files_write(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        CLEANUP(json_decrefp) json_t *nodes = NULL, *tokens = NULL;
        _cleanup_free_ char *keys_text = NULL, *tokens_text = NULL;
        int r;

        r = read_rows(database, object_number(request->in, "NowUSec"), &nodes, &tokens);
        if (r >= 0)
                r = format_nodes(nodes, &keys_text);
        if (r >= 0)
                r = format_tokens(tokens, &tokens_text);
        if (r == -EINVAL)
                return store_refuse(request, r, BUS_ERROR_FAILED,
                                    "A row of nodes has a name, port or key that sshd's command "
                                    "would not take");
        fault_point("node-files.write.before");
        if (r >= 0)
                r = write_file(request, "keys", keys_text);
        if (r >= 0)
                r = write_file(request, "tokens", tokens_text);
        if (r < 0)
                return r;
        fault_point("node-files.write.after");
        return store_answer(request, json_pack("{s:I, s:I, s:I}", "Nodes",
                                               (json_int_t) json_array_size(nodes), "Tokens",
                                               (json_int_t) json_array_size(tokens),
                                               "NextExpiryUSec", (json_int_t) next_expiry(tokens)));
}
