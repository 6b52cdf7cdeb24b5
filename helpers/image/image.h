/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One image file as create and finish work on it: opened by its folder, described and checked by
 * qemu-img. Does not write to it but for what `qemu-img check -r leaks` does.
 */
#pragma once

#include "failure.h"
#include "names.h"
#include "repository.h"

#include <jansson.h>
#include <stdint.h>

enum {
        IMAGE_DAMAGE_SIZE = 160,
};

typedef struct Image {
        const char *path; /* borrowed, for messages */
        const char *name; /* within the folder */
        char sealed_name[BACKUP_ID_SIZE + sizeof(".qcow2")]; /* what a commit renames it to */
        int folder, fd;
} Image;

/* Opens the partial file at path, which must be named after a backup; or, when a commit has renamed it
 * already and was ended then, the sealed one. */
int image_open(Image *image, const char *path, Failure *failure);
void image_done(Image *image);

/* What qemu-img info says of a file in the folder and all layers below it: an array, the file first. The
 * caller's reference. */
int image_describe(const Image *image, const char *name, json_t **ret_chain, Failure *failure);

/* The two layers at the top of a chain must be QCOW2, sound, of a size that goes with capacity_bytes, and
 * linked as the spec says. backing is NULL for a full. */
int image_compare(const Image *image, const json_t *chain, uint64_t capacity_bytes,
                  const char *backing, Failure *failure);

/* The lower layer alone, before there is an upper one. */
int image_compare_backing(const Image *image, const json_t *chain, uint64_t capacity_bytes,
                          const char *backing, Failure *failure);

/* qemu-img check; leaks are repaired, and then there must be none. */
int image_check(const Image *image, uint64_t *ret_leaks_repaired, Failure *failure);

/* The same without touching anything, for a layer that is sealed. 1: there is damage, and one line in ret_what. */
int image_find_damage(const Image *image, char ret_what[static IMAGE_DAMAGE_SIZE],
                      Failure *failure);

/* qemu-img check that changes nothing: 1 when the image may be written to, which leaks do not forbid, else 0. */
int image_is_sound(const Image *image, Failure *failure);
