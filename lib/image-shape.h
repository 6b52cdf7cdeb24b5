/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The shape of our images, in one place: what `qemu-img create -o` is told. How they are served while they
 * are written stands in units/sendense-export-.service.d/20-serve.conf. Used by sendense-image. An image that
 * was made with another shape stays readable.
 */
#pragma once

/* Chosen by bench/image, see its README. extended_l2: subclusters of 32 KiB, so that a small change in a
 * chained image copies little from below, and space as of small clusters; never plain clusters of this size,
 * in which qemu 7.2 can lose a write of zeroes. lazy_refcounts: off, since an image must be whole whenever its
 * server is killed. */
#define IMAGE_SHAPE_CREATE_OPTIONS "cluster_size=1M,extended_l2=on,lazy_refcounts=off"

/* The oldest qemu that this was tried with, and the Debian package of its tools. */
#define IMAGE_SHAPE_QEMU_MAJOR   7
#define IMAGE_SHAPE_QEMU_MINOR   2
#define IMAGE_SHAPE_QEMU_PACKAGE "qemu-utils"
