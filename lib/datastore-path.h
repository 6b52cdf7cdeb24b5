/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Paths as vSphere writes them, "[datastore] folder/file.vmdk", and the addresses under which a vCenter or
 * ESXi host gives such a file over HTTPS. They come from outside: what could mean another file than it
 * seems to is refused. Pure.
 */
#pragma once

#include <stdint.h>

#include "cleanup.h"

enum {
        DATASTORE_NAME_MAX = 320, /* 80 characters of a name, where each may be four bytes */
        DATASTORE_FILE_MAX = 2048,
        DATACENTER_PATH_MAX = 2048,
};

typedef struct DatastorePath {
        char *datastore; /* without the brackets, as it is in the inventory */
        char *file; /* "folder/file.vmdk": relative, no empty part, no "." and ".." */
} DatastorePath;

/* -EINVAL: no such path, or one with control characters or no UTF-8; -E2BIG: beyond the lengths above. */
int datastore_path_parse(const char *text, DatastorePath *ret_path);
void datastore_path_done(DatastorePath *path);

/* The file of that name in the same folder. -EINVAL: the name has a '/' or is none. */
int datastore_path_beside(const DatastorePath *path, const char *name, DatastorePath *ret_path);

/* "https://host:port/folder/…?dcPath=…&dsName=…" with every part encoded. The datacenter is its inventory
 * path with folders ("Sites/DC1"); an IPv6 address as host gets its brackets. -EINVAL for a host or a
 * datacenter that cannot be one. */
int datastore_path_url(const DatastorePath *path, const char *host, uint16_t port,
                       const char *datacenter, char **ret_url);
