/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whose turn it is (see migrate-turn.h): who has the name of a socket in the abstract namespace. It needs no folder that root, other users
 * and cron have in common, and nothing of it is left behind.
 */
#include "migrate-turn.h"

#include "cleanup.h"

#include <errno.h>
#include <sodium.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

enum {
        HASH_TEXT_SIZE = crypto_hash_sha256_BYTES * 2 + 1,
};

/* Both may be longer together than the name of a socket. */
static void hash(const char *snapshot_name, const char *instance_uuid,
                 char ret_text[static HASH_TEXT_SIZE])
{
        unsigned char bytes[crypto_hash_sha256_BYTES];
        crypto_hash_sha256_state state;

        (void) crypto_hash_sha256_init(&state);
        (void) crypto_hash_sha256_update(&state, (const unsigned char *) snapshot_name,
                                         strlen(snapshot_name) + 1);
        (void) crypto_hash_sha256_update(&state, (const unsigned char *) instance_uuid,
                                         strlen(instance_uuid));
        (void) crypto_hash_sha256_final(&state, bytes);
        (void) sodium_bin2hex(ret_text, HASH_TEXT_SIZE, bytes, sizeof(bytes));
}

int migrate_turn_take(const char *snapshot_name, const char *instance_uuid, int *ret_fd)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        char text[HASH_TEXT_SIZE];
        size_t n;

        if (fd < 0)
                return -errno;
        hash(snapshot_name, instance_uuid, text);
        n = (size_t) snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1,
                              "sendense-migrate/%s", text);
        if (bind(fd, (struct sockaddr *) &address,
                 (socklen_t) (offsetof(struct sockaddr_un, sun_path) + 1 + n)) < 0)
                return -errno;
        *ret_fd = take_fd(&fd);
        return 0;
}
