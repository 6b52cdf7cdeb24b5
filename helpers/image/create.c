/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * create: makes the QCOW2 of one disk in its prepared, empty file. Runs as the user of the exports, who may
 * write this one file and read the folder.
 */
#include "bus/bus-error.h"
#include "cleanup.h"
#include "fault-point.h"
#include "image-shape.h"
#include "image.h"
#include "spec.h"
#include "tool.h"
#include "verbs.h"

#include <inttypes.h>

static const JsonField fields[] = {
        SPEC_PATH("path"),
        SPEC_CAPACITY,
        SPEC_BACKING,
};

static int check_backing(const Image *image, uint64_t capacity_bytes, const char *backing,
                         Failure *failure)
{
        json_t *chain;
        int r;

        r = image_describe(image, backing, &chain, failure);
        if (r < 0)
                return r;
        r = image_compare_backing(image, chain, capacity_bytes, backing, failure);
        json_decref(chain);
        return r;
}

static int make(const Image *image, uint64_t capacity_bytes, const char *backing, Failure *failure)
{
        const char *argv[TOOL_WORDS_MAX] = {
                "qemu-img", "create", "-q", "-f", "qcow2", "-o", IMAGE_SHAPE_CREATE_OPTIONS
        };
        size_t n = 7;
        char size[24];
        int r, status;
        Said said;

        if (backing) {
                argv[n++] = "-b";
                argv[n++] = backing;
                argv[n++] = "-F";
                argv[n++] = "qcow2";
        }
        (void) snprintf(size, sizeof(size), "%" PRIu64, capacity_bytes);
        argv[n++] = "--";
        argv[n++] = image->name;
        argv[n] = size;

        fault_point("image.create.before");
        r = tool_run(image->folder, argv, &status, NULL, &said, failure);
        if (r >= 0 && status != 0)
                r = tool_failure(failure, BUS_ERROR_FAILED, image->path, "qemu-img cannot make it",
                                 &said);
        fault_point("image.create.after");
        return r;
}

int verb_create(const json_t *spec, json_t **ret_result, Failure *failure)
{
        CLEANUP(image_done) Image image = { .folder = -1, .fd = -1 };
        const char *backing = json_field_text(spec, "backing");
        uint64_t capacity_bytes = json_field_number(spec, "capacity_bytes");
        int r;

        r = spec_check(spec, fields, ELEMENTSOF(fields), failure);
        if (r >= 0)
                r = image_open(&image, json_field_text(spec, "path"), failure);
        if (r >= 0)
                r = tool_check_version(failure);
        if (r >= 0 && backing)
                r = check_backing(&image, capacity_bytes, backing, failure);
        if (r >= 0)
                r = make(&image, capacity_bytes, backing, failure);
        if (r < 0)
                return r;
        *ret_result = json_object();
        return 0;
}
