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
#include "manifest.h"
#include "small-file.h"
#include "spec.h"
#include "tool.h"
#include "verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* That serves the image to its copier, as units/sendense-export-.service.d has it. */
#define QEMU_NBD "/usr/bin/qemu-nbd"

enum {
        DIRECT_BLOCK_SIZE = 4096, /* what every disk can do */
};

static const JsonField fields[] = {
        SPEC_PATH("path"),
        SPEC_CAPACITY,
        SPEC_BACKING,
};

/* qemu reads zeroes where a file was cut off, so its length is held against its manifest. */
static int check_length(const Image *image, const char *backing, Failure *failure)
{
        char name[REPOSITORY_NAME_SIZE], error[JSON_FIELDS_ERROR_SIZE];
        _cleanup_free_ char *text = NULL;
        size_t n = strlen(backing) - strlen(".qcow2"), size;
        json_t *manifest;
        uint64_t length;
        struct stat st;
        int r;

        (void) snprintf(name, sizeof(name), "%.*s.json", (int) n, backing);
        r = small_file_read_at(image->folder, name, MANIFEST_SIZE_MAX, &text, &size);
        if (r < 0)
                return failure_set(failure, BUS_ERROR_IMAGE_DAMAGED,
                                   "%s: the manifest %s of the layer below cannot be read: %s; "
                                   "begin a "
                                   "new chain with a full backup",
                                   image->path, name, strerror(-r));
        if (manifest_parse(MANIFEST_DISK, text, size, &manifest, error) < 0)
                return failure_set(failure, BUS_ERROR_IMAGE_DAMAGED,
                                   "%s: %s: %s; begin a new chain with a full backup", image->path,
                                   name, error);
        length = json_field_number(manifest, "size_bytes");
        json_decref(manifest);
        if (fstatat(image->folder, backing, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return failure_errno(failure, -errno, "Cannot look at %s beside %s", backing,
                                     image->path);
        if (!S_ISREG(st.st_mode) || (uint64_t) st.st_size != length)
                return failure_set(failure, BUS_ERROR_IMAGE_DAMAGED,
                                   "%s: the layer %s below has %jd bytes and had %" PRIu64
                                   " when it was sealed; begin a new chain with a full backup",
                                   image->path, backing, (intmax_t) st.st_size, length);
        return 0;
}

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
        return r < 0 ? r : check_length(image, backing, failure);
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

/* Whether the file system reads past its cache: to open is not enough, some refuse at the first request. */
static bool reads_directly(const Image *image)
{
        _cleanup_close_ int fd = openat(image->folder, image->name,
                                        O_RDONLY | O_DIRECT | O_CLOEXEC | O_NOFOLLOW);
        static char block[DIRECT_BLOCK_SIZE] __attribute__((aligned(DIRECT_BLOCK_SIZE)));

        return fd >= 0 && pread(fd, block, sizeof(block), 0) == sizeof(block);
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
                r = tool_check_version("qemu-img", failure);
        /* That it is missing is for the export to say, which is another unit. */
        if (r >= 0 && access(QEMU_NBD, X_OK) == 0)
                r = tool_check_version(QEMU_NBD, failure);
        if (r >= 0 && backing)
                r = check_backing(&image, capacity_bytes, backing, failure);
        if (r >= 0)
                r = make(&image, capacity_bytes, backing, failure);
        if (r < 0)
                return r;
        *ret_result = json_pack("{s:b}", "direct", (int) reads_directly(&image));
        return *ret_result ? 0 : failure_errno(failure, -ENOMEM, "%s", image.path);
}
