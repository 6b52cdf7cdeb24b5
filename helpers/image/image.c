/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An image file through the eyes of qemu-img (see image.h). The children work in the image's folder, so
 * that a name is all they are given.
 */
#include "image.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "fault-point.h"
#include "json-fields.h"
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#define PARTIAL_SUFFIX ".qcow2.partial"

/* Whether a name is that of an image being made, and so is no option and no protocol for qemu. */
static bool name_is_partial(const char *name)
{
        size_t n = strlen(name), n_suffix = strlen(PARTIAL_SUFFIX);
        char backup_id[BACKUP_ID_SIZE];

        if (n <= n_suffix || n - n_suffix >= sizeof(backup_id) ||
            strcmp(name + n - n_suffix, PARTIAL_SUFFIX) != 0)
                return false;
        memcpy(backup_id, name, n - n_suffix);
        backup_id[n - n_suffix] = '\0';
        return backup_id_is_valid(backup_id);
}

static int open_name(const Image *image)
{
        return openat(image->folder, image->name,
                      O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
}

static int open_file(Image *image, Failure *failure)
{
        struct stat st;

        image->fd = open_name(image);
        if (image->fd < 0 && errno == ENOENT) {
                (void) snprintf(image->sealed_name, sizeof(image->sealed_name), "%.*s",
                                (int) (strlen(image->name) - strlen(".partial")), image->name);
                image->name = image->sealed_name;
                image->fd = open_name(image);
        }
        if (image->fd < 0 && errno == ENOENT)
                return failure_set(failure, BUS_ERROR_IMAGE_DAMAGED,
                                   "%s is not there; start the backup again", image->path);
        if (image->fd < 0)
                return failure_errno(failure, -errno, "Cannot open %s", image->path);
        if (fstat(image->fd, &st) < 0)
                return failure_errno(failure, -errno, "Cannot look at %s", image->path);
        if (!S_ISREG(st.st_mode))
                return failure_set(failure, BUS_ERROR_FAILED,
                                   "%s is no plain file; remove it and start the backup again",
                                   image->path);
        return 0;
}

int image_open(Image *image, const char *path, Failure *failure)
{
        const char *slash = strrchr(path, '/');
        _cleanup_free_ char *folder = NULL;
        int r;

        *image = (Image){ .path = path, .name = slash ? slash + 1 : path, .folder = -1, .fd = -1 };
        if (path[0] != '/' || !name_is_partial(image->name))
                return failure_set(failure, BUS_ERROR_INVALID_ARGUMENT,
                                   "%s must be the full path of a <backup id>" PARTIAL_SUFFIX,
                                   path);
        folder = strndup(path, (size_t) (slash - path) + 1);
        if (!folder)
                return failure_errno(failure, -ENOMEM, "%s", path);
        image->folder = open(folder, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
        if (image->folder < 0 && (errno == ENOENT || errno == ENOTDIR))
                return failure_set(failure, BUS_ERROR_REPOSITORY_MISSING,
                                   "%s is not there; mount the disk of the repository", folder);
        if (image->folder < 0)
                return failure_errno(failure, -errno, "Cannot open %s", folder);
        r = open_file(image, failure);
        if (r < 0)
                image_done(image);
        return r;
}

void image_done(Image *image)
{
        cleanup_close_p(&image->fd);
        cleanup_close_p(&image->folder);
        image->fd = image->folder = -1;
}

int image_describe(const Image *image, const char *name, json_t **ret_chain, Failure *failure)
{
        const char *const argv[] = { "qemu-img",      "info", "-f", "qcow2", "--backing-chain",
                                     "--output=json", "--",   name, NULL };
        _cleanup_free_ char *text = NULL;
        json_t *chain;
        int r, status;
        Said said;

        r = tool_run(image->folder, argv, &status, &text, &said, failure);
        if (r < 0)
                return r;
        if (status != 0)
                return tool_failure(failure, BUS_ERROR_IMAGE_DAMAGED, image->path,
                                    "qemu-img cannot read it or a layer below it", &said);
        chain = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
        if (!json_is_array(chain) || !json_is_object(json_array_get(chain, 0))) {
                json_decref(chain);
                return failure_set(failure, BUS_ERROR_FAILED,
                                   "%s: qemu-img info gave no description; is it another version?",
                                   image->path);
        }
        *ret_chain = chain;
        return 0;
}

static int damaged(Failure *failure, const Image *image, const char *what, const char *is,
                   const char *wanted)
{
        return failure_set(failure, BUS_ERROR_IMAGE_DAMAGED,
                           "%s: %s is %s, must be %s; begin a new chain with a full backup",
                           image->path, what, is ?: "not there", wanted ?: "not there");
}

/* What every layer must be. */
static int compare_layer(const Image *image, const json_t *layer, const char *which,
                         Failure *failure)
{
        const json_t *data = json_object_get(json_object_get(layer, "format-specific"), "data");
        const char *format = json_field_text(layer, "format");
        char what[64];

        if (!format || strcmp(format, "qcow2") != 0) {
                (void) snprintf(what, sizeof(what), "the format of %s", which);
                return damaged(failure, image, what, format, "qcow2");
        }
        if (json_is_true(json_object_get(data, "corrupt")) ||
            json_is_true(json_object_get(layer, "dirty-flag")))
                return damaged(failure, image, which, "marked as corrupt or dirty", "sound");
        if (json_object_get(data, "data-file") || json_object_get(layer, "encrypted") ||
            json_object_get(layer, "snapshots"))
                return damaged(failure, image, which,
                               "one with a data file, encryption or snapshots", "a plain image");
        return 0;
}

int image_compare_backing(const Image *image, const json_t *chain, uint64_t capacity_bytes,
                          const char *backing, Failure *failure)
{
        const json_t *layer = json_array_get(chain, 0);
        uint64_t size = json_field_number(layer, "virtual-size");
        char which[REPOSITORY_NAME_SIZE + 16];
        int r;

        (void) snprintf(which, sizeof(which), "the layer %s", backing);
        r = compare_layer(image, layer, which, failure);
        if (r < 0)
                return r;
        if (size > capacity_bytes)
                return failure_set(failure, BUS_ERROR_IMAGE_DAMAGED,
                                   "%s: the layer %s below has %" PRIu64
                                   " bytes and the disk only %" PRIu64
                                   "; a disk that shrank needs a full backup",
                                   image->path, backing, size, capacity_bytes);
        return 0;
}

int image_compare(const Image *image, const json_t *chain, uint64_t capacity_bytes,
                  const char *backing, Failure *failure)
{
        const json_t *top = json_array_get(chain, 0);
        const char *link = json_field_text(top, "backing-filename");
        const char *format = json_field_text(top, "backing-filename-format");
        uint64_t size = json_field_number(top, "virtual-size");
        int r;

        r = compare_layer(image, top, "the image", failure);
        if (r < 0)
                return r;
        if (size != capacity_bytes)
                return failure_set(failure, BUS_ERROR_IMAGE_DAMAGED,
                                   "%s has %" PRIu64 " bytes for the guest, must have %" PRIu64
                                   "; start the backup again",
                                   image->path, size, capacity_bytes);
        if (!backing != !link || (backing && strcmp(backing, link) != 0))
                return damaged(failure, image, "the layer below", link, backing);
        if (backing && (!format || strcmp(format, "qcow2") != 0))
                return damaged(failure, image, "the format of the layer below", format, "qcow2");
        if (backing) {
                json_t *rest = json_pack("[O]", json_array_get(chain, 1));

                r = image_compare_backing(image, rest, capacity_bytes, backing, failure);
                json_decref(rest);
        }
        return r;
}

typedef struct CheckResult {
        int status;
        uint64_t leaks, corruptions;
} CheckResult;

static int run_check(const Image *image, bool repair, CheckResult *ret_result, Said *said,
                     Failure *failure)
{
        const char *const look[] = { "qemu-img",      "check", "-f",        "qcow2",
                                     "--output=json", "--",    image->name, NULL };
        const char *const mend[] = { "qemu-img", "check",         "-r", "leaks",     "-f",
                                     "qcow2",    "--output=json", "--", image->name, NULL };
        _cleanup_free_ char *text = NULL;
        json_t *found;
        int r;

        r = tool_run(image->folder, repair ? mend : look, &ret_result->status, &text, said,
                     failure);
        if (r < 0)
                return r;
        found = text ? json_loads(text, 0, NULL) : NULL;
        ret_result->leaks = json_field_number(found, repair ? "leaks-fixed" : "leaks");
        ret_result->corruptions = json_field_number(found, "corruptions");
        json_decref(found);
        return 0;
}

/* The exit statuses of qemu-img check. */
enum {
        CHECK_FOUND_NOTHING = 0,
        CHECK_FOUND_DAMAGE = 2,
        CHECK_FOUND_LEAKS = 3,
};

int image_check(const Image *image, uint64_t *ret_leaks_repaired, Failure *failure)
{
        CheckResult check, mended = {};
        Said said;
        int r;

        r = run_check(image, false, &check, &said, failure);
        if (r < 0)
                return r;
        if (check.status == CHECK_FOUND_LEAKS) {
                fault_point("image.repair.before");
                r = run_check(image, true, &mended, &said, failure);
                if (r >= 0)
                        r = run_check(image, false, &check, &said, failure);
                if (r < 0)
                        return r;
                fault_point("image.repair.after");
        }
        if (check.status == CHECK_FOUND_DAMAGE || check.status == CHECK_FOUND_LEAKS)
                return failure_set(failure, BUS_ERROR_IMAGE_DAMAGED,
                                   "%s: qemu-img check finds damage; start the backup again",
                                   image->path);
        if (check.status != CHECK_FOUND_NOTHING)
                return tool_failure(failure, BUS_ERROR_IMAGE_DAMAGED, image->path,
                                    "qemu-img cannot check it", &said);
        *ret_leaks_repaired = mended.leaks;
        return 0;
}

int image_find_damage(const Image *image, char ret_what[static IMAGE_DAMAGE_SIZE], Failure *failure)
{
        CheckResult check;
        Said said;
        int r;

        r = run_check(image, false, &check, &said, failure);
        if (r < 0)
                return r;
        switch (check.status) {
        case CHECK_FOUND_NOTHING:
                return 0;
        case CHECK_FOUND_DAMAGE:
                (void) snprintf(ret_what, IMAGE_DAMAGE_SIZE,
                                "qemu-img check finds %" PRIu64 " errors in its tables",
                                check.corruptions);
                return 1;
        case CHECK_FOUND_LEAKS:
                /* The last step of a backup leaves none. */
                (void) snprintf(ret_what, IMAGE_DAMAGE_SIZE,
                                "qemu-img check finds %" PRIu64
                                " leaked clusters, and a sealed layer has none",
                                check.leaks);
                return 1;
        default:
                return tool_failure(failure, BUS_ERROR_IMAGE_DAMAGED, image->path,
                                    "qemu-img cannot check it", &said);
        }
}

int image_is_sound(const Image *image, Failure *failure)
{
        CheckResult check;
        Said said;
        int r;

        r = run_check(image, false, &check, &said, failure);
        if (r < 0)
                return r;
        if (check.status == CHECK_FOUND_NOTHING || check.status == CHECK_FOUND_LEAKS)
                return 1;
        return check.status == CHECK_FOUND_DAMAGE
                               ? 0
                               : tool_failure(failure, BUS_ERROR_IMAGE_DAMAGED, image->path,
                                              "qemu-img cannot check it", &said);
}
