/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The caches of a chain (see server-caches.h). A layer's own options are nested as the layers are; one level more than there are layers
 * would be a layer without a file, so the links are followed here as qemu does.
 */
#include "server-caches.h"

#include "cleanup.h"
#include "qcow2-header.h"
#include "text.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

enum {
        SLICE_BYTES = 64 * 1024, /* of what a cache holds; two are the least */
        LAYERS_MAX = 500, /* qemu reads JSON that is twice as deep */
};

#define ALL_CACHES_BYTES   (UINT64_C(256) * 1024 * 1024)
#define LAYER_CACHE_BYTES  (UINT64_C(32) * 1024 * 1024) /* qemu's own limit */
#define LAYER_LEAST_BYTES  (UINT64_C(8) * SLICE_BYTES)
#define LAYER_CLUSTER_BITS 30 /* more is no image */

static bool read_header(int folder, const char *name, Qcow2Header *ret_header)
{
        _cleanup_close_ int fd = openat(folder, name,
                                        O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        char bytes[QCOW2_HEADER_BYTES];
        ssize_t n = fd >= 0 ? pread(fd, bytes, sizeof(bytes), 0) : -1;

        return n >= 0 && qcow2_header_parse(bytes, (size_t) n, ret_header) >= 0 &&
               ret_header->cluster_bits <= LAYER_CLUSTER_BITS;
}

/* What qemu takes by itself: all tables of the layer, up to its limit. */
static uint64_t own_bytes(const Qcow2Header *header)
{
        uint64_t entry = header->features & QCOW2_FEATURE_EXTENDED_L2 ? 16 : 8;
        uint64_t n_clusters = header->virtual_bytes >> header->cluster_bits;

        return n_clusters < LAYER_CACHE_BYTES / entry ? n_clusters * entry : LAYER_CACHE_BYTES;
}

static size_t count_layers(const Image *image, uint64_t *ret_bytes)
{
        char name[QCOW2_BACKING_SIZE];
        Qcow2Header header;
        size_t n = 0;

        *ret_bytes = 0;
        (void) snprintf(name, sizeof(name), "%s", image->name);
        while (n < LAYERS_MAX && name[0] && !strpbrk(name, "/:") &&
               read_header(image->folder, name, &header)) {
                *ret_bytes += own_bytes(&header);
                n++;
                (void) snprintf(name, sizeof(name), "%s", header.backing);
        }
        return n;
}

static char *bounded_name(const char *name, size_t n_layers)
{
        uint64_t each = ALL_CACHES_BYTES / n_layers / SLICE_BYTES * SLICE_BYTES;
        CLEANUP(json_decrefp) json_t *options = NULL;
        _cleanup_free_ char *text = NULL, *file = NULL;

        if (each < LAYER_LEAST_BYTES)
                each = LAYER_LEAST_BYTES;
        /* The lowest first; what is below it lies within. */
        for (size_t i = 0; i < n_layers; i++) {
                json_t *layer = json_pack("{s:I, s:o*}", "l2-cache-size", (json_int_t) each,
                                          "backing", TAKE(options));

                if (!layer)
                        return NULL;
                options = layer;
        }
        file = text_format("./%s", name);
        if (!file || json_object_set_new(options, "driver", json_string("qcow2")) < 0 ||
            json_object_set_new(options, "file",
                                json_pack("{s:s, s:s}", "driver", "file", "filename", file)) < 0)
                return NULL;
        text = json_dumps(options, JSON_COMPACT);
        return text ? text_format("json:%s", text) : NULL;
}

char *server_caches_name(const Image *image)
{
        uint64_t bytes;
        size_t n_layers = count_layers(image, &bytes);

        /* Nothing before a ':' in a name may be taken for a protocol. */
        return bytes > ALL_CACHES_BYTES ? bounded_name(image->name, n_layers)
                                        : text_format("./%s", image->name);
}
