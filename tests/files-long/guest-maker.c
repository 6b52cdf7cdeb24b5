/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes the disks of a guest for tests: on the first a partition for each kind of file system, the others together one volume of LVM. Each
 * gets what a tar holds, so far as it can. What makes them is the appliance that the tests read them with.
 *   guest-maker APPLIANCE TAR PLAIN-TAR DISK DISK DISK
 */
#include <guestfs.h>
#include <stdio.h>
#include <stdlib.h>

enum {
        PART_SECTORS = 2048 * 320, /* XFS takes 300 MiB at least */
};

static const struct {
        const char *type, *label;
        int keeps_owners;
} kinds[] = {
        { "xfs", "x", 1 },
        { "btrfs", "b", 1 },
        { "ntfs", "n", 0 },
        { "vfat", "V", 0 },
};

static int fill(guestfs_h *g, const char *device, const char *tar)
{
        if (guestfs_mount(g, device, "/") < 0 ||
            guestfs_tar_in_opts(g, tar, "/", GUESTFS_TAR_IN_OPTS_XATTRS, 1, -1) < 0 ||
            guestfs_umount_all(g) < 0)
                return -1;
        return 0;
}

/* What FAT and NTFS have no place for is left out of the tar by its maker. */
static int make_partition(guestfs_h *g, int i, const char *tar, const char *plain)
{
        char device[32];
        int64_t first = 2048 + (int64_t) i * PART_SECTORS;

        (void) snprintf(device, sizeof(device), "/dev/sda%d", i + 1);
        if (guestfs_part_add(g, "/dev/sda", "p", first, first + PART_SECTORS - 1) < 0 ||
            guestfs_mkfs_opts(g, kinds[i].type, device, GUESTFS_MKFS_OPTS_LABEL, kinds[i].label,
                              -1) < 0)
                return -1;
        return fill(g, device, kinds[i].keeps_owners ? tar : plain);
}

static int make_volume(guestfs_h *g, const char *tar)
{
        char *disks[] = { (char[]){ "/dev/sdb" }, (char[]){ "/dev/sdc" }, NULL };

        if (guestfs_pvcreate(g, disks[0]) < 0 || guestfs_pvcreate(g, disks[1]) < 0 ||
            guestfs_vgcreate(g, "vg", disks) < 0 ||
            guestfs_lvcreate_free(g, "data", "vg", 100) < 0 ||
            guestfs_mkfs(g, "ext4", "/dev/vg/data") < 0)
                return -1;
        return fill(g, "/dev/vg/data", tar);
}

int main(int argc, char *argv[])
{
        char *settings[] = { (char[]){ "force_tcg" }, NULL };
        guestfs_h *g = guestfs_create();
        int r = 0;

        if (argc != 7 || !g)
                return EXIT_FAILURE;
        if (guestfs_set_backend(g, "direct") < 0 || guestfs_set_backend_settings(g, settings) < 0 ||
            guestfs_set_path(g, argv[1]) < 0)
                return EXIT_FAILURE;
        for (int i = 4; i < argc; i++)
                if (guestfs_add_drive_opts(g, argv[i], GUESTFS_ADD_DRIVE_OPTS_FORMAT, "raw", -1) <
                    0)
                        return EXIT_FAILURE;
        r = guestfs_launch(g);
        if (r >= 0)
                r = guestfs_part_init(g, "/dev/sda", "gpt");
        for (int i = 0; r >= 0 && i < (int) (sizeof(kinds) / sizeof(kinds[0])); i++)
                r = make_partition(g, i, argv[2], argv[3]);
        if (r >= 0)
                r = make_volume(g, argv[2]);
        if (r >= 0)
                r = guestfs_shutdown(g);
        guestfs_close(g);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
