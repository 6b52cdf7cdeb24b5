/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendense-sshd-config keys: sshd's AuthorizedKeysCommand. For sendense-tunnel it knows the nodes, for sendense-enroll the tokens
 * that are open, and neither for the other. sshd's process of the connection is our parent and waits for us, so what we note
 * of it, and for it, is in order.
 */
#include "verbs.h"

#include "cleanup.h"
#include "clock.h"
#include "log.h"
#include "node-keys.h"
#include "notes.h"
#include "parse.h"
#include "text.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static int find_node(const Files *files, const char *type, const char *key, char **ret_line)
{
        NodeKey node;
        int r;

        r = node_keys_find(files->keys, type, key, &node);
        if (r < 0)
                return r;
        *ret_line = text_format("restrict,port-forwarding,command=\"/bin/false\",permitlisten="
                                "\"127.0.0.1:%u\" %s %s %s",
                                node.reverse_port, type, key, node.name);
        return *ret_line ? 0 : -ENOMEM;
}

static int find_token(const Files *files, const char *type, const char *key, char **ret_line)
{
        NodeToken token;
        int r;

        r = node_tokens_find(files->tokens, type, key, &token);
        if (r < 0)
                return r;
        if (token.expires_unix <= clock_realtime_usec() / USEC_PER_SEC) {
                log_notice("The token of node %s has expired", token.name);
                return -ENOENT;
        }
        *ret_line = text_format("restrict,command=\"" SENDENSE_LIBEXEC_DIR
                                "/sendense-enroll-hub\" %s %s %s",
                                type, key, token.name);
        return *ret_line ? 0 : -ENOMEM;
}

/* sshd sends what we say on stderr to /dev/null; people who try this see it. */
static bool is_unheard(void)
{
        struct stat st;

        return fstat(STDERR_FILENO, &st) < 0 ||
               (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3));
}

int verb_keys(const Files *files, const char *user, const char *type, const char *key)
{
        bool is_tunnel = strcmp(user, TUNNEL_USER) == 0;
        _cleanup_free_ char *line = NULL;
        pid_t sshd = getppid();
        int r;

        if (!is_tunnel && strcmp(user, ENROLL_USER) != 0)
                return EXIT_SUCCESS;
        if (is_unheard())
                log_open_journal(PROGRAM);
        r = note_add(files->notes, sshd, user, type, key);
        if (r < 0)
                return log_error(r, "Cannot note in %s who asks, so nobody is let in: %m",
                                 files->notes),
                       EXIT_FAILURE;
        r = is_tunnel ? find_node(files, type, key, &line) : find_token(files, type, key, &line);
        if (r >= 0)
                return puts(line) >= 0 && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
        (void) note_drop(files->notes, sshd, user, type, key);
        if (r == -ENOENT)
                return EXIT_SUCCESS; /* a stranger; sshd says so */
        return log_error(r, "Cannot read %s: %m", is_tunnel ? files->keys : files->tokens),
               EXIT_FAILURE;
}
