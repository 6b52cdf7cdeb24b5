/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The file systems on the disks of a backup: which there are, and which of them the paths are in.
 */
#pragma once

#include "guest.h"
#include "mounts.h"
#include "stream.h"

enum {
        FILESYSTEM_SIZE = 256,
};

/* Mounts what the spec names, or the one that there is, or those of the one system that is installed on the disks, where it has them.
 * Fills ret_name with what "/" is, and mounts with what of a system is missing below it; a file system that was named is taken by
 * itself. InvalidArgument, with a list, when nobody can know which is meant; NotFound when there is no such. */
int filesystems_mount(Guest *guest, const FilesSpec *spec, char ret_name[static FILESYSTEM_SIZE],
                      Mounts *mounts, Failure *failure);

/* A line of JSON for each, into the stream. */
int filesystems_list(Guest *guest, Stream *stream, Failure *failure);
