/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starting and ending the appliance (see guest.h).
 */
#include "guest.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "guard.h"
#include "place.h"
#include "result-file.h"
#include "small-file.h"

#include <errno.h>
#include <string.h>

enum {
        START_SEC = 900, /* without KVM and on a busy machine */
        MEMORY_MIB = 1024,
};

#define TEMPORARY_DIR "/var/tmp"

void guest_expect(const char *what)
{
        guard_set(GUEST_CALL_SEC, BUS_ERROR_FAILED,
                  "The appliance has not answered for %d s: %s; the file system may be damaged",
                  GUEST_CALL_SEC, what);
}

/* What sendense-appliance.service has found out, which may be why there is no appliance. */
static int read_state(json_t **ret_state, Failure *failure)
{
        CLEANUP(json_decrefp) json_t *state = NULL;
        _cleanup_free_ char *text = NULL;
        const char *error;
        size_t size;
        int r;

        r = small_file_read(FILES_STATE_FILE, FILES_STATE_SIZE_MAX, &text, &size);
        if (r >= 0)
                r = result_parse(text, size, &state);
        if (r < 0)
                return failure_set(failure, BUS_ERROR_TOOL_MISSING,
                                   "There is no appliance to read file systems with: "
                                   "journalctl -u sendense-appliance says why");
        error = json_string_value(json_object_get(state, "error_text"));
        if (error)
                return failure_set(failure, BUS_ERROR_TOOL_MISSING, "%s", error);
        *ret_state = TAKE(state);
        return 0;
}

static int choose_accel(Guest *guest, const FilesSpec *spec, Failure *failure)
{
        CLEANUP(json_decrefp) json_t *state = NULL;
        const char *accel;
        int r = read_state(&state, failure);

        if (r < 0)
                return r;
        accel = strcmp(spec->accel, "auto") == 0
                                ? json_string_value(json_object_get(state, "accel"))
                                : spec->accel;
        guest->accel = accel && strcmp(accel, "kvm") == 0 ? "kvm" : "tcg";
        return 0;
}

static int prepare(guestfs_h *g, const Guest *guest)
{
        char *kvm[] = { (char[]){ "force_kvm" }, NULL }, *tcg[] = { (char[]){ "force_tcg" }, NULL };

        guestfs_set_error_handler(g, NULL, NULL);
        if (guestfs_set_backend(g, "direct") < 0 ||
            guestfs_set_backend_settings(g, strcmp(guest->accel, "kvm") == 0 ? kvm : tcg) < 0 ||
            guestfs_set_path(g, FILES_APPLIANCE_DIR) < 0 ||
            guestfs_set_tmpdir(g, TEMPORARY_DIR) < 0 ||
            guestfs_set_cachedir(g, TEMPORARY_DIR) < 0 || guestfs_set_autosync(g, 0) < 0 ||
            guestfs_set_memsize(g, MEMORY_MIB) < 0)
                return -EIO;
        return 0;
}

static int add_disks(guestfs_h *g, const FilesSpec *spec, Failure *failure)
{
        for (size_t i = 0; i < spec->n_disks; i++) {
                guest_expect("a disk is opened");
                if (guestfs_add_drive_opts(g, spec->disks[i], GUESTFS_ADD_DRIVE_OPTS_READONLY, 1,
                                           GUESTFS_ADD_DRIVE_OPTS_FORMAT, "qcow2", -1) < 0)
                        return failure_guest(failure, g, BUS_ERROR_IMAGE_DAMAGED, "%s",
                                             spec->disks[i]);
        }
        return 0;
}

int guest_open(Guest *guest, const FilesSpec *spec, Failure *failure)
{
        int r;

        *guest = (Guest){};
        r = choose_accel(guest, spec, failure);
        if (r < 0)
                return r;
        guest->handle = guestfs_create_flags(0);
        if (!guest->handle || prepare(guest->handle, guest) < 0)
                return failure_set(failure, BUS_ERROR_FAILED, "libguestfs cannot be set up");
        r = add_disks(guest->handle, spec, failure);
        if (r < 0)
                return r;
        guard_set(START_SEC, BUS_ERROR_FAILED,
                  "The appliance has not started within %d s with acceleration %s; [Files] "
                  "GuestfsAccel= in the hub's settings chooses another",
                  START_SEC, guest->accel);
        if (guestfs_launch(guest->handle) < 0)
                return failure_guest(failure, guest->handle, BUS_ERROR_FAILED,
                                     "The appliance does not start with acceleration %s",
                                     guest->accel);
        guard_clear();
        return 0;
}

void guest_close(Guest *guest)
{
        guard_set(GUEST_CALL_SEC, BUS_ERROR_FAILED, "The appliance does not end");
        if (guest->handle)
                guestfs_close(guest->handle);
        guard_clear();
        *guest = (Guest){};
}
