/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The shape of our images and of the servers that fill them, in one place: what `qemu-img create -o`
 * and `qemu-nbd` are told. Used by the image helper and by the hub's export units. An image that was made
 * with another shape stays readable: nothing but these two looks at it.
 */
#pragma once

/* extended_l2: subclusters of 8 KiB, so that a small change in a chained image copies little from below.
 * lazy_refcounts: off, since an image must be whole whenever its server is killed. qemu 7.2 takes
 * preallocation above a backing file only with extended_l2=on. */
#define IMAGE_SHAPE_CREATE_OPTIONS "cluster_size=256k,extended_l2=on,lazy_refcounts=off"

/* As words of an argv. The cache is the host's, flushed at the copier's flush and when the server ends. */
#define IMAGE_SHAPE_NBD_CACHE         "--cache=writeback"
#define IMAGE_SHAPE_NBD_AIO           "--aio=threads"
#define IMAGE_SHAPE_NBD_DISCARD       "--discard=unmap"
#define IMAGE_SHAPE_NBD_DETECT_ZEROES "--detect-zeroes=off"
#define IMAGE_SHAPE_NBD_OPTIONS                                              \
        IMAGE_SHAPE_NBD_CACHE, IMAGE_SHAPE_NBD_AIO, IMAGE_SHAPE_NBD_DISCARD, \
                        IMAGE_SHAPE_NBD_DETECT_ZEROES

/* The oldest qemu that this was tried with, and the Debian package of its tools. */
#define IMAGE_SHAPE_QEMU_MAJOR   7
#define IMAGE_SHAPE_QEMU_MINOR   2
#define IMAGE_SHAPE_QEMU_PACKAGE "qemu-utils"
