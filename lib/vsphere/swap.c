/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Disks that are exchanged (see swap.h).
 */
#include "vsphere/swap.h"

#include "cleanup.h"
#include "datastore-path.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
        UNIT_MAX = 255,
        KEY_DISK = -1000, /* and downwards: keys that vCenter replaces */
};

static const char *text_of(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key));
}

static bool number_of(const json_t *object, const char *key, uint32_t max, uint32_t *ret_value)
{
        const json_t *value = json_object_get(object, key);

        if (!json_is_integer(value) || json_integer_value(value) < 0 ||
            json_integer_value(value) > max)
                return false;
        *ret_value = (uint32_t) json_integer_value(value);
        return true;
}

static bool is_file(const char *text)
{
        CLEANUP(datastore_path_done) DatastorePath path = {};

        return text && datastore_path_parse(text, &path) >= 0;
}

static bool is_file_or_none(const char *text)
{
        return !text || is_file(text);
}

static bool read_disk(const json_t *from, SwapDisk *to)
{
        *to = (SwapDisk){
                .mode = text_of(from, "mode"),
                .old_file = text_of(from, "old_file"),
                .new_file = text_of(from, "new_file"),
                .staged_file = text_of(from, "staged_file"),
        };
        return number_of(from, "disk_key", INT32_MAX, &to->disk_key) &&
               number_of(from, "controller_key", INT32_MAX, &to->controller_key) &&
               number_of(from, "unit_number", UNIT_MAX, &to->unit_number) &&
               is_file(to->new_file) && is_file_or_none(to->old_file) &&
               is_file_or_none(to->staged_file);
}

static bool are_at_one_place(const SwapDisk *a, const SwapDisk *b)
{
        return a->controller_key == b->controller_key && a->unit_number == b->unit_number;
}

int swap_read(Swap *swap, const json_t *disks, char ret_why[static IMPORT_WHY_SIZE])
{
        const json_t *disk;
        size_t i;

        *swap = (Swap){};
        json_array_foreach (disks, i, disk) {
                SwapDisk *to = &swap->disks[swap->n_disks];

                if (i >= IMPORT_DISKS_MAX || !read_disk(disk, to)) {
                        (void) snprintf(ret_why, IMPORT_WHY_SIZE,
                                        "disks: the disk number %zu has no key, place or files "
                                        "within the limits",
                                        i + 1);
                        return -EINVAL;
                }
                for (size_t k = 0; k < swap->n_disks; k++)
                        if (are_at_one_place(&swap->disks[k], to) ||
                            strcmp(swap->disks[k].new_file, to->new_file) == 0) {
                                (void) snprintf(ret_why, IMPORT_WHY_SIZE,
                                                "disks: the place or the file of the disk %" PRIu32
                                                " is there twice",
                                                to->disk_key);
                                return -EINVAL;
                        }
                swap->n_disks++;
        }
        return 0;
}

static const VSphereDisk *at_place(const SwapDisk *disk, const VSphereDisks *now)
{
        for (size_t i = 0; i < now->n_disks; i++)
                if (now->disks[i].controller_key == disk->controller_key &&
                    now->disks[i].unit_number == disk->unit_number)
                        return &now->disks[i];
        return NULL;
}

SwapState swap_state(const Swap *swap, const VSphereDisks *now)
{
        size_t n_old = 0, n_new = 0;

        for (size_t i = 0; i < swap->n_disks; i++) {
                const SwapDisk *disk = &swap->disks[i];
                const VSphereDisk *at = at_place(disk, now);

                n_old += !at ? !disk->old_file
                             : disk->old_file && strcmp(at->base_file, disk->old_file) == 0;
                n_new += at && strcmp(at->base_file, disk->new_file) == 0;
        }
        return n_new == swap->n_disks ? SWAP_NEW : n_old == swap->n_disks ? SWAP_OLD : SWAP_OTHER;
}

bool swap_has(const VSphereDisks *now, const char *file)
{
        for (size_t i = 0; i < now->n_disks; i++)
                if (strcmp(now->disks[i].file_name, file) == 0 ||
                    strcmp(now->disks[i].base_file, file) == 0)
                        return true;
        return false;
}

bool swap_is_any_new(const Swap *swap, const VSphereDisks *now)
{
        for (size_t i = 0; i < swap->n_disks; i++)
                if (swap_has(now, swap->disks[i].new_file))
                        return true;
        return false;
}

/* Without a file operation what the disk consists of stays where it is. */
static void put_removal(FILE *f, const VSphereDisk *disk)
{
        (void) fprintf(f,
                       "<deviceChange><operation>remove</operation><device "
                       "xsi:type=\"VirtualDisk\">"
                       "<key>%" PRIu32 "</key><controllerKey>%" PRIu32
                       "</controllerKey><unitNumber>%" PRIu32 "</unitNumber><capacityInKB>%" PRIu64
                       "</capacityInKB></device>"
                       "</deviceChange>",
                       disk->key, disk->controller_key, disk->unit_number,
                       disk->capacity_bytes / 1024);
}

/* The capacity is that of the file. */
static void put_addition(FILE *f, const SwapDisk *disk, const char *file, size_t i)
{
        (void) fprintf(f,
                       "<deviceChange><operation>add</operation><device xsi:type=\"VirtualDisk\">"
                       "<key>%i</key><backing "
                       "xsi:type=\"VirtualDiskFlatVer2BackingInfo\"><fileName>",
                       KEY_DISK - (int) i);
        xml_put(f, file);
        (void) fputs("</fileName><diskMode>", f);
        xml_put(f, disk->mode ? disk->mode : "persistent");
        (void) fprintf(f,
                       "</diskMode></backing><controllerKey>%" PRIu32
                       "</controllerKey><unitNumber>%" PRIu32
                       "</unitNumber><capacityInKB>0</capacityInKB></device></deviceChange>",
                       disk->controller_key, disk->unit_number);
}

char *swap_xml(const Swap *swap, const VSphereDisks *now, bool to_new, const char *change_version)
{
        char *text = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        (void) fputs("<spec>", f);
        if (change_version) {
                (void) fputs("<changeVersion>", f);
                xml_put(f, change_version);
                (void) fputs("</changeVersion>", f);
        }
        for (size_t i = 0; i < swap->n_disks; i++) {
                const VSphereDisk *at = at_place(&swap->disks[i], now);

                if (at)
                        put_removal(f, at);
        }
        for (size_t i = 0; i < swap->n_disks; i++) {
                const SwapDisk *disk = &swap->disks[i];
                const char *file = to_new ? disk->new_file : disk->old_file;

                if (file)
                        put_addition(f, disk, file, i);
        }
        (void) fputs("</spec>", f);
        if (fclose(f) == 0)
                return text;
        free(text);
        return NULL;
}

char *swap_detach_xml(const VSphereDisks *now)
{
        char *text = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        (void) fputs("<spec>", f);
        for (size_t i = 0; i < now->n_disks; i++)
                put_removal(f, &now->disks[i]);
        (void) fputs("</spec>", f);
        if (fclose(f) == 0)
                return text;
        free(text);
        return NULL;
}
