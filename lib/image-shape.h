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

/* How an image is served while it is written, as words of an argv. A discard punches a hole, so that what a
 * guest freed takes no space. Zeroes are not looked for in data: the copier knows them, and a write of zeroes
 * that qemu makes of data may meet another write in the same cluster. */
#define IMAGE_SHAPE_NBD_OPTIONS "--discard=unmap", "--detect-zeroes=off"

/* Past the page cache, where the file system can do that: half the CPU time, and a backup does not push
 * out what the machine needs in memory. The client's flush is what makes data durable in both. Not by native AIO: every server would take 1024 of
 * the machine's 65536 (fs.aio-max-nr), MariaDB takes many, and without one qemu-nbd does not start. */
#define IMAGE_SHAPE_NBD_DIRECT   "--cache=none", "--aio=threads"
#define IMAGE_SHAPE_NBD_BUFFERED "--cache=writeback", "--aio=threads"

/* The oldest qemu that this was tried with, and the Debian package of its tools. */
#define IMAGE_SHAPE_QEMU_MAJOR   7
#define IMAGE_SHAPE_QEMU_MINOR   2
#define IMAGE_SHAPE_QEMU_PACKAGE "qemu-utils"
