/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * finish: the image of one disk was written and its server has ended; now it is made durable, checked,
 * compared with what was asked for, and its digests are made. Runs as the user of the exports.
 */
#include "bus/bus-error.h"
#include "cleanup.h"
#include "digest.h"
#include "fault-point.h"
#include "image.h"
#include "spec.h"
#include "tool.h"
#include "verbs.h"

#include <errno.h>
#include <sys/stat.h>

static const JsonField fields[] = {
        SPEC_PATH("path"),
        SPEC_CAPACITY,
        SPEC_BACKING,
};

static int sync_image(const Image *image, Failure *failure)
{
        fault_point("image.sync.before");
        if (fsync(image->fd) < 0)
                return failure_errno(failure, -errno, "Cannot write %s to its disk", image->path);
        fault_point("image.sync.after");
        return 0;
}

static int check_and_compare(const Image *image, uint64_t capacity_bytes, const char *backing,
                             uint64_t *ret_leaks, Failure *failure)
{
        json_t *chain;
        int r;

        r = image_check(image, ret_leaks, failure);
        if (r < 0)
                return r;
        r = image_describe(image, image->name, &chain, failure);
        if (r < 0)
                return r;
        r = image_compare(image, chain, capacity_bytes, backing, failure);
        json_decref(chain);
        return r;
}

static int finish(const Image *image, uint64_t capacity_bytes, const char *backing,
                  json_t **ret_result, Failure *failure)
{
        json_t *digest;
        struct stat st;
        uint64_t leaks;
        int r;

        r = image_check_unlocked(image->fd, image->path, failure);
        if (r >= 0)
                r = tool_check_version("qemu-img", failure);
        if (r >= 0)
                r = sync_image(image, failure);
        if (r >= 0)
                r = check_and_compare(image, capacity_bytes, backing, &leaks, failure);
        /* A repair has written. */
        if (r >= 0 && leaks > 0 && fsync(image->fd) < 0)
                r = failure_errno(failure, -errno, "Cannot write %s to its disk", image->path);
        if (r >= 0)
                r = digest_image(image, capacity_bytes, &digest, failure);
        if (r < 0)
                return r;
        if (fstat(image->fd, &st) < 0) {
                json_decref(digest);
                return failure_errno(failure, -errno, "Cannot look at %s", image->path);
        }
        *ret_result = json_pack("{s:I, s:I, s:I, s:o}", "size_bytes", (json_int_t) st.st_size,
                                "virtual_bytes", (json_int_t) capacity_bytes, "leaks_repaired",
                                (json_int_t) leaks, "digest", digest);
        return 0;
}

int verb_finish(const json_t *spec, json_t **ret_result, Failure *failure)
{
        CLEANUP(image_done) Image image = { .folder = -1, .fd = -1 };
        int r;

        r = spec_check(spec, fields, ELEMENTSOF(fields), failure);
        if (r >= 0)
                r = image_open(&image, json_field_text(spec, "path"), failure);
        return r < 0 ? r
                     : finish(&image, json_field_number(spec, "capacity_bytes"),
                              json_field_text(spec, "backing"), ret_result, failure);
}
