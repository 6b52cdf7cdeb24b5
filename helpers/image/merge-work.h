/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The long part of a merge, on the images: by qemu-img, and compared with digests before anybody relies on it.
 */
#pragma once

#include "merge.h"

/* A sealed, durable copy of the child that builds on the layer below the doomed one and reads as the child does. */
int merge_work_copy(const Merge *merge, Failure *failure);

/* Whether there is one already. */
bool merge_work_copy_is_whole(const Merge *merge);

/* In place: whether qemu may write into the doomed layer, 1 or 0. One whose counts of clusters are wrong reads well, but
 * what is newly written would take the place of what it holds. */
int merge_work_is_sound(const Merge *merge, Failure *failure);

/* In place: whether both images can be changed, and read as the digests of both say. */
int merge_work_judge(const Merge *merge, Failure *failure);

/* In place: what the child holds goes into the doomed layer. May be killed and done again. */
int merge_work_commit(const Merge *merge, Failure *failure);
