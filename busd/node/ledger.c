/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ledger's folder (see ledger.h).
 */
#include "ledger.h"

#include "cleanup.h"
#include "fault-point.h"
#include "json-cleanup.h"
#include "names.h"
#include "parse.h"
#include "result-file.h"
#include "small-file.h"
#include "task-state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#define ROW_SUFFIX    ".json"
#define RESULT_SUFFIX ".result"

enum {
        ROW_NAME_SIZE = 32,
};

struct Ledger {
        int folder;
};

int ledger_open(const char *folder, Ledger **ret_ledger)
{
        Ledger *ledger;
        int fd;

        if (mkdir(folder, 0700) < 0 && errno != EEXIST)
                return -errno;
        fd = open(folder, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        ledger = malloc(sizeof(*ledger));
        if (!ledger) {
                close(fd);
                return -ENOMEM;
        }
        ledger->folder = fd;
        *ret_ledger = ledger;
        return 0;
}

Ledger *ledger_close(Ledger *ledger)
{
        if (!ledger)
                return NULL;
        close(ledger->folder);
        free(ledger);
        return NULL;
}

static void row_name(uint64_t job, char ret_name[static ROW_NAME_SIZE])
{
        (void) snprintf(ret_name, ROW_NAME_SIZE, "%" PRIu64 ROW_SUFFIX, job);
}

int ledger_write(Ledger *ledger, const json_t *row)
{
        _cleanup_free_ char *text = json_dumps(row, JSON_COMPACT | JSON_SORT_KEYS);
        uint64_t job = (uint64_t) json_integer_value(json_object_get(row, "Job"));
        char name[ROW_NAME_SIZE];
        size_t size;
        int r;

        if (!text)
                return -ENOMEM;
        size = strlen(text);
        if (size > LEDGER_ROW_MAX)
                return -EFBIG;
        row_name(job, name);
        fault_point("node-ledger.write.before");
        r = small_file_write_at(ledger->folder, name, 0600, text, size);
        fault_point("node-ledger.write.after");
        return r;
}

static void result_name(uint64_t job, char ret_name[static ROW_NAME_SIZE])
{
        (void) snprintf(ret_name, ROW_NAME_SIZE, "%" PRIu64 RESULT_SUFFIX, job);
}

int ledger_write_result(Ledger *ledger, uint64_t job, const json_t *result)
{
        _cleanup_free_ char *text = json_dumps(result, JSON_COMPACT | JSON_SORT_KEYS);
        char name[ROW_NAME_SIZE];
        size_t size = text ? strlen(text) : 0;

        if (!text)
                return -ENOMEM;
        if (size > LEDGER_RESULT_MAX)
                return -EFBIG;
        result_name(job, name);
        return small_file_write_at(ledger->folder, name, 0600, text, size);
}

int ledger_open_result(Ledger *ledger, uint64_t job, int *ret_fd)
{
        char name[ROW_NAME_SIZE];
        int fd;

        result_name(job, name);
        fd = openat(ledger->folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return -errno;
        *ret_fd = fd;
        return 0;
}

int ledger_remove(Ledger *ledger, uint64_t job)
{
        char row[ROW_NAME_SIZE], result[ROW_NAME_SIZE];

        row_name(job, row);
        result_name(job, result);
        fault_point("node-ledger.remove.before");
        if (unlinkat(ledger->folder, result, 0) < 0 && errno != ENOENT)
                return -errno;
        if (unlinkat(ledger->folder, row, 0) < 0 && errno != ENOENT)
                return -errno;
        if (fsync(ledger->folder) < 0)
                return -errno;
        fault_point("node-ledger.remove.after");
        return 0;
}

/* The job in a file's name; 0 for any other file. */
static uint64_t name_job(const char *name)
{
        size_t n = strlen(name), n_suffix = strlen(ROW_SUFFIX);
        char number[ROW_NAME_SIZE];
        uint64_t job = 0;

        if (n <= n_suffix || n >= sizeof(number) || strcmp(name + n - n_suffix, ROW_SUFFIX) != 0)
                return 0;
        memcpy(number, name, n - n_suffix);
        number[n - n_suffix] = '\0';
        return parse_uint64(number, 1, JOB_NUMBER_MAX, &job) < 0 ? 0 : job;
}

static int read_row(Ledger *ledger, const char *name, json_t **ret_row)
{
        CLEANUP(json_decref_p) json_t *row = NULL;
        _cleanup_free_ char *text = NULL;
        const char *state;
        size_t size;
        int r;

        r = small_file_read_at(ledger->folder, name, LEDGER_ROW_MAX, &text, &size);
        if (r >= 0)
                r = result_parse_within(text, size, LEDGER_ROW_MAX, &row);
        if (r < 0)
                return r;
        state = json_string_value(json_object_get(row, "State"));
        if ((uint64_t) json_integer_value(json_object_get(row, "Job")) != name_job(name) ||
            !state || task_state_from_string(state) < 0 ||
            !json_is_object(json_object_get(row, "Request")) ||
            !json_is_integer(json_object_get(row, "Attempt")) ||
            !json_is_string(json_object_get(row, "Digest")))
                return -EBADMSG;
        *ret_row = TAKE(row);
        return 0;
}

int ledger_read(Ledger *ledger, void (*take)(const json_t *row, void *userdata),
                void (*bad)(const char *name, int error, void *userdata), void *userdata)
{
        int fd = openat(ledger->folder, ".", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
        DIR *folder = fd < 0 ? NULL : fdopendir(fd);
        const struct dirent *entry;
        size_t n = 0;

        if (!folder) {
                int r = -errno;

                if (fd >= 0)
                        close(fd);
                return r;
        }
        while (n < LEDGER_ROWS_MAX && (entry = readdir(folder))) {
                CLEANUP(json_decref_p) json_t *row = NULL;
                int r;

                if (name_job(entry->d_name) == 0)
                        continue;
                n++;
                r = read_row(ledger, entry->d_name, &row);
                if (r < 0)
                        bad(entry->d_name, r, userdata);
                else
                        take(row, userdata);
        }
        (void) closedir(folder);
        return 0;
}
