/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a disk is restored to: a raw file or block device, which is written here (restore-plain.c), or something that is
 * written by NBD (restore-nbd.c): another server's export, or a new QCOW2 or VMDK behind a private qemu-nbd. Complete
 * or absent where that can be: a file appears when it is whole.
 */
#pragma once

#include "nbd-uri.h"
#include "restore-place.h"
#include "restore-source.h"
#include "server.h"

#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum RestoreKind {
        RESTORE_FILE,
        RESTORE_DEVICE,
        RESTORE_NBD,
        RESTORE_KIND_MAX,
        RESTORE_KIND_INVALID = -22,
} RestoreKind;

#define RESTORE_ZERO_BYTES      \
        (UINT64_C(256) * 1024 * \
         1024) /* at once: a kernel that writes zeroes cannot be ended meanwhile */

typedef struct RestoreTarget RestoreTarget;

typedef struct RestoreTargetType {
        int (*open)(RestoreTarget *target, Failure *failure);
        int (*write)(RestoreTarget *target, unsigned writer, const void *data, size_t length,
                     uint64_t offset, Failure *failure);
        int (*zero)(RestoreTarget *target, uint64_t offset, uint64_t length, Failure *failure);
        int (*finish)(RestoreTarget *target, Failure *failure); /* durable */
        void (*close)(RestoreTarget *target);
} RestoreTargetType;

extern const RestoreTargetType restore_plain_type, restore_nbd_type;

struct RestoreTarget {
        const RestoreTargetType *type;
        RestoreKind kind;
        const char *path; /* borrowed; NULL: none. The URI of NBD, for messages */
        const char *format; /* of a file: raw, qcow2, vmdk */
        bool force;
        uint64_t job;
        uint64_t capacity_bytes;
        uint64_t needed_bytes;
        unsigned n_writers;
        bool is_empty; /* reads as zeroes where nothing is written */
        bool is_finished;

        RestorePlace place; /* of a file */
        int fd, direct_fd; /* plain; direct_fd -1: none */

        NbdUri uri;
        Image image; /* a new one */
        Server server; /* of it */
        struct RestoreConnection {
                struct nbd_handle *nbd;
                pthread_mutex_t lock; /* of all below; held for a request */
                bool is_silent; /* it still has the buffer of a request that was given up */
        } connections[RESTORE_READERS_MAX + 1]; /* the last: of zeroes */
        unsigned n_connections; /* maybe fewer than writers, who share them */
};

/* Reads the object {kind, path, format, force, uri} of a spec, which is borrowed. InvalidArgument. */
int restore_target_read(RestoreTarget *target, const json_t *object, uint64_t job,
                        Failure *failure);

/* Makes it ready to be written to. Exists, Busy, TargetTooSmall, TargetFailed. */
int restore_target_open(RestoreTarget *target, uint64_t capacity_bytes, uint64_t needed_bytes,
                        unsigned n_writers, Failure *failure);

/* Of how many bytes it is told how many are written: of all of the disk, but where zeroes are left out. */
uint64_t restore_target_total(const RestoreTarget *target);

/* For one thread each. Data begins at a leaf, and is one but at the end of the disk; the buffer is one of whole pages. Of a target
 * that is empty zeroes are left out; to others go RESTORE_ZERO_BYTES at most. */
int restore_target_write(RestoreTarget *target, unsigned writer, const void *data, size_t length,
                         uint64_t offset, Failure *failure);
int restore_target_zero(RestoreTarget *target, uint64_t offset, uint64_t length, Failure *failure);

/* All of it was written: makes it durable and puts it in its place. */
int restore_target_finish(RestoreTarget *target, const json_t *note, Failure *failure);

/* Was that done already by an earlier run of the job, for what has a place? 1: with that note, the caller's reference. 0: no. */
int restore_target_find(const RestoreTarget *target, json_t **ret_note, Failure *failure);

/* What was not finished is removed, where it can be. */
void restore_target_done(RestoreTarget *target);

/* Removes what a killed restore left beside a file. */
int restore_target_undo(const RestoreTarget *target, bool *ret_removed, Failure *failure);
