/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The errors that our bus objects answer with: name, errno, and one sentence for people who meet the
 * name without its message. Used by all daemons when they answer and by all clients when they read.
 */
#pragma once

#include <stdbool.h>
#include <systemd/sd-bus.h>

#define BUS_ERROR_INVALID_ARGUMENT       "com.sendense.Error.InvalidArgument"
#define BUS_ERROR_UNKNOWN_OPTION         "com.sendense.Error.UnknownOption"
#define BUS_ERROR_NOT_FOUND              "com.sendense.Error.NotFound"
#define BUS_ERROR_EXISTS                 "com.sendense.Error.Exists"
#define BUS_ERROR_BUSY                   "com.sendense.Error.Busy"
#define BUS_ERROR_DATABASE_UNAVAILABLE   "com.sendense.Error.DatabaseUnavailable"
#define BUS_ERROR_SCHEMA_MISMATCH        "com.sendense.Error.SchemaMismatch"
#define BUS_ERROR_VM_BUSY                "com.sendense.Error.VmBusy"
#define BUS_ERROR_REPOSITORY_MISSING     "com.sendense.Error.RepositoryMissing"
#define BUS_ERROR_REPOSITORY_READ_ONLY   "com.sendense.Error.RepositoryReadOnly"
#define BUS_ERROR_REPOSITORY_PERMISSIONS "com.sendense.Error.RepositoryPermissions"
#define BUS_ERROR_REPOSITORY_FULL        "com.sendense.Error.RepositoryFull"
#define BUS_ERROR_REPOSITORY_HANGS       "com.sendense.Error.RepositoryHangs"
#define BUS_ERROR_PORTS_EXHAUSTED        "com.sendense.Error.PortsExhausted"
#define BUS_ERROR_PORT_TAKEN             "com.sendense.Error.PortTaken"
#define BUS_ERROR_EXPORT_FAILED          "com.sendense.Error.ExportFailed"
#define BUS_ERROR_IMAGE_DAMAGED          "com.sendense.Error.ImageDamaged"
#define BUS_ERROR_IMAGE_BUSY             "com.sendense.Error.ImageBusy"
#define BUS_ERROR_COPY_FAILED            "com.sendense.Error.CopyFailed"
#define BUS_ERROR_TOOL_MISSING           "com.sendense.Error.ToolMissing"
#define BUS_ERROR_CANCELLED              "com.sendense.Error.Cancelled"
#define BUS_ERROR_REBOOTED               "com.sendense.Error.Rebooted"
#define BUS_ERROR_NOT_ALLOWED            "com.sendense.Error.NotAllowed"
#define BUS_ERROR_VCENTER_UNREACHABLE    "com.sendense.Error.VCenterUnreachable"
#define BUS_ERROR_VCENTER_LOGIN          "com.sendense.Error.VCenterLogin"
#define BUS_ERROR_VCENTER_SESSION        "com.sendense.Error.VCenterSession"
#define BUS_ERROR_CERTIFICATE_CHANGED    "com.sendense.Error.CertificateChanged"
#define BUS_ERROR_CERTIFICATE_INVALID    "com.sendense.Error.CertificateInvalid"
#define BUS_ERROR_VM_MISSING             "com.sendense.Error.VmMissing"
#define BUS_ERROR_VM_AMBIGUOUS           "com.sendense.Error.VmAmbiguous"
#define BUS_ERROR_VM_NOT_USABLE          "com.sendense.Error.VmNotUsable"
#define BUS_ERROR_DISKS_CHANGED          "com.sendense.Error.DisksChanged"
#define BUS_ERROR_SNAPSHOT_FAILED        "com.sendense.Error.SnapshotFailed"
#define BUS_ERROR_QUIESCE_FAILED         "com.sendense.Error.QuiesceFailed"
#define BUS_ERROR_SNAPSHOT_LEFT          "com.sendense.Error.SnapshotLeft"
#define BUS_ERROR_VM_LEFT                "com.sendense.Error.VmLeft"
#define BUS_ERROR_SOURCE_FAILED          "com.sendense.Error.SourceFailed"
#define BUS_ERROR_TARGET_FAILED          "com.sendense.Error.TargetFailed"
#define BUS_ERROR_TARGET_TOO_SMALL       "com.sendense.Error.TargetTooSmall"
#define BUS_ERROR_BACKUP_DAMAGED         "com.sendense.Error.BackupDamaged"
#define BUS_ERROR_NODE_UNREACHABLE       "com.sendense.Error.NodeUnreachable"
#define BUS_ERROR_TOKEN_INVALID          "com.sendense.Error.TokenInvalid"
#define BUS_ERROR_MASTER_KEY_UNUSABLE    "com.sendense.Error.MasterKeyUnusable"
#define BUS_ERROR_LAST_BACKUP            "com.sendense.Error.LastBackup"
#define BUS_ERROR_KEY_REUSED             "com.sendense.Error.KeyReused"
#define BUS_ERROR_UNAUTHORIZED           "com.sendense.Error.Unauthorized"
#define BUS_ERROR_FAILED                 "com.sendense.Error.Failed"
#define BUS_ERROR_ACCESS_DENIED          SD_BUS_ERROR_ACCESS_DENIED

/* Tells sd-bus the table, so that sd_bus_error_set() and sd_bus_error_get_errno() know our names. Once
 * at the start of a program; harmless when repeated. */
int bus_error_register(void);

/* Fills error (may be NULL) and returns the name's negative errno, so that a handler can return it.
 * -EIO for a name that is not in the table. */
int bus_error_setf(sd_bus_error *error, const char *name, const char *format, ...)
                __attribute__((format(printf, 3, 4)));

/* Negative errno of a name, -EIO when it is none of ours. */
int bus_error_to_errno(const char *name);

/* The name for a negative errno, NULL when none of ours stands for it. */
const char *bus_error_from_errno(int error);

/* Whether what it says passes by itself, or may: a backup that failed so is worth another attempt without a hand in between. */
bool bus_error_passes(const char *name);

/* One sentence about a name, NULL when it is none of ours. */
const char *bus_error_sentence(const char *name);

/* The table's rows in order, for tests and documents: NULL beyond the last. */
const char *bus_error_name(unsigned i);
