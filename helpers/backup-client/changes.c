/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Questions for changed areas (see changes.h).
 */
#include "changes.h"

#include "cleanup.h"
#include "log.h"
#include "session.h"
#include "vsphere/cbt.h"
#include "vsphere/login-spec.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define CHANGE_ID_EVER "*" /* whatever was ever written */

static bool is_of_vcenter(const DiskSpec *disk)
{
        return disk->source.kind == SOURCE_HTTPS || disk->source.kind == SOURCE_VDDK;
}

/* Since when; NULL: the disk needs no question, or there is none to ask. An increment since ever would be answered, and
 * lack what was freed in the meantime. */
static const char *since(const DiskSpec *disk)
{
        if (disk->has_areas)
                return NULL;
        if (disk->read == READ_CHANGED)
                return is_of_vcenter(disk) && disk->change_id &&
                                                       strcmp(disk->change_id, CHANGE_ID_EVER) != 0
                                       ? disk->change_id
                                       : NULL;
        /* The plugin of VDDK knows itself what is allocated; a datastore does not. */
        return disk->read == READ_ALLOCATED && disk->source.kind == SOURCE_HTTPS &&
                                               disk->change_id_now && *disk->change_id_now
                               ? CHANGE_ID_EVER
                               : NULL;
}

static void doubt(DiskSpec *disk, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void doubt(DiskSpec *disk, const char *format, ...)
{
        va_list ap;

        area_list_done(&disk->areas);
        disk->has_areas = false;
        /* That hints are missing is no reason anybody asked for. */
        if (disk->read != READ_CHANGED)
                return;
        va_start(ap, format);
        (void) vsnprintf(disk->reason, sizeof(disk->reason), format, ap);
        va_end(ap);
        /* All of it is what it holds: the source knows that, or it can be asked for. */
        disk->read = READ_ALLOCATED;
}

/* In place of nothing: an empty list is what an increment without changes has. Those in more places than there is room for
 * are read with what lies between them. */
static int take_areas(DiskSpec *disk, VSphereAreas *areas, size_t n_max)
{
        areas_limit(areas, n_max);
        for (size_t i = 0; i < areas->n_areas; i++) {
                int r = area_list_add(&disk->areas,
                                      (Area){ areas->areas[i].offset, areas->areas[i].length },
                                      disk->capacity_bytes, n_max);

                if (r == -ENOMEM)
                        return r;
                if (r < 0) {
                        doubt(disk, "vCenter's list of changes is not one of sectors of this disk");
                        return 0;
                }
        }
        disk->has_areas = true;
        disk->rest_is_zero = disk->read == READ_ALLOCATED;
        return 0;
}

static int ask_disk(VSphere *v, const VSphereAreasRequest *request, DiskSpec *disk, size_t n_max,
                    VSphereError *error)
{
        VSphereAreas areas = {};
        int r;

        r = vsphere_changed_areas(v, request, &areas, error);
        if (r == AREAS_WHOLE_DISK) {
                doubt(disk, "%s", areas.reason);
                r = 0;
        } else if (r >= 0)
                r = take_areas(disk, &areas, n_max);
        if (r >= 0 && disk->has_areas)
                log_debug("Disk %" PRIu32 ": %zu areas, %" PRIu64 " bytes, in %u pages",
                          disk->disk_key, disk->areas.n, disk->areas.bytes, areas.n_pages);
        areas_done(&areas);
        return r;
}

static const char *text_of(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key));
}

/* Who must read all of a disk asks once more, for what was ever written. */
static int ask_patiently(VSphere *v, VSphereAreasRequest *request, DiskSpec *disk, size_t n_max,
                         VSphereError *error)
{
        int r;

        r = ask_disk(v, request, disk, n_max, error);
        if (r < 0 || disk->has_areas || !*disk->reason)
                return r;
        request->change_id = since(disk);
        return request->change_id ? ask_disk(v, request, disk, n_max, error) : 0;
}

/* Each of those behind it has room left, too. */
static size_t room(const CopySpec *spec, size_t i, size_t n_areas)
{
        return SPEC_AREAS_MAX - n_areas - (spec->n_disks - 1 - i) * SPEC_DISK_AREAS_MIN;
}

static int ask_all(CopySpec *spec, VSphere *v, Failure *failure)
{
        const char *vm = text_of(spec->vm, "moref"),
                   *snapshot = text_of(spec->vm, "snapshot_moref");
        VSphereRef vm_ref = { .type = "VirtualMachine" },
                   snapshot_ref = { .type = "VirtualMachineSnapshot" };
        size_t n_areas = 0;

        (void) snprintf(vm_ref.value, sizeof(vm_ref.value), "%s", vm);
        (void) snprintf(snapshot_ref.value, sizeof(snapshot_ref.value), "%s", snapshot);
        for (size_t i = 0; i < spec->n_disks; i++) {
                DiskSpec *disk = &spec->disks[i];
                VSphereAreasRequest request = {
                        .vm = &vm_ref,
                        .snapshot = &snapshot_ref,
                        .disk_key = disk->disk_key,
                        .capacity = disk->capacity_bytes,
                        .change_id = since(disk),
                        .change_id_now = disk->change_id_now,
                };
                VSphereError error = {};
                int r;

                if (!is_of_vcenter(disk) || !request.change_id)
                        continue;
                r = ask_patiently(v, &request, disk, room(spec, i, n_areas), &error);
                if (r < 0)
                        return failure_set(failure, r, error.name ?: FAILURE_SOURCE, disk->disk_key,
                                           "what has changed on disk %" PRIu32
                                           " cannot be asked: %s",
                                           disk->disk_key, error.text);
                n_areas += disk->areas.n;
        }
        return 0;
}

int changes_ask(CopySpec *spec, int cancel_fd, Failure *failure)
{
        CLEANUP(login_spec_done) LoginSpec login = {};
        CLEANUP(vsphere_close_p) VSphere *v = NULL;
        VSphereError error = {};
        bool is_wanted = false;
        int r;

        for (size_t i = 0; i < spec->n_disks; i++) {
                DiskSpec *disk = &spec->disks[i];

                if (disk->read == READ_CHANGED && !disk->has_areas && !since(disk))
                        doubt(disk, "nobody says what has changed");
                is_wanted = is_wanted || (is_of_vcenter(disk) && since(disk));
        }
        if (!is_wanted)
                return 0;
        if (!text_of(spec->vm, "moref") || !text_of(spec->vm, "snapshot_moref"))
                return failure_set(failure, -EINVAL, FAILURE_INVALID, 0,
                                   "the spec: \"vm\" must have moref and snapshot_moref to ask for "
                                   "what has changed");
        r = login_spec_read(spec->vcenter, session_password_file(), &login, &error);
        if (r >= 0) {
                login.login.cancel_fd = cancel_fd;
                r = vsphere_open(&login.login, &v, &error);
        }
        if (r < 0)
                return failure_set(failure, r, error.name ?: FAILURE_SOURCE, 0, "%s", error.text);
        r = ask_all(spec, v, failure);
        if (r >= 0)
                session_lend(spec->vcenter, &login, TAKE(v));
        return r;
}
