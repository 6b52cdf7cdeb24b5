/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The names that others depend on: on the bus, of units, of backups and contexts; made here and taken
 * apart here, nowhere else. Pure.
 *
 * A VM may be called anything ("../x", "a b", "Büro [1]"). Its name never becomes part of a unit or
 * export name, and ids carry only its slug: letters, digits, '_' and single '-', so that an id is
 * safe in a path, a URL, a shell and an object path's argument.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HUB_BUS_NAME           "com.sendense.Hub1"
#define HUB_BUS_PATH           "/com/sendense/Hub1"
#define HUB_MANAGER_INTERFACE  "com.sendense.Hub1.Manager"
#define HUB_API_SOCKET         "/run/sendense/hub-api.sock"
#define NODE_BUS_NAME          "com.sendense.Node1"
#define NODE_BUS_PATH          "/com/sendense/Node1"
#define NODE_MANAGER_INTERFACE "com.sendense.Node1.Manager"

/* Of the words by which a node says what it can do: exports by TLS with a key shared beforehand. */
#define NODE_FEATURE_TLS_PSK "tls-psk"

enum {
        UNIT_NAME_SIZE = 128, /* of any unit name of ours, with its NUL */
        UNIT_STEP_MAX = 32, /* bytes */
        VM_SLUG_MAX = 40, /* bytes */
        BACKUP_ID_SIZE = 96,
        CONTEXT_ID_SIZE = 96,
};

#define JOB_NUMBER_MAX ((uint64_t) INT64_MAX) /* what a signed column holds too */
#define DISK_KEY_MAX \
        ((uint32_t) INT32_MAX) /* VMware's keys are signed, those of real disks positive */

typedef enum UnitKind {
        UNIT_EXPORT_SOCKET, /* sendense-export-<job>-<key>.socket */
        UNIT_EXPORT_SERVICE, /* sendense-export-<job>-<key>.service */
        UNIT_MOUNT_SOCKET, /* sendense-mount-<job>-<key>.socket */
        UNIT_MOUNT_SERVICE, /* sendense-mount-<job>-<key>.service */
        UNIT_IMPORT_SERVICE, /* sendense-import-<job>.service: the hub's own copy */
        UNIT_COPY_SERVICE, /* sendense-copy-<job>.service: the node's */
        UNIT_IMAGE_SERVICE, /* sendense-image-<job>-<step>.service */
        UNIT_REPOSITORY_SERVICE, /* sendense-repository-<repository>-<step>.service */
        /* What a job does with a backup that is there: the whole of it is one unit. */
        UNIT_VERIFY_SERVICE, /* sendense-verify-<job>.service */
        UNIT_RESTORE_SERVICE, /* sendense-restore-<job>.service */
        UNIT_DELETE_SERVICE, /* sendense-delete-<job>.service */
        UNIT_FILES_SERVICE, /* sendense-files-<job>.service */
        UNIT_VSPHERE_SERVICE, /* sendense-vsphere-<job>-<step>.service; -<slot>-ask of no job */
        /* What a job's units belong to: at the hub, and at the node. One machine may be both, for jobs of different hubs. */
        UNIT_JOB_TARGET, /* sendense-job@<job>.target */
        UNIT_JOB_SLICE, /* sendense-jobs-<job>.slice */
        UNIT_TASK_TARGET, /* sendense-task@<job>.target */
        UNIT_TASK_SLICE, /* sendense-tasks-<job>.slice */
        UNIT_KIND_MAX,
        UNIT_KIND_INVALID = -22,
} UnitKind;

typedef enum UnitSide {
        UNITS_OF_HUB,
        UNITS_OF_NODE,
} UnitSide;

typedef struct UnitName {
        UnitKind kind;
        uint64_t job; /* 1..JOB_NUMBER_MAX; the repository's number where no job is behind it */
        uint32_t disk_key; /* exports and mounts only: 1..DISK_KEY_MAX */
        char step[UNIT_STEP_MAX +
                  1]; /* images, repositories and vsphere: words of a-z, 0-9 joined by '-' */
} UnitName;

/* The text of a name. -EINVAL when a member is out of its bounds, or set though the kind has none. */
int unit_name_to_string(const UnitName *name, char ret_text[static UNIT_NAME_SIZE]);

/* The way back: only what unit_name_to_string() makes is read. -EINVAL for everything else. */
int unit_name_from_string(const char *text, UnitName *ret_name);

/* Whether units of that kind tell how far they are (see progress.h). */
bool unit_kind_tells_progress(UnitKind kind);

/* Whose units of that kind are. */
UnitSide unit_kind_side(UnitKind kind);

/* The service that the sockets of that kind start; UNIT_KIND_INVALID for what is no socket. */
UnitKind unit_kind_service(UnitKind kind);

/* The target and the slice that units of that kind belong to. */
UnitKind unit_kind_target(UnitKind kind);
UnitKind unit_kind_slice(UnitKind kind);

/* The safe part of a VM's name for ids: what is not a letter, digit or '_' of ASCII becomes one '-',
 * none at the ends, cut at VM_SLUG_MAX; "vm" when nothing is left. Two VMs may have the same slug: an
 * id is unique by its row, not by its slug. */
void vm_slug(const char *vm_name, char ret_slug[static VM_SLUG_MAX + 1]);

/* backup-<slug>-<unix seconds>, and -<n> for n > 0. -EINVAL for a time before 1970. */
int backup_id_format(const char *vm_name, int64_t unix_sec, uint32_t n,
                     char ret_id[static BACKUP_ID_SIZE]);

/* Whether text could come from backup_id_format(), and so is safe in a path. */
bool backup_id_is_valid(const char *text);

/* ctx-<slug>-<yyyymmdd>-<hhmmss>, in UTC. -EINVAL for a time outside of the years 1970 to 9999. */
int context_id_format(const char *vm_name, int64_t unix_sec, char ret_id[static CONTEXT_ID_SIZE]);
bool context_id_is_valid(const char *text);
