/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The hub's progress socket without a hub: listens at the path in argv[1], prints a line for each thing
 * that was told and for each that was dropped, until SIGTERM. hub-progress.sh runs it in the hub's sandbox.
 */
#include "cleanup.h"
#include "unit/progress-socket.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <systemd/sd-event.h>

typedef struct Peer {
        ProgressSocket *socket;
        ProgressCounts printed;
} Peer;

static void on_progress(uint64_t job, uint32_t disk_key, uint64_t done, uint64_t total, void *data)
{
        (void) data;
        (void) printf("taken %" PRIu64 " %" PRIu32 " %" PRIu64 " %" PRIu64 "\n", job, disk_key,
                      done, total);
        (void) fflush(stdout);
}

/* After each round of the loop. */
static int on_round(sd_event_source *source, void *userdata)
{
        Peer *peer = userdata;
        ProgressCounts counts = progress_socket_counts(peer->socket);

        (void) source;
        for (; peer->printed.n_foreign < counts.n_foreign; peer->printed.n_foreign++)
                (void) printf("foreign\n");
        for (; peer->printed.n_malformed < counts.n_malformed; peer->printed.n_malformed++)
                (void) printf("malformed\n");
        (void) fflush(stdout);
        return 0;
}

int main(int argc, char *argv[])
{
        sd_event *event = NULL;
        Peer peer = {};
        sigset_t term;
        int r;

        (void) sigemptyset(&term);
        (void) sigaddset(&term, SIGTERM);
        (void) sigprocmask(SIG_BLOCK, &term, NULL);
        r = sd_event_default(&event);
        if (r >= 0)
                r = argc == 2 ? progress_socket_new(event, argv[1], UNITS_OF_HUB, on_progress, NULL,
                                                    &peer.socket)
                              : -1;
        if (r >= 0)
                r = sd_event_add_post(event, NULL, on_round, &peer);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGTERM, NULL, NULL);
        if (r >= 0)
                r = sd_event_loop(event);
        peer.socket = progress_socket_free(peer.socket);
        sd_event_unref(event);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
