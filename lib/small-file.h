/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Small files as a whole: read within a limit, and written so that after any crash there is either the
 * old content or the new one. For settings, results, records and ledgers; not for images.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/* What a write that never ended leaves behind beside its file. The next one writes over it. */
#define SMALL_FILE_PARTIAL_SUFFIX ".partial"

/* Reads all of a file or character device (a link to /dev/null is an empty file), followed by a NUL that is not counted. *ret_data is
 * the caller's. -EISDIR: a folder; -EINVAL: a pipe or socket; -EFBIG: more than max_size. */
int small_file_read(const char *path, size_t max_size, char **ret_data, size_t *ret_size);

/* The same for a name in an open folder; a link is never followed (-ELOOP), nor is name a path. */
int small_file_read_at(int folder, const char *name, size_t max_size, char **ret_data,
                       size_t *ret_size);

/* Writes path.partial, syncs it, renames it over path, and syncs the folder; the file gets exactly
 * mode. When it returns 0 the content survives a power cut. On failure path still has its old content,
 * or, when the last sync alone failed, the new one, and nothing is left beside it. One writer at a time
 * for each path. */
int small_file_write(const char *path, mode_t mode, const void *data, size_t size);

/* The same for a name in an open folder. */
int small_file_write_at(int folder, const char *name, mode_t mode, const void *data, size_t size);

/* As small_file_write(), but the kernel writes it when it likes: whoever looks finds the old file or the new one, after a power cut
 * perhaps an empty one or none. */
int small_file_write_soon(const char *path, mode_t mode, const void *data, size_t size);
