/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An export: qemu-nbd that serves one partial image on one port of loopback, as a socket and a service.
 * The job runner starts it, waits for handshake.h, and stops the socket, which takes the service along.
 */
#pragma once

#include "unit/units.h"

#define EXPORT_MEMORY_DEFAULT (UINT64_C(512) << 20)

/* Strings are borrowed for the call. */
typedef struct ExportUnit {
        uint64_t job;
        uint32_t disk_key;
        uint16_t port;
        const char *export_name, *image_path;
        const char *error_path; /* exists already; qemu-nbd's words are added to it */
        const char *psk_path; /* NULL: without TLS; exists already, and holds the key of this export */
        bool direct; /* past the page cache; only where the file system can do it */
        uint64_t memory_max; /* bytes; 0 for EXPORT_MEMORY_DEFAULT */
} ExportUnit;

/* Done when qemu-nbd has been executed, which says nothing of the image. -EADDRINUSE: the port is taken;
 * -ENOEXEC: qemu-nbd is missing; -EEXIST: the export's units are there already; further errors as in
 * unit-job.h. After an error the socket may be there and must be stopped. */
int export_unit_start(Units *units, const ExportUnit *export, UnitDone done, void *userdata);
