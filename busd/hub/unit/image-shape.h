/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How an image is served: the one place for qemu-nbd's options about caching and zeroes. Used by
 * export-unit's specification and by tests.
 */
#pragma once

/* Writeback: the client's flush is what makes data durable, and every commit flushes. A discard punches a
 * hole, so that what a guest freed takes no space. Zeroes are not looked for in data: the copier knows
 * them, and a write of zeroes that qemu makes of data may meet another write in the same cluster. */
#define IMAGE_SERVE_OPTIONS \
        "--cache=writeback", "--aio=threads", "--discard=unmap", "--detect-zeroes=off"
