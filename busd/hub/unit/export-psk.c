/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Keys of exports (see export-psk.h).
 */
#include "export-psk.h"

#include "cleanup.h"
#include "secret.h"
#include "tls-psk.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

static int append(const char *path, int flags, const char *text, size_t size)
{
        _cleanup_close_ int fd = open(
                        path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC | flags, 0600);
        ssize_t n;

        if (fd < 0)
                return -errno;
        n = write(fd, text, size);
        if (n < 0)
                return -errno;
        return (size_t) n == size ? 0 : -ENOSPC;
}

int export_psk_make(const char *unit, const char *name, const Secret *master)
{
        char path[UNIT_FILE_PATH_SIZE], line[TLS_PSK_LINE_SIZE];
        int r;

        unit_file_path(unit, UNIT_FILE_PSK, path);
        if (unlink(path) < 0 && errno != ENOENT)
                return -errno;
        r = master ? tls_psk_derive_line(name, master, line) : tls_psk_make_line(name, line);
        if (r >= 0)
                r = append(path, O_EXCL, line, strlen(line));
        sodium_memzero(line, sizeof(line));
        return r;
}

bool export_psk_find(const char *unit, char ret_path[static UNIT_FILE_PATH_SIZE])
{
        unit_file_path(unit, UNIT_FILE_PSK, ret_path);
        return access(ret_path, F_OK) == 0;
}

json_t *export_psk_read(const char *unit)
{
        char path[UNIT_FILE_PATH_SIZE];
        CLEANUP(secret_free_p) Secret *line = NULL;
        const char *key;

        unit_file_path(unit, UNIT_FILE_PSK, path);
        if (secret_read_file(path, TLS_PSK_LINE_SIZE, &line) < 0)
                return NULL;
        key = tls_psk_line_key(secret_data(line), secret_size(line));
        return key ? json_stringn(key, TLS_PSK_KEY_SIZE - 1) : NULL;
}

int export_psk_add(const char *copy_unit, const char *export_unit)
{
        char from[UNIT_FILE_PATH_SIZE], to[UNIT_FILE_PATH_SIZE];
        CLEANUP(secret_free_p) Secret *line = NULL;
        int r;

        if (!export_psk_find(export_unit, from))
                return 0;
        r = secret_read_file(from, TLS_PSK_LINE_SIZE, &line);
        if (r < 0)
                return r;
        unit_file_path(copy_unit, UNIT_FILE_PSK, to);
        return append(to, 0, secret_data(line), secret_size(line));
}
