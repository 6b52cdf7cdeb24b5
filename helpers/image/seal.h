/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Turning the checked file of one disk into a sealed layer: its manifest, its mode, its name. Every step can
 * be repeated after a kill or a power cut at any point. Called by commit.
 */
#pragma once

#include "repository.h"

#include <stddef.h>
#include <stdint.h>

typedef struct Layer {
        uint32_t disk_key;
        uint64_t size_bytes; /* of the file, as finish saw it */
        char *manifest; /* the text of its file */
} Layer;

/* Writes a file of the repository so that it survives, or sees that it is there with this content. */
int seal_small_file(const Repository *repository, int folder, const char *name, const char *text,
                    Failure *failure);

/* The layer of a backup, in the folder of its VM. */
int seal_layer(const Repository *repository, int vm, const LayerNames *names, const Layer *layer,
               Failure *failure);
