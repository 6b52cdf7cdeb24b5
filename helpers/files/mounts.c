/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mounting (see mounts.h). libguestfs says nothing of a line of fstab whose UUID= no disk has, and a file system that is damaged enough has
 * none: so fstab is read here, too.
 */
#include "mounts.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "fstab.h"
#include "log.h"
#include "path-text.h"

#include <stdlib.h>
#include <string.h>

#define FSTAB "/etc/fstab"

enum {
        FSTAB_SIZE_MAX = 256 * 1024,
};

typedef struct Fstab {
        char *text;
        FstabLine *lines;
        size_t n;
} Fstab;

static void fstab_done(Fstab *fstab)
{
        free(fstab->text);
        free(fstab->lines);
}

static int out_of_memory(Failure *failure)
{
        return failure_set(failure, BUS_ERROR_FAILED, "Out of memory");
}

int mounts_add(Guest *guest, const char *device, const char *place, Failure *failure)
{
        guest_expect("a file system is mounted");
        return guestfs_mount_ro(guest->handle, device, place) < 0
                               ? failure_guest(failure, guest->handle, BUS_ERROR_FAILED,
                                               "The file system %s cannot be mounted", device)
                               : 0;
}

/* ── What is not there ── */

static bool is_at_or_below(const char *path, const char *place)
{
        size_t length = strlen(place);

        return !place[1] ||
               (strncmp(path, place, length) == 0 && (path[length] == '\0' || path[length] == '/'));
}

bool unmounted_is_above(const Unmounted *unmounted, const char *path)
{
        return is_at_or_below(path, unmounted->place);
}

bool unmounted_is_below(const Unmounted *unmounted, const char *path)
{
        return is_at_or_below(unmounted->place, path);
}

/* Takes the failure, which is the appliance's end when that is gone. */
static int keep(Mounts *mounts, Guest *guest, int error, const char *place, Failure *failure)
{
        Unmounted *more;
        char *copy;

        if (guestfs_is_ready(guest->handle) <= 0)
                return error;
        copy = strdup(place);
        more = copy ? reallocarray(mounts->unmounted, mounts->n + 1, sizeof(*more)) : NULL;
        if (!more) {
                free(copy);
                return out_of_memory(failure);
        }
        mounts->unmounted = more;
        more[mounts->n++] = (Unmounted){ .place = copy, .why = *failure };
        *failure = (Failure){};
        return 0;
}

void mounts_done(Mounts *mounts)
{
        for (size_t i = 0; i < mounts->n; i++)
                free(mounts->unmounted[i].place);
        free(mounts->unmounted);
        *mounts = (Mounts){};
}

/* ── The guest's fstab ── */

static int parse(Fstab *fstab, Failure *failure)
{
        char *rest = fstab->text;
        FstabLine line;

        while (fstab_next(&rest, &line)) {
                FstabLine *more = reallocarray(fstab->lines, fstab->n + 1, sizeof(*more));

                if (!more)
                        return out_of_memory(failure);
                fstab->lines = more;
                more[fstab->n++] = line;
        }
        return 0;
}

/* Without one there are no lines. One that cannot be read leaves it open what else is missing, anywhere. */
static int read_fstab(Fstab *fstab, Mounts *mounts, Guest *guest, Failure *failure)
{
        _cleanup_free_ char *bytes = NULL;
        size_t size = 0;
        int r;

        guest_expect("fstab is read");
        if (guestfs_is_file_opts(guest->handle, FSTAB, GUESTFS_IS_FILE_OPTS_FOLLOWSYMLINKS, 1,
                                 -1) <= 0)
                return 0;
        bytes = guestfs_pread(guest->handle, FSTAB, FSTAB_SIZE_MAX, 0, &size);
        if (!bytes || size == FSTAB_SIZE_MAX) {
                r = bytes ? failure_set(failure, BUS_ERROR_FAILED, FSTAB " is too large")
                          : failure_guest(failure, guest->handle, BUS_ERROR_FAILED,
                                          FSTAB " cannot be read");
                return keep(mounts, guest, r, "/", failure);
        }
        fstab->text = strndup(bytes, size);
        return fstab->text ? parse(fstab, failure) : out_of_memory(failure);
}

/* The guest itself mounts it when somebody asks. */
static bool is_on_demand(const Fstab *fstab, const char *place)
{
        for (size_t i = 0; i < fstab->n; i++)
                if (strcmp(fstab->lines[i].place, place) == 0)
                        return fstab_line_has_option(fstab->lines + i, "noauto");
        return false;
}

static bool is_in_pairs(char **pairs, const char *place)
{
        for (size_t i = 0; pairs[i] && pairs[i + 1]; i += 2)
                if (strcmp(pairs[i], place) == 0)
                        return true;
        return false;
}

/* ── Mounting ── */

static int mount_pair(Mounts *mounts, Guest *guest, const Fstab *fstab, char *const *pair,
                      Failure *failure)
{
        int r = mounts_add(guest, pair[1], pair[0], failure);

        if (r >= 0)
                return 0;
        if (is_on_demand(fstab, pair[0])) {
                log_info("%s; the guest does not mount it by itself, ignoring", failure->text);
                *failure = (Failure){};
                return 0;
        }
        return keep(mounts, guest, r, pair[0], failure);
}

static int keep_unknown(Mounts *mounts, Guest *guest, const Fstab *fstab, char **pairs,
                        Failure *failure)
{
        int r = 0;

        for (size_t i = 0; i < fstab->n && r >= 0; i++) {
                const FstabLine *line = fstab->lines + i;
                _cleanup_free_ char *device = path_text_from_bytes(line->device);

                if (!fstab_line_is_disk(line) || is_in_pairs(pairs, line->place))
                        continue;
                r = failure_set(failure, BUS_ERROR_FAILED,
                                "The guest mounts %.200s there, which is damaged, or on no disk of "
                                "the backup",
                                device ?: "a file system");
                r = keep(mounts, guest, r, line->place, failure);
        }
        return r;
}

int mounts_add_system(Mounts *mounts, Guest *guest, char **pairs, Failure *failure)
{
        CLEANUP(fstab_done) Fstab fstab = {};
        size_t longest = 1;
        int r;

        r = read_fstab(&fstab, mounts, guest, failure);
        for (size_t i = 0; pairs[i] && pairs[i + 1]; i += 2) {
                fstab_unescape(pairs[i]);
                if (strlen(pairs[i]) > longest)
                        longest = strlen(pairs[i]);
        }
        for (size_t length = 2; r >= 0 && length <= longest; length++)
                for (size_t i = 0; r >= 0 && pairs[i] && pairs[i + 1]; i += 2)
                        if (strlen(pairs[i]) == length)
                                r = mount_pair(mounts, guest, &fstab, pairs + i, failure);
        return r < 0 ? r : keep_unknown(mounts, guest, &fstab, pairs, failure);
}
