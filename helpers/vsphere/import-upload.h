/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Disks on their way to the URLs of a lease: each by a thread and a connection of its own, some at a time. The caller's thread keeps
 * the lease alive meanwhile.
 */
#pragma once

#include "import-source.h"
#include "vsphere/import-plan.h"
#include "vsphere/session.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
        UPLOADS_AT_ONCE = 4,
        UPLOAD_URL_SIZE = 2048,
};

typedef struct Upload {
        const ImportDisk *disk;
        ImportSource source; /* open */
        char url[UPLOAD_URL_SIZE];
        VSphereTls tls; /* whom the URL's host must be */
        _Atomic uint64_t position; /* in the disk */
        _Atomic uint64_t sent; /* bytes of the VMDK */
        int r; /* how it ended */
        VSphereError error;
} Upload;

typedef struct Uploads {
        Upload *uploads;
        size_t n_uploads;
        int stop_fd; /* readable: end. An eventfd */
        int done_fd; /* readable: a thread has ended */
        _Atomic size_t next, n_ended;
        pthread_t threads[UPLOADS_AT_ONCE];
        size_t n_threads;
} Uploads;

/* For n disks; -errno. To be ended in any case. */
int uploads_init(Uploads *uploads, size_t n);
void uploads_done(Uploads *uploads);

/* Starts the threads; -errno. */
int uploads_start(Uploads *uploads);
bool uploads_are_over(Uploads *uploads);

/* Makes them end, and waits for it. The first that failed by itself, or NULL. */
void uploads_stop(Uploads *uploads);
const Upload *uploads_failed(const Uploads *uploads);
