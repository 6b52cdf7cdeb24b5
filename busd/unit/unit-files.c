/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Task and result files of units (see unit-files.h).
 */
#include "unit/unit-files.h"

#include "build-config.h"
#include "cleanup.h"
#include "result-file.h"
#include "small-file.h"
#include "utf8.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static const char *const suffixes[UNIT_FILE_MAX] = {
        [UNIT_FILE_IN] = ".in",
        [UNIT_FILE_OUT] = ".out",
        [UNIT_FILE_ERROR] = ".err",
        [UNIT_FILE_PSK] = ".psk",
};

/* Under systemd it is the unit's RuntimeDirectory=; a hub started by hand names another one there. */
static const char *runtime_folder(void)
{
        const char *folder = getenv("RUNTIME_DIRECTORY");

        return folder && *folder == '/' ? folder : SENDENSE_RUNTIME_DIR;
}

void runtime_path(const char *name, char ret_path[static UNIT_FILE_PATH_SIZE])
{
        (void) snprintf(ret_path, UNIT_FILE_PATH_SIZE, "%s/%s", runtime_folder(), name);
}

void unit_file_path(const char *unit, UnitFile file, char ret_path[static UNIT_FILE_PATH_SIZE])
{
        (void) snprintf(ret_path, UNIT_FILE_PATH_SIZE, "%s/units/%s%s", runtime_folder(), unit,
                        suffixes[file]);
}

int unit_files_init(void)
{
        _cleanup_free_ char *folder = NULL;

        if (asprintf(&folder, "%s/units", runtime_folder()) < 0) {
                folder = NULL;
                return -ENOMEM;
        }
        return mkdir(folder, 0750) < 0 && errno != EEXIST ? -errno : 0;
}

static int write_file(const char *path, const char *text)
{
        _cleanup_close_ int fd = -1;
        size_t size = strlen(text);
        ssize_t n;

        /* Not the file of before, which an old process may still have open. */
        if (unlink(path) < 0 && errno != ENOENT)
                return -errno;
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
        if (fd < 0)
                return -errno;
        n = write(fd, text, size);
        if (n < 0)
                return -errno;
        return (size_t) n == size ? 0 : -ENOSPC;
}

int unit_files_make(const char *unit, const json_t *task)
{
        _cleanup_free_ char *text = NULL;
        int r = 0;

        text = task ? json_dumps(task, JSON_COMPACT) : strdup("");
        if (!text)
                return -ENOMEM;
        unit_files_remove(unit);
        for (UnitFile file = 0; r >= 0 && file < UNIT_FILE_PSK; file++) {
                char path[UNIT_FILE_PATH_SIZE];

                unit_file_path(unit, file, path);
                r = write_file(path, file == UNIT_FILE_IN ? text : "");
        }
        if (r < 0)
                unit_files_remove(unit);
        return r;
}

int unit_files_read_result(const char *unit, json_t **ret_result)
{
        char path[UNIT_FILE_PATH_SIZE];
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r;

        unit_file_path(unit, UNIT_FILE_OUT, path);
        r = small_file_read(path, UNIT_RESULT_MAX, &text, &size);
        if (r < 0)
                return r;
        return size == 0 ? -ENODATA : result_parse_within(text, size, UNIT_RESULT_MAX, ret_result);
}

/* The end of a file as text. */
static int read_tail(const char *path, char *ret_text, size_t size)
{
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        struct stat st;
        ssize_t n;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        n = pread(fd, ret_text, size - 1,
                  st.st_size > (off_t) size - 1 ? st.st_size - (off_t) size + 1 : 0);
        if (n < 0)
                return -errno;
        ret_text[n] = '\0';
        return 0;
}

void unit_files_read_error(const char *unit, char ret_line[static UNIT_ERROR_LINE_SIZE])
{
        char path[UNIT_FILE_PATH_SIZE], text[4096] = "";
        char *last = NULL, *state = NULL;

        *ret_line = '\0';
        unit_file_path(unit, UNIT_FILE_ERROR, path);
        if (read_tail(path, text, sizeof(text)) < 0)
                return;
        for (char *line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state))
                if (line[strspn(line, " \t\r")] != '\0')
                        last = line;
        if (!last)
                return;
        (void) snprintf(ret_line, UNIT_ERROR_LINE_SIZE, "%s", last);
        for (char *c = ret_line; *c; c++)
                if ((unsigned char) *c < ' ')
                        *c = ' ';
        utf8_make_valid(ret_line);
}

void unit_files_remove(const char *unit)
{
        for (UnitFile file = 0; file < UNIT_FILE_MAX; file++) {
                char path[UNIT_FILE_PATH_SIZE];

                unit_file_path(unit, file, path);
                (void) unlink(path);
        }
}

static void closedir_p(DIR **folder)
{
        if (*folder)
                (void) closedir(*folder);
}

int unit_files_sweep(bool (*keep)(const char *unit, void *userdata), void *userdata)
{
        _cleanup_free_ char *path = NULL;
        CLEANUP(closedir_p) DIR *folder = NULL;

        if (asprintf(&path, "%s/units", runtime_folder()) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        folder = opendir(path);
        if (!folder)
                return -errno;
        for (struct dirent *entry; (entry = readdir(folder));) {
                char unit[sizeof(entry->d_name)];
                char *dot;

                (void) snprintf(unit, sizeof(unit), "%s", entry->d_name);
                dot = strrchr(unit, '.');
                if (*unit == '.' || !dot)
                        continue;
                *dot = '\0';
                if (!keep(unit, userdata))
                        (void) unlinkat(dirfd(folder), entry->d_name, 0);
        }
        return 0;
}
