/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The body of POST /api/v1/backups, read strictly: what is missing, unknown, twice, of another type or too long is refused with a line
 * that names it. Pure.
 */
#pragma once

#include "json-fields.h"

#include <jansson.h>
#include <stddef.h>

enum {
        BACKUP_REQUEST_KEYS_MAX = 256, /* disks of a VM */
        BACKUP_REQUEST_TEXT_MAX = 1024, /* bytes of a reason or a URI */
        BACKUP_REQUEST_DEPTH_MAX = 3, /* objects in objects */
        BACKUP_REQUEST_REPOSITORY_SIZE = 65,
};

typedef struct BackupRequest {
        json_t *object; /* what the rest is borrowed from */
        const char *vm;
        char repository[BACKUP_REQUEST_REPOSITORY_SIZE]; /* "": not given */
        const char *type, *node; /* NULL: not given */
        const json_t *exclude, *sources; /* objects of texts by disk key; NULL: not given */
} BackupRequest;

/* -EBADMSG and one line in ret_error. */
int backup_request_parse(const char *text, size_t size, BackupRequest *ret_request,
                         char ret_error[static JSON_FIELDS_ERROR_SIZE]);
void backup_request_done(BackupRequest *request);
