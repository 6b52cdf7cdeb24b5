/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Progress datagrams (see progress.h). The limit of size also bounds how deep the parser can recurse.
 */
#include "progress.h"

#include "names.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

static bool is_in_bounds(const Progress *progress)
{
        return progress->job >= 1 && progress->job <= JOB_NUMBER_MAX && progress->disk_key >= 1 &&
               progress->disk_key <= DISK_KEY_MAX && progress->bytes_total <= PROGRESS_BYTES_MAX &&
               progress->bytes_done <= progress->bytes_total;
}

int progress_make(const Progress *progress, char ret_text[static PROGRESS_TEXT_SIZE])
{
        if (!is_in_bounds(progress))
                return -EINVAL;
        /* Four numbers of at most 19 digits and 60 bytes of names always fit. */
        (void) snprintf(ret_text, PROGRESS_TEXT_SIZE,
                        "{\"job\":%" PRIu64 ",\"disk_key\":%" PRIu32 ",\"bytes_done\":%" PRIu64
                        ",\"bytes_total\":%" PRIu64 "}",
                        progress->job, progress->disk_key, progress->bytes_done,
                        progress->bytes_total);
        return 0;
}

static int read_member(const json_t *object, const char *name, uint64_t max, uint64_t *ret_value)
{
        const json_t *member = json_object_get(object, name);
        json_int_t value = json_integer_value(member);

        if (!json_is_integer(member) || value < 0 || (uint64_t) value > max)
                return -EBADMSG;
        *ret_value = (uint64_t) value;
        return 0;
}

static int read_object(const json_t *object, Progress *ret_progress)
{
        uint64_t job, disk_key, done, total;
        Progress progress;

        if (!json_is_object(object) || json_object_size(object) != 4 ||
            read_member(object, "job", JOB_NUMBER_MAX, &job) < 0 ||
            read_member(object, "disk_key", DISK_KEY_MAX, &disk_key) < 0 ||
            read_member(object, "bytes_done", PROGRESS_BYTES_MAX, &done) < 0 ||
            read_member(object, "bytes_total", PROGRESS_BYTES_MAX, &total) < 0)
                return -EBADMSG;
        progress = (Progress){
                .job = job,
                .disk_key = (uint32_t) disk_key,
                .bytes_done = done,
                .bytes_total = total,
        };
        if (!is_in_bounds(&progress))
                return -EBADMSG;
        *ret_progress = progress;
        return 0;
}

int progress_parse(const char *data, size_t size, Progress *ret_progress)
{
        json_t *object;
        int r;

        if (size > PROGRESS_SIZE_MAX)
                return -EMSGSIZE;
        object = json_loadb(data, size, JSON_REJECT_DUPLICATES, NULL);
        if (!object)
                return -EBADMSG;
        r = read_object(object, ret_progress);
        json_decref(object);
        return r;
}
