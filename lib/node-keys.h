/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The files of those that sendense-sshd lets in, one a line:
 *   keys    NAME REVERSE-PORT KEY-TYPE KEY   the nodes that may have a tunnel
 *   tokens  NAME EXPIRES-UNIX KEY-TYPE KEY   the public halves of one-time tokens that are open
 * The hub writes them, sshd's AuthorizedKeysCommand reads them. A file with a line that nobody understands lets nobody in.
 */
#pragma once

#include "build-config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NODE_KEYS_FOLDER       "/var/lib/sendense-nodes"
#define NODE_KEYS_FILE         NODE_KEYS_FOLDER "/keys"
#define NODE_TOKENS_FILE       NODE_KEYS_FOLDER "/tokens"
#define SENDENSE_SSHD_HOST_KEY "/var/lib/sendense-sshd/host-key"
#define TUNNEL_USER            "sendense-tunnel" /* at the hub */
#define ENROLL_USER            "sendense-enroll" /* at the hub */

enum {
        NODE_NAME_SIZE = 65,
        NODE_KEYS_LINE_MAX = 4096,
};

typedef struct NodeKey {
        char name[NODE_NAME_SIZE];
        uint16_t reverse_port;
} NodeKey;

typedef struct NodeToken {
        char name[NODE_NAME_SIZE];
        uint64_t expires_unix; /* seconds; whether that is over is the caller's question */
} NodeToken;

/* Letters a-z, digits and '-', not at the beginning, 64 at most. */
bool node_name_is_valid(const char *text);

/* The node, or the token, with this public key. -ENOENT: none has it, or there is no file. -EBADMSG: a line that nobody
 * understands, so no line counts. */
int node_keys_find(const char *path, const char *type, const char *key, NodeKey *ret_node);
int node_tokens_find(const char *path, const char *type, const char *key, NodeToken *ret_token);

/* The text of such a file, for free(); public_keys[i], "ssh-ed25519 AAAA…", is that of the i-th. -EINVAL: a member that the
 * readers would not take. */
int node_keys_format(const NodeKey *nodes, const char *const *public_keys, size_t n,
                     char **ret_text);
int node_tokens_format(const NodeToken *tokens, const char *const *public_keys, size_t n,
                       char **ret_text);
