/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Progress to the outside (see announce.h). Each datagram goes to the path anew, because the daemon may
 * have been started again behind it.
 */
#include "announce.h"

#include "cleanup.h"
#include "clock.h"
#include "parse.h"
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

#define DISK_INTERVAL_USEC   (USEC_PER_SEC / 2)
#define DISK_REPEAT_USEC     (5 * USEC_PER_SEC)
#define STATUS_INTERVAL_USEC USEC_PER_SEC

void announcer_init(Announcer *announcer, const char *path, uint64_t job)
{
        *announcer = (Announcer){
                .path = path,
                .fd = path ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : -1,
                .job = job,
        };
}

void announcer_done(Announcer *announcer)
{
        cleanup_close_p(&announcer->fd);
        announcer->fd = -1;
}

void announce_disk(const Announcer *announcer, Announced *announced, uint32_t disk_key,
                   uint64_t bytes_done, uint64_t bytes_total, bool is_final)
{
        const Progress progress = { announcer->job, disk_key, bytes_done, bytes_total };
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        char text[PROGRESS_TEXT_SIZE];
        uint64_t now = clock_monotonic_usec(), age = now - announced->at_usec;

        if (announcer->fd < 0 || progress_make(&progress, text) < 0)
                return;
        if (!is_final && announced->at_usec > 0 &&
            age < (bytes_done > announced->bytes_done ? DISK_INTERVAL_USEC : DISK_REPEAT_USEC))
                return;
        (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s", announcer->path);
        (void) sendto(announcer->fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL,
                      (const struct sockaddr *) &address, sizeof(address));
        *announced = (Announced){ .at_usec = now, .bytes_done = bytes_done };
}

void announce_status(Announcer *announcer, const char *line)
{
        uint64_t now = clock_monotonic_usec();

        if (announcer->status_usec > 0 && now - announcer->status_usec < STATUS_INTERVAL_USEC)
                return;
        announcer->status_usec = now;
        (void) sd_notifyf(false, "STATUS=%s", line);
}
