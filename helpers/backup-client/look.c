/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A look at descriptors and targets (see look.h).
 */
#include "look.h"

#include "preflight.h"
#include "session.h"
#include "source-vsphere.h"

#include "names.h"
#include "nbd-uri.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static const char *text_of(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key)) ?: "";
}

static int read_disk(const json_t *disk, uint32_t *ret_key, uint64_t *ret_capacity,
                     Failure *failure)
{
        json_int_t key = json_integer_value(json_object_get(disk, "disk_key"));
        json_int_t capacity = json_integer_value(json_object_get(disk, "capacity_bytes"));

        if (key < 1 || key > (json_int_t) DISK_KEY_MAX || capacity < 1)
                return failure_set(failure, -EINVAL, FAILURE_INVALID, 0,
                                   "each disk needs a disk_key and capacity_bytes");
        *ret_key = (uint32_t) key;
        *ret_capacity = (uint64_t) capacity;
        return 0;
}

static int look_at_disk(const json_t *vcenter, const json_t *disk, int signal_fd, Failure *failure)
{
        SourceVsphereSpec spec = {
                .vcenter = vcenter,
                .datastore_path = text_of(disk, "datastore_path"),
                .datacenter = text_of(disk, "datacenter"),
                .n_connections = 1,
                .is_look = true,
        };
        Source *source = NULL;
        int r;

        r = read_disk(disk, &spec.disk_key, &spec.capacity_bytes, failure);
        if (r < 0)
                return r;
        r = source_https_new(&spec, &source, failure);
        if (r < 0)
                return r;
        r = preflight_open_source(source, signal_fd);
        if (r == -ECANCELED)
                (void) failure_set(failure, r, FAILURE_CANCELLED, 0, "cancelled");
        else if (r < 0)
                (void) failure_set(failure, r, source->error_name ?: FAILURE_SOURCE, spec.disk_key,
                                   "disk %" PRIu32 ": %s; nothing was done", spec.disk_key,
                                   source->error);
        (void) source_free(source);
        return r;
}

int look_at_disks(const json_t *vcenter, const json_t *disks, int signal_fd, Failure *failure)
{
        CLEANUP(session_leave_p)
        SessionUser *session = NULL; /* so that there is one login for all */
        const json_t *disk;
        size_t i;
        int r;

        r = session_join(vcenter, &session, failure);
        json_array_foreach (disks, i, disk)
                if (r >= 0 && strcmp(text_of(disk, "verdict"), "no") != 0)
                        r = look_at_disk(vcenter, disk, signal_fd, failure);
        return r;
}

static int look_at_target(const json_t *disk, int signal_fd, PreflightSize *ret_size,
                          Failure *failure)
{
        const char *uri_text = text_of(disk, "target");
        Target target;
        NbdUri uri;
        int r;

        r = read_disk(disk, &ret_size->disk_key, &ret_size->capacity_bytes, failure);
        if (r < 0)
                return r;
        if (nbd_uri_parse_tls(uri_text, &uri) < 0)
                return failure_set(failure, -EINVAL, FAILURE_INVALID, ret_size->disk_key,
                                   "disk %" PRIu32 ": its target '%.200s' is no NBD URI",
                                   ret_size->disk_key, uri_text);
        target_init(&target, &uri, ret_size->capacity_bytes, 1);
        r = preflight_open_target(&target, signal_fd, &ret_size->found_bytes);
        target_close(&target);
        if (r == -ECANCELED)
                return failure_set(failure, r, FAILURE_CANCELLED, 0, "cancelled");
        if (r < 0)
                return failure_set(failure, r, FAILURE_TARGET, ret_size->disk_key,
                                   "disk %" PRIu32 ": cannot open its target: %s; nothing was done",
                                   ret_size->disk_key, target.error);
        return 0;
}

int look_at_targets(const json_t *disks, int signal_fd, Failure *failure)
{
        size_t n_max = json_array_size(disks), n = 0, i;
        _cleanup_free_ PreflightSize *sizes = calloc(n_max + 1, sizeof(*sizes));
        const json_t *disk;
        int r = 0;

        if (!sizes)
                return failure_set(failure, -ENOMEM, FAILURE_OTHER, 0, "out of memory");
        json_array_foreach (disks, i, disk)
                if (r >= 0 && json_object_get(disk, "target"))
                        r = look_at_target(disk, signal_fd, sizes + n++, failure);
        return r < 0 ? r : preflight_judge(sizes, n, "target", failure);
}
