/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Helpers of the unit tests (see unit.h). They fail the test themselves.
 */
#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *unit_folder(void)
{
        const char *base = getenv("TEST_TMP");
        char *path = NULL;

        assert_true(asprintf(&path, "%s/unit-XXXXXX", base ? base : "/tmp") > 0);
        assert_non_null(mkdtemp(path));
        return path;
}

char *unit_path(const char *folder, const char *name)
{
        char *path = NULL;

        assert_true(asprintf(&path, "%s/%s", folder, name) > 0);
        return path;
}

void unit_write(const char *path, const void *data, size_t size, unsigned mode)
{
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, data, size), size);
        assert_int_equal(fchmod(fd, mode), 0);
        assert_int_equal(close(fd), 0);
}

char *unit_repeat(char letter, size_t n)
{
        char *text = malloc(n + 1);

        assert_non_null(text);
        memset(text, letter, n);
        text[n] = '\0';
        return text;
}

unsigned unit_count_descriptors(void)
{
        DIR *folder = opendir("/proc/self/fd");
        unsigned n = 0;

        assert_non_null(folder);
        while (readdir(folder))
                n++;
        (void) closedir(folder);
        return n;
}
