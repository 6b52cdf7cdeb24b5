/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files of sums (see sent-sums.h): <state folder>/sent/<job>-<disk key>.
 */
#include "job/sent-sums.h"

#include "build-config.h"
#include "cleanup.h"
#include "job/job-state.h"
#include "job/jobs.h"
#include "parse.h"
#include "result-file.h"
#include "small-file.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

enum {
        SUMS_SIZE_MAX = 4 * 1024 * 1024,
};

static void folder_path(char ret_path[static PATH_MAX])
{
        const char *state = getenv("STATE_DIRECTORY");

        (void) snprintf(ret_path, PATH_MAX, "%s/sent", state ?: SENDENSE_STATE_DIR);
}

static void file_path(const Job *job, const JobDisk *disk, char ret_path[static PATH_MAX])
{
        size_t n;

        folder_path(ret_path);
        n = strlen(ret_path);
        (void) snprintf(ret_path + n, PATH_MAX - n, "/%" PRIu64 "-%s", job->id, disk->text);
}

int sent_sums_keep(const Job *job, const JobDisk *disk, const json_t *digest)
{
        _cleanup_free_ char *text = json_dumps(digest, JSON_COMPACT);
        char path[PATH_MAX];

        if (!text)
                return -ENOMEM;
        folder_path(path);
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
                return -errno;
        file_path(job, disk, path);
        return small_file_write_soon(path, 0600, text, strlen(text));
}

int sent_sums_read(const Job *job, const JobDisk *disk, json_t **ret_digest)
{
        _cleanup_free_ char *text = NULL;
        char path[PATH_MAX];
        size_t size;
        int r;

        file_path(job, disk, path);
        r = small_file_read(path, SUMS_SIZE_MAX, &text, &size);
        if (r >= 0)
                r = result_parse_within(text, size, SUMS_SIZE_MAX, ret_digest);
        return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

void sent_sums_remove(const Job *job)
{
        for (size_t i = 0; i < job->n_disks; i++) {
                char path[PATH_MAX];

                file_path(job, job->disks + i, path);
                (void) unlink(path);
        }
}

static bool is_of_open_job(const Jobs *jobs, const char *name)
{
        size_t length = strcspn(name, "-"), n = strlen(name),
               partial = strlen(SMALL_FILE_PARTIAL_SUFFIX);
        char number[24];
        uint64_t id;

        if (length >= sizeof(number) || name[length] != '-' ||
            (n > partial && strcmp(name + n - partial, SMALL_FILE_PARTIAL_SUFFIX) == 0))
                return false;
        memcpy(number, name, length);
        number[length] = '\0';
        if (parse_uint64(number, 1, INT64_MAX, &id) < 0)
                return false;
        for (size_t i = 0; i < jobs->n_all; i++)
                if (jobs->all[i]->id == id)
                        return !job_state_is_final(jobs->all[i]->state);
        return false;
}

void sent_sums_sweep(const Jobs *jobs)
{
        char path[PATH_MAX];
        const struct dirent *entry;
        DIR *folder;

        folder_path(path);
        folder = opendir(path);
        if (!folder)
                return; /* nothing was ever kept */
        while ((entry = readdir(folder)))
                if (entry->d_name[0] != '.' && !is_of_open_job(jobs, entry->d_name))
                        (void) unlinkat(dirfd(folder), entry->d_name, 0);
        (void) closedir(folder);
}
