/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The file of the nodes that may have a tunnel, one a line: NAME REVERSE-PORT KEY-TYPE KEY. The hub writes it, sshd's
 * AuthorizedKeysCommand reads it.
 */
#pragma once

#include "build-config.h"

#include <stdint.h>

#define NODE_KEYS_FILE         "/var/lib/sendense-nodes/keys"
#define SENDENSE_SSHD_HOST_KEY "/var/lib/sendense-sshd/host-key"
#define TUNNEL_USER            "sendense-tunnel" /* at the hub */

enum {
        NODE_NAME_SIZE = 65,
        NODE_KEYS_LINE_MAX = 4096,
};

typedef struct NodeKey {
        char name[NODE_NAME_SIZE];
        uint16_t reverse_port;
} NodeKey;

/* The node with this public key. -ENOENT: none has it, or there is no file. -EBADMSG: a line that nobody understands, so no
 * line counts. */
int node_keys_find(const char *path, const char *type, const char *key, NodeKey *ret_node);
