/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The result of verify (see verify-result.h).
 */
#include "verify-result.h"

#include "cleanup.h"
#include "result-file.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
        ROOM = RESULT_SIZE_MAX - 1024, /* for what main() adds */
};

int verify_result_init(VerifyResult *result)
{
        *result = (VerifyResult){ .disks = json_array() };
        return result->disks ? 0 : -ENOMEM;
}

void verify_result_done(VerifyResult *result)
{
        json_decref(result->disks);
        *result = (VerifyResult){};
}

/* unread: nothing is held against it, but what lies below cannot be opened. */
static const char *verdict_of(const VerifyLayer *layer)
{
        return json_array_size(layer->problems) > 0 ? "damaged"
               : layer->reachable                   ? "ok"
                                                    : "unread";
}

static json_t *make_layer(const VerifyLayerResult *result)
{
        json_t *layer = json_pack("{s:s, s:s, s:O, s:I}", "backup_id", result->layer->backup_id,
                                  "verdict", verdict_of(result->layer), "problems",
                                  result->layer->problems, "bytes", (json_int_t) result->bytes);

        if (layer && result->blocks_through > 0)
                (void) json_object_set_new(layer, "blocks_through",
                                           json_integer((json_int_t) result->blocks_through));
        return layer;
}

int verify_result_add(VerifyResult *result, uint32_t disk_key, const VerifyLayerResult *layers,
                      size_t n_layers)
{
        json_t *list = json_array(), *disk;

        for (size_t i = 0; i < n_layers; i++) {
                if (json_array_append_new(list, make_layer(layers + i)) < 0) {
                        json_decref(list);
                        return -ENOMEM;
                }
                result->n_damaged += json_array_size(layers[i].layer->problems) > 0;
                result->bytes_read += layers[i].bytes;
        }
        disk = json_pack("{s:I, s:I, s:o}", "disk_key", (json_int_t) disk_key, "n_layers",
                         (json_int_t) n_layers, "layers", list);
        return json_array_append_new(result->disks, disk) < 0 ? -ENOMEM : 0;
}

static void keep_problems(json_t *layer, size_t n)
{
        json_t *problems = json_object_get(layer, "problems");

        while (json_array_size(problems) > n)
                (void) json_array_remove(problems, json_array_size(problems) - 1);
}

static bool layer_is_fine(const json_t *layer)
{
        const char *verdict = json_string_value(json_object_get(layer, "verdict"));

        return verdict && strcmp(verdict, "ok") == 0;
}

/* Of a disk whose layers are not all named any more: who has the same number of layers down to the same one has read of the same. */
static int tell_lowest(json_t *disk, const json_t *layers)
{
        json_t *lowest = json_array_get(layers, json_array_size(layers) - 1);

        return json_object_set(disk, "lowest", json_object_get(lowest, "backup_id")) < 0 ? -ENOMEM
                                                                                         : 0;
}

/* One way to make it shorter after the other. */
static int shorten(json_t *disks, unsigned step)
{
        for (size_t i = 0; i < json_array_size(disks); i++) {
                json_t *disk = json_array_get(disks, i), *layers = json_object_get(disk, "layers");

                if (step == 1 && tell_lowest(disk, layers) < 0)
                        return -ENOMEM;
                for (size_t j = json_array_size(layers); j-- > 0;) {
                        json_t *layer = json_array_get(layers, j);

                        if (step == 1 && layer_is_fine(layer))
                                (void) json_array_remove(layers, j);
                        else if (step != 1)
                                keep_problems(layer, step == 0 ? 1 : 0);
                }
        }
        return 0;
}

int verify_result_make(const VerifyResult *result, json_t **ret_object)
{
        json_t *object = json_pack("{s:O, s:I, s:I}", "disks", result->disks, "damaged",
                                   (json_int_t) result->n_damaged, "bytes_read",
                                   (json_int_t) result->bytes_read);
        int r = object ? 0 : -ENOMEM;

        for (unsigned step = 0;
             r >= 0 && step < 3 && json_dumpb(object, NULL, 0, JSON_COMPACT) > ROOM; step++)
                r = shorten(result->disks, step);
        if (r < 0) {
                json_decref(object);
                return r;
        }
        *ret_object = object;
        return 0;
}
