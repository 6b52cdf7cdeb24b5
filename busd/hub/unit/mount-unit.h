/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A disk of a backup that is mounted: qemu-nbd that serves a sealed image and the layers below it on a unix socket or a port, as
 * a socket and a service. The job runner starts it, waits for handshake.h, and stops the socket, which takes the
 * service along. Neither changes anything in the repository.
 */
#pragma once

#include "unit/unit-files.h"
#include "unit/units.h"

enum {
        MOUNT_NAME_SIZE = 40,
        MOUNT_URI_SIZE = UNIT_FILE_PATH_SIZE + 64,
};

/* Strings are borrowed for the call. */
typedef struct MountUnit {
        uint64_t job;
        uint32_t disk_key;
        uint32_t uid; /* whose the socket is; it, root and the hub may connect */
        uint16_t port; /* of 127.0.0.1, instead of a unix socket; 0: none */
        const char *image_path;
        const char *error_path; /* exists already; qemu-nbd's words are added to it */
        const char *psk_path; /* NULL: without TLS; exists already, and holds the key of this disk */
        bool is_writable; /* what is written is thrown away at its end */
        uint64_t until_usec; /* CLOCK_REALTIME: from then on no server starts, whoever connects; 0: never */
        uint64_t lasts_usec; /* a server runs no longer; 0: as long as it is wanted */
        uint64_t memory_max; /* bytes; 0 for EXPORT_MEMORY_DEFAULT */
} MountUnit;

/* The name that clients ask for: one that has an old address does not get another backup. */
void mount_name(uint64_t job, uint32_t disk_key, char ret_name[static MOUNT_NAME_SIZE]);

void mount_socket_path(uint64_t job, uint32_t disk_key, char ret_path[static UNIT_FILE_PATH_SIZE]);

/* nbd+unix:///<name>?socket=<path> */
void mount_uri(uint64_t job, uint32_t disk_key, char ret_uri[static MOUNT_URI_SIZE]);

/* Done when the socket listens, and the service is about to start. -EADDRINUSE: the port is taken; -EEXIST: its units are
 * there already; further errors as in unit-job.h. After an error the socket may be there and must be stopped. */
int mount_unit_start(Units *units, const MountUnit *mount, UnitDone done, void *userdata);
