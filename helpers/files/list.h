/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files as lines of JSON, one each: what sendense-files prints of the paths it is asked to list.
 */
#pragma once

#include "guest.h"
#include "stream.h"
#include "walk.h"

/* Of all paths of the spec; adds how many there were to *n_entries. */
int list_paths(Guest *guest, const FilesSpec *spec, const Mounts *mounts, Stream *stream,
               uint64_t *n_entries, LeftOut *left_out, Failure *failure);
