/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How far a disk is, and what is told of it in the end (see disk.h).
 */
#include "disk.h"

uint64_t disk_bytes_total(const Disk *disk)
{
        return plan_total(&disk->plan);
}

uint64_t disk_bytes_done(const Disk *disk)
{
        return disk->state == DISK_WAITING ? 0 : disk->epoch.now.done;
}

json_t *disk_result(const Disk *disk)
{
        const DiskSpec *what = disk->disk;
        json_t *result = json_pack(
                        "{s:I, s:s, s:s*, s:s*, s:I, s:I, s:I, s:I, s:I, s:I, s:O*}", "disk_key",
                        (json_int_t) what->disk_key, "backup_type",
                        what->read == READ_CHANGED && what->has_areas ? "incremental" : "full",
                        "reason", *what->reason ? what->reason : NULL, "change_id",
                        what->change_id_now, "bytes_read", (json_int_t) disk->bytes_read,
                        "bytes_sent", (json_int_t) disk->epoch.at_commit.sent, "bytes_zeroed",
                        (json_int_t) disk->epoch.at_commit.zeroed, "areas",
                        (json_int_t) (what->has_areas ? what->areas.n : disk->n_areas), "commits",
                        (json_int_t) disk->epoch.n_commits, "reconnects",
                        (json_int_t) disk->n_reconnects, "digest", disk->digest_json);

        return result;
}
