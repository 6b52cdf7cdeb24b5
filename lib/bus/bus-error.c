/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of our bus errors (see bus-error.h). Each errno stands once in it, so that it can be read
 * both ways.
 */
#include "bus/bus-error.h"

#include "cleanup.h"
#include "text.h"
#include "utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

static const struct {
        const char *name;
        int error; /* positive, as sd-bus wants it */
        const char *sentence;
} bus_errors[] = {
        { BUS_ERROR_INVALID_ARGUMENT, EINVAL,
          "An argument or option has a value that is not allowed." },
        { BUS_ERROR_UNKNOWN_OPTION, ENOPROTOOPT,
          "The method does not know an option that was given." },
        { BUS_ERROR_NOT_FOUND, ENOENT, "There is no such object." },
        { BUS_ERROR_EXISTS, EEXIST, "There is such an object already." },
        { BUS_ERROR_BUSY, EBUSY, "Something else must end first; try again later." },
        { BUS_ERROR_DATABASE_UNAVAILABLE, ENOTCONN,
          "The database cannot be reached at the moment." },
        { BUS_ERROR_SCHEMA_MISMATCH, EPROTO,
          "Database and program were made for different schemas." },
        { BUS_ERROR_VM_BUSY, EALREADY, "Another job is at work on this VM." },
        { BUS_ERROR_REPOSITORY_MISSING, ENOMEDIUM,
          "The repository is not there, or another one is in its place." },
        { BUS_ERROR_REPOSITORY_READ_ONLY, EROFS,
          "The file system of the repository is read-only." },
        { BUS_ERROR_REPOSITORY_PERMISSIONS, EPERM,
          "Owner, group or mode of the repository are not what they must be." },
        { BUS_ERROR_REPOSITORY_FULL, ENOSPC, "The repository has not enough free space." },
        { BUS_ERROR_REPOSITORY_HANGS, ESTALE,
          "The file system of the repository does not answer." },
        { BUS_ERROR_PORTS_EXHAUSTED, EADDRNOTAVAIL, "All ports for exports are in use." },
        { BUS_ERROR_PORT_TAKEN, EADDRINUSE, "Another program listens on the port of an export." },
        { BUS_ERROR_EXPORT_FAILED, ECONNREFUSED, "An image could not be exported." },
        { BUS_ERROR_IMAGE_DAMAGED, EUCLEAN,
          "An image, or one that it builds on, is damaged, missing or not what it must be." },
        { BUS_ERROR_IMAGE_BUSY, ETXTBSY, "Another process has the image open." },
        { BUS_ERROR_COPY_FAILED, EREMOTEIO, "The data of a disk could not be copied." },
        { BUS_ERROR_TOOL_MISSING, ENOPKG,
          "A program that is needed is not installed, or too old." },
        { BUS_ERROR_CANCELLED, ECANCELED, "Somebody cancelled the job." },
        { BUS_ERROR_REBOOTED, EOWNERDEAD, "The machine was rebooted while the job ran." },
        { BUS_ERROR_NOT_ALLOWED, EOPNOTSUPP, "The settings do not allow it." },
        { BUS_ERROR_VCENTER_UNREACHABLE, EHOSTUNREACH,
          "vCenter does not answer, or what answers is none." },
        { BUS_ERROR_VCENTER_LOGIN, EKEYREJECTED,
          "vCenter does not accept the user or the password." },
        { BUS_ERROR_VCENTER_SESSION, EKEYEXPIRED,
          "The session at vCenter ended, and a new one did not help." },
        { BUS_ERROR_CERTIFICATE_CHANGED, EKEYREVOKED,
          "vCenter shows another certificate than the pinned one." },
        { BUS_ERROR_CERTIFICATE_INVALID, ENOKEY, "The certificate of vCenter cannot be trusted." },
        { BUS_ERROR_VM_MISSING, EUNATCH, "vCenter knows no such VM." },
        { BUS_ERROR_VM_AMBIGUOUS, ENOTUNIQ, "vCenter knows more than one such VM." },
        { BUS_ERROR_VM_NOT_USABLE, EMEDIUMTYPE,
          "The VM, or a disk of it, cannot be backed up as it is." },
        { BUS_ERROR_DISKS_CHANGED, EBADR,
          "The VM has other disks than the backup was made for; discover it again." },
        { BUS_ERROR_SNAPSHOT_FAILED, ENOTRECOVERABLE, "vCenter could not make the snapshot." },
        { BUS_ERROR_QUIESCE_FAILED, ETIME,
          "The guest could not be quiesced, and the job asks for it." },
        { BUS_ERROR_SNAPSHOT_LEFT, ENOTEMPTY, "A snapshot of ours could not be removed yet." },
        { BUS_ERROR_VM_LEFT, EISNAM, "A VM that a restore began could not be removed yet." },
        { BUS_ERROR_SOURCE_FAILED, ENOLINK, "A disk could not be read at the source." },
        { BUS_ERROR_TARGET_FAILED, ECOMM, "A disk could not be written at the target." },
        { BUS_ERROR_TARGET_TOO_SMALL, EDQUOT, "The target has not enough room for the disk." },
        { BUS_ERROR_BACKUP_DAMAGED, EBADMSG, "A part of the backup is not what was backed up." },
        { BUS_ERROR_NODE_UNREACHABLE, EHOSTDOWN, "A node does not answer." },
        { BUS_ERROR_TOKEN_INVALID, ENOANO,
          "The one-time token is unknown, used up or has expired." },
        { BUS_ERROR_MASTER_KEY_UNUSABLE, EBADSLT,
          "The hub has no key to seal secrets with, or not the one that sealed them." },
        { BUS_ERROR_LAST_BACKUP, EMLINK, "It is the last sound backup of its VM." },
        { BUS_ERROR_KEY_REUSED, EBADRQC, "The idempotency key was used for another request." },
        { BUS_ERROR_UNAUTHORIZED, ELIBACC,
          "The token or session is unknown, was revoked or has expired." },
        { BUS_ERROR_FAILED, EBADE, "It failed for a reason that has no name of its own." },
        { BUS_ERROR_ACCESS_DENIED, EACCES, "The caller may not do this." },
};

static const char *const passing[] = {
        BUS_ERROR_BUSY,
        BUS_ERROR_DATABASE_UNAVAILABLE,
        BUS_ERROR_REPOSITORY_HANGS,
        BUS_ERROR_PORTS_EXHAUSTED,
        BUS_ERROR_PORT_TAKEN,
        BUS_ERROR_EXPORT_FAILED,
        BUS_ERROR_IMAGE_BUSY,
        BUS_ERROR_COPY_FAILED,
        BUS_ERROR_REBOOTED,
        BUS_ERROR_VCENTER_UNREACHABLE,
        BUS_ERROR_VCENTER_SESSION,
        BUS_ERROR_DISKS_CHANGED, /* they are looked at anew */
        BUS_ERROR_SNAPSHOT_FAILED,
        BUS_ERROR_QUIESCE_FAILED,
        BUS_ERROR_SNAPSHOT_LEFT,
        BUS_ERROR_SOURCE_FAILED,
        BUS_ERROR_TARGET_FAILED,
        BUS_ERROR_NODE_UNREACHABLE,
};

/* sd-bus keeps the pointer, so it must live as long as the program. */
static sd_bus_error_map bus_error_map[ELEMENTSOF(bus_errors) + 1];

static int find_error(const char *name)
{
        for (size_t i = 0; i < ELEMENTSOF(bus_errors); i++)
                if (strcmp(bus_errors[i].name, name) == 0)
                        return (int) i;
        return -EIO;
}

int bus_error_register(void)
{
        int r;

        for (size_t i = 0; i < ELEMENTSOF(bus_errors); i++)
                bus_error_map[i] = (sd_bus_error_map) SD_BUS_ERROR_MAP(bus_errors[i].name,
                                                                       bus_errors[i].error);
        bus_error_map[ELEMENTSOF(bus_errors)] = (sd_bus_error_map) SD_BUS_ERROR_MAP_END;

        r = sd_bus_error_add_map(bus_error_map);
        return r < 0 ? r : 0;
}

int bus_error_setf(sd_bus_error *error, const char *name, const char *format, ...)
{
        _cleanup_free_ char *text = NULL;
        va_list ap;

        va_start(ap, format);
        text = text_vformat(format, ap);
        va_end(ap);
        /* With a name in it that was cut, sd-bus would send no answer at all. */
        if (text)
                utf8_make_valid(text);
        (void) sd_bus_error_set(error, name, text ?: "Out of memory");
        return bus_error_to_errno(name);
}

int bus_error_to_errno(const char *name)
{
        int i = find_error(name);

        return i < 0 ? i : -bus_errors[i].error;
}

const char *bus_error_from_errno(int error)
{
        for (size_t i = 0; i < ELEMENTSOF(bus_errors); i++)
                if (bus_errors[i].error == -error)
                        return bus_errors[i].name;
        return NULL;
}

const char *bus_error_sentence(const char *name)
{
        int i = find_error(name);

        return i < 0 ? NULL : bus_errors[i].sentence;
}

const char *bus_error_name(unsigned i)
{
        return i < ELEMENTSOF(bus_errors) ? bus_errors[i].name : NULL;
}

bool bus_error_passes(const char *name)
{
        for (size_t i = 0; i < ELEMENTSOF(passing); i++)
                if (strcmp(passing[i], name) == 0)
                        return true;
        return false;
}
