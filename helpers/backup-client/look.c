/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A look at descriptors (see look.h).
 */
#include "look.h"

#include "preflight.h"
#include "session.h"
#include "source-vsphere.h"

#include "names.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static const char *text_of(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key)) ?: "";
}

static int look_at_disk(const json_t *vcenter, const json_t *disk, int signal_fd, Failure *failure)
{
        json_int_t key = json_integer_value(json_object_get(disk, "disk_key"));
        json_int_t capacity = json_integer_value(json_object_get(disk, "capacity_bytes"));
        SourceVsphereSpec spec = {
                .vcenter = vcenter,
                .datastore_path = text_of(disk, "datastore_path"),
                .datacenter = text_of(disk, "datacenter"),
                .capacity_bytes = (uint64_t) capacity,
                .disk_key = (uint32_t) key,
                .n_connections = 1,
                .is_look = true,
        };
        Source *source = NULL;
        int r;

        if (key < 1 || key > (json_int_t) DISK_KEY_MAX || capacity < 1)
                return failure_set(failure, -EINVAL, FAILURE_INVALID, 0,
                                   "each disk needs a disk_key and capacity_bytes");
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
