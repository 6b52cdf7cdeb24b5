/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * finish: the image of one disk was written and its server has ended; now it is made durable, checked,
 * compared with what was asked for, and its digests are made and held against those of who copied it. Runs as the user of the exports.
 */
#include "bus/bus-error.h"
#include "cleanup.h"
#include "digest.h"
#include "fault-point.h"
#include "image.h"
#include "sent.h"
#include "spec.h"
#include "tool.h"
#include "verbs.h"

#include <errno.h>
#include <sys/stat.h>

static const JsonField fields[] = {
        SPEC_PATH("path"),
        SPEC_CAPACITY,
        SPEC_BACKING,
        { .key = "sent", .kind = JSON_FIELD_OBJECT, .optional = true },
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

/* What the copier has sent is what is there; *ret_result is told of it. */
static int compare_sent(const Image *image, uint64_t capacity_bytes, const json_t *digest,
                        const json_t *sent, json_t *result, Failure *failure)
{
        const SentDisk disk = {
                .image = image, .capacity_bytes = capacity_bytes, .digest = digest, .sent = sent
        };
        SentResult same;
        int r;

        r = sent_compare(&disk, &same, failure);
        if (r < 0)
                return r;
        if (json_object_set_new(result, "compared_bytes", json_integer((json_int_t) same.bytes)) <
                            0 ||
            json_object_set_new(result, "untold_blocks", json_integer((json_int_t) same.n_untold)) <
                            0)
                return failure_errno(failure, -ENOMEM, "Cannot compare %s", image->path);
        return 0;
}

static int finish(const Image *image, const json_t *spec, json_t **ret_result, Failure *failure)
{
        uint64_t capacity_bytes = json_field_number(spec, "capacity_bytes");
        const char *backing = json_field_text(spec, "backing");
        const json_t *sent = json_object_get(spec, "sent");
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
        *ret_result = json_pack("{s:I, s:I, s:I, s:I, s:o}", "size_bytes", (json_int_t) st.st_size,
                                "stored_bytes", layer_stored_bytes(&st), "virtual_bytes",
                                (json_int_t) capacity_bytes, "leaks_repaired", (json_int_t) leaks,
                                "digest", digest);
        return sent ? compare_sent(image, capacity_bytes, digest, sent, *ret_result, failure) : 0;
}

int verb_finish(const json_t *spec, json_t **ret_result, Failure *failure)
{
        CLEANUP(image_done) Image image = { .folder = -1, .fd = -1 };
        int r;

        r = spec_check(spec, fields, ELEMENTSOF(fields), failure);
        if (r >= 0)
                r = image_open(&image, json_field_text(spec, "path"), failure);
        return r < 0 ? r : finish(&image, spec, ret_result, failure);
}
