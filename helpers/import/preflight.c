/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The look before the copy (see preflight.h). Sizes are judged when all are known, so that a text can
 * say which other disk a target fits.
 */
#include "preflight.h"

#include "endpoint.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

typedef struct Sizes {
        uint64_t source;
        uint64_t target;
} Sizes;

static int complain(Failure *failure, int error, const DiskSpec *disk, const char *role,
                    const char *text)
{
        if (error == -ECANCELED)
                return failure_set(failure, error, FAILURE_CANCELLED, 0, "cancelled");
        return failure_set(failure, error, FAILURE_COPY, disk->disk_key,
                           "disk %" PRIu32 ": cannot open its %s: %s; nothing was written",
                           disk->disk_key, role, text);
}

static int look_at_source(const DiskSpec *disk, int signal_fd, uint64_t *ret_size, Failure *failure)
{
        CLEANUP(endpoint_close) Endpoint source = {};
        int r;

        r = endpoint_open(&source, disk->source, signal_fd);
        if (r >= 0)
                r = endpoint_size(&source, ret_size);
        return r < 0 ? complain(failure, r, disk, "source", source.error) : 0;
}

static int look_at_target(const DiskSpec *disk, int signal_fd, uint64_t *ret_size, Failure *failure)
{
        CLEANUP(endpoint_close) Endpoint target = {};
        int r;

        r = endpoint_open(&target, disk->target, signal_fd);
        if (r >= 0)
                r = endpoint_size(&target, ret_size);
        if (r < 0)
                return complain(failure, r, disk, "target", target.error);
        r = endpoint_check_instance(&target, disk->invocation_id);
        if (r < 0)
                return failure_set(failure, r, FAILURE_COPY, disk->disk_key,
                                   "disk %" PRIu32 ": its target is not the export that was "
                                   "started for it, it %s; nothing was written",
                                   disk->disk_key, target.error);
        if (nbd_is_read_only(target.nbd) != 0)
                return failure_set(failure, -EROFS, FAILURE_COPY, disk->disk_key,
                                   "disk %" PRIu32 ": its target is read-only", disk->disk_key);
        return 0;
}

/* The disk that a size belongs to, if it is another one. */
static const DiskSpec *find_other(const ImportSpec *spec, const DiskSpec *disk, uint64_t size)
{
        for (size_t i = 0; i < spec->n_disks; i++)
                if (&spec->disks[i] != disk && spec->disks[i].capacity_bytes == size)
                        return &spec->disks[i];
        return NULL;
}

static int judge_size(const ImportSpec *spec, const DiskSpec *disk, const char *role, uint64_t size,
                      Failure *failure)
{
        const DiskSpec *other;
        char hint[80] = "";

        if (size == disk->capacity_bytes)
                return 0;
        other = find_other(spec, disk, size);
        if (other)
                (void) snprintf(hint, sizeof(hint), ", as disk %" PRIu32 " has: are they swapped?",
                                other->disk_key);
        return failure_set(failure, -EINVAL, FAILURE_COPY, disk->disk_key,
                           "disk %" PRIu32 " has %" PRIu64 " bytes, but its %s %" PRIu64
                           "%s; nothing was written",
                           disk->disk_key, disk->capacity_bytes, role, size, hint);
}

int preflight_check(const ImportSpec *spec, int signal_fd, Failure *failure)
{
        _cleanup_free_ Sizes *sizes = calloc(spec->n_disks, sizeof(*sizes));
        int r = 0;

        if (!sizes)
                return -ENOMEM;
        for (size_t i = 0; i < spec->n_disks && r >= 0; i++) {
                r = look_at_source(&spec->disks[i], signal_fd, &sizes[i].source, failure);
                if (r >= 0)
                        r = look_at_target(&spec->disks[i], signal_fd, &sizes[i].target, failure);
        }
        for (size_t i = 0; i < spec->n_disks && r >= 0; i++) {
                r = judge_size(spec, &spec->disks[i], "target", sizes[i].target, failure);
                if (r >= 0)
                        r = judge_size(spec, &spec->disks[i], "source", sizes[i].source, failure);
        }
        return r;
}
