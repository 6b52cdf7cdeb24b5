/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The long part of a merge, on the images: compared with what was there before anybody relies on it.
 */
#pragma once

#include "extents.h"
#include "image.h"
#include "merge.h"

/* One of the images, for the rooms of a merge. */
Image merge_image(const Merge *merge, const char *name);

/* To read, or to set its mode. */
int merge_work_open(const Merge *merge, const char *name, int *ret_fd, Failure *failure);

/* The layers that are brought elsewhere, as they are seen from the child: its own, and the doomed one unless that stays. */
ExtentsLayers merge_layers(const Merge *merge);

/* Before anything is made: whether the layers can be read and are as their digests say, as far as they hold the greater part
 * of a block; in place, whether both images can be changed. */
int merge_work_judge(const Merge *merge, Failure *failure);

/* A sealed, durable copy of the child that builds on the layer below the doomed one and reads as the child does. */
int merge_work_copy(const Merge *merge, Failure *failure);

/* Whether there is one already. */
bool merge_work_copy_is_whole(const Merge *merge);

/* In place: whether qemu may write into the doomed layer, 1 or 0. One whose counts of clusters are wrong reads well, but
 * what is newly written would take the place of what it holds. */
int merge_work_is_sound(const Merge *merge, Failure *failure);

/* In place: what the child holds goes into the doomed layer. May be killed and done again. */
int merge_work_commit(const Merge *merge, Failure *failure);
