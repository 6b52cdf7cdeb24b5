/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendense-tunnel: the node's one way to its hub. systemd gives it listening sockets, one for each NBD port of the hub; what
 * connects there goes through one of several SSH sessions to the same port of the hub's loopback. While there is no session
 * a connection is held for a while, then closed. The first session also carries the way back, to the node's API.
 */
#include "link.h"
#include "place.h"
#include "preflight.h"

#include "cleanup.h"
#include "clock.h"
#include "log.h"
#include "node-config.h"
#include "parse.h"
#include "program.h"
#include "tunnel-counters.h"
#include "utf8.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <libssh/callbacks.h>
#include <malloc.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

enum {
        LINKS_MAX = 16,
        HELD_MAX = 1024, /* connections that wait for a session */
        HOLD_USUAL_SEC = 10, /* when node.conf cannot be read */
        QUICK_MAX_SEC = 10, /* of a quick preflight */
        LINK_ALIVE_SEC =
                        60, /* a link that shows no life for so long is stuck: name resolution may take a while */
        LARGE_BUFFER = 512 * 1024,
        START_ALIVE_SEC = 30, /* for which one sign of life is good before the tunnel is ready */
};

static bool arg_preflight, arg_quick;

static const ProgramSwitch switches[] = { { "preflight", &arg_preflight },
                                          { "quick", &arg_quick },
                                          {} };

static const Program program = {
        .name = "sendense-tunnel",
        .help = "sendense-tunnel [OPTIONS...]\n\n"
                "Carries the node's connections to its hub, on the sockets that systemd passes.\n\n"
                "  -h --help          Show this help\n"
                "     --version       Show version, git commit and build id\n"
                "     --config=FILE   Read FILE instead of " NODE_CONFIG_FILE "\n"
                "     --preflight     Try the way to the hub step by step, say which step fails\n"
                "                     and why, and end\n"
                "     --quick         Of the ports try only the first and the last\n\n"
                "See sendense-tunnel(8).\n",
        .switches = switches,
};

typedef struct Held {
        int fd;
        uint16_t port;
        uint64_t since_usec;
} Held;

typedef struct Tunnel {
        uint64_t hold_usec;
        unsigned n_wanted; /* links */
        uint16_t reverse_port;
        sd_event *event;
        SessionPlace place;
        Link *links[LINKS_MAX];
        unsigned n_links;
        int told_fd; /* links write it when their state changes */
        bool is_ready;
        Held held[HELD_MAX]; /* the oldest first */
        unsigned n_held;
        uint64_t n_given_up; /* held for too long */
        bool has_failed_to_count;
        uint64_t told_up, told_down; /* bytes, at the last status */
        uint64_t told_usec;
        uint64_t started_usec; /* CLOCK_REALTIME */
} Tunnel;

/* ── Connections ── */

/* The one with the fewest connections, if possible of those that take in more. NULL: none is up. */
static Link *choose(Tunnel *tunnel)
{
        uint64_t fewest = UINT64_MAX;
        Link *link = NULL;

        for (unsigned i = 0; i < tunnel->n_links; i++) {
                const LinkCounts counts = link_counts(tunnel->links[i]);
                uint64_t n = counts.n_flows + (counts.is_full ? UINT32_MAX : UINT64_C(0));

                if (counts.state == LINK_UP && n < fewest) {
                        fewest = n;
                        link = tunnel->links[i];
                }
        }
        return link;
}

static void drop_held(Tunnel *tunnel, unsigned n)
{
        tunnel->n_held -= n;
        memmove(tunnel->held, tunnel->held + n, tunnel->n_held * sizeof(*tunnel->held));
}

static void give_held(Tunnel *tunnel)
{
        unsigned n = 0;
        Link *link;

        while (n < tunnel->n_held && (link = choose(tunnel)))
                /* One that was lost just now is not chosen again. */
                if (link_add(link, tunnel->held[n].fd, tunnel->held[n].port,
                             tunnel->held[n].since_usec) != -ENOTCONN)
                        n++;
        drop_held(tunnel, n);
}

static void close_expired(Tunnel *tunnel)
{
        uint64_t now = clock_monotonic_usec();
        unsigned n = 0;

        while (n < tunnel->n_held && now - tunnel->held[n].since_usec >= tunnel->hold_usec)
                (void) close(tunnel->held[n++].fd);
        if (n == 0)
                return;
        drop_held(tunnel, n);
        tunnel->n_given_up += n;
        log_warning(-ETIMEDOUT,
                    "%u connections were held for %" PRIu64
                    " s without a session to the hub, and are "
                    "closed",
                    n, tunnel->hold_usec / USEC_PER_SEC);
}

static int port_of(int fd, uint16_t *ret_port)
{
        struct sockaddr_in address = {};
        socklen_t size = sizeof(address);

        if (getsockname(fd, (struct sockaddr *) &address, &size) < 0)
                return -errno;
        if (address.sin_family != AF_INET)
                return -EAFNOSUPPORT;
        *ret_port = ntohs(address.sin_port);
        return 0;
}

/* When it came: it may have waited in the queue of the socket, while we were started. */
static uint64_t came_usec(int client)
{
        uint64_t now = clock_monotonic_usec(), waited_usec;
        struct tcp_info info = {};
        socklen_t size = sizeof(info);

        if (getsockopt(client, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
                return now;
        /* Counted from the handshake, or from what it has sent since. */
        waited_usec = info.tcpi_last_data_recv * USEC_PER_MSEC;
        return waited_usec < now ? now - waited_usec : now;
}

static int on_connection(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Tunnel *tunnel = userdata;
        uint16_t port;
        int client;

        (void) source, (void) revents;
        client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (client < 0)
                return 0; /* gone again; without descriptors it waits in the queue of the socket */
        if (port_of(fd, &port) < 0 || tunnel->n_held == HELD_MAX) {
                (void) close(client);
                return 0;
        }
        tunnel->held[tunnel->n_held++] = (Held){ client, port, came_usec(client) };
        give_held(tunnel);
        return 0;
}

static int listen_on(Tunnel *tunnel)
{
        int n = sd_listen_fds(true), r = 0;

        if (n < 0)
                return log_error(n, "Cannot take over the sockets: %m");
        for (int fd = SD_LISTEN_FDS_START; r >= 0 && fd < SD_LISTEN_FDS_START + n; fd++) {
                uint16_t port;

                r = port_of(fd, &port);
                if (r >= 0)
                        r = sd_event_add_io(tunnel->event, NULL, fd, EPOLLIN, on_connection,
                                            tunnel);
        }
        if (r < 0)
                return log_error(r, "Cannot listen on a socket of systemd's: %m");
        if (n == 0)
                log_notice("No socket came from systemd: only the way back from the hub is served");
        return 0;
}

/* ── What is told ── */

typedef struct Sum {
        unsigned n_up, n_flows;
        bool has_way_back;
        uint64_t up, down, n_opened, n_refused, n_closed, n_sessions;
} Sum;

static Sum sum_up(Tunnel *tunnel)
{
        Sum sum = {};

        for (unsigned i = 0; i < tunnel->n_links; i++) {
                const LinkCounts counts = link_counts(tunnel->links[i]);

                sum.n_up += counts.state == LINK_UP;
                sum.has_way_back = sum.has_way_back || (i == 0 && counts.state == LINK_UP);
                sum.n_flows += counts.n_flows;
                sum.up += counts.n_up;
                sum.down += counts.n_down;
                sum.n_opened += counts.n_opened;
                sum.n_refused += counts.n_refused;
                sum.n_closed += counts.n_closed;
                sum.n_sessions += counts.n_sessions;
        }
        return sum;
}

/* The first link has it; while that is down the hub does not reach this node, however many others stand. */
static void why_no_way_back(Tunnel *tunnel, const Sum *sum, SessionProblem *ret_problem)
{
        *ret_problem = (SessionProblem){};
        if (sum->has_way_back)
                return;
        link_problem(tunnel->links[0], ret_problem);
        if (!*ret_problem->text)
                (void) snprintf(ret_problem->text, sizeof(ret_problem->text), "connecting");
}

static void tell_status(Tunnel *tunnel)
{
        const Sum sum = sum_up(tunnel);
        uint64_t now = clock_monotonic_usec();
        double seconds = (double) (now - tunnel->told_usec) / USEC_PER_SEC;
        char way_back[SESSION_TEXT_SIZE + 40] = "";
        SessionProblem problem;

        if (seconds <= 0)
                return;
        why_no_way_back(tunnel, &sum, &problem);
        if (!sum.has_way_back)
                (void) snprintf(way_back, sizeof(way_back), ", without the way back (%.200s)",
                                problem.text);
        if (sum.n_up == 0)
                (void) sd_notifyf(false, "STATUS=Not connected to %s port %u: %.200s; %u waiting",
                                  tunnel->place.host, tunnel->place.port, problem.text,
                                  tunnel->n_held);
        else
                (void) sd_notifyf(false,
                                  "STATUS=Connected to %s port %u by %u of %u sessions%s; %u "
                                  "connections, %.1f MB/s up, %.1f MB/s down",
                                  tunnel->place.host, tunnel->place.port, sum.n_up, tunnel->n_links,
                                  way_back, sum.n_flows,
                                  (double) (sum.up - tunnel->told_up) / 1e6 / seconds,
                                  (double) (sum.down - tunnel->told_down) / 1e6 / seconds);
        tunnel->told_up = sum.up;
        tunnel->told_down = sum.down;
        tunnel->told_usec = now;
}

/* For the node. A tunnel that was started by hand has no folder for it. */
static void tell_counters(Tunnel *tunnel)
{
        const Sum sum = sum_up(tunnel);
        SessionProblem problem;
        TunnelCounters counters = {
                .hub = tunnel->place.host,
                .port = tunnel->place.port,
                .n_sessions = sum.n_up,
                .n_wanted = tunnel->n_links,
                .has_way_back = sum.has_way_back,
                .n_connections = sum.n_flows,
                .n_held = tunnel->n_held,
                .n_opened = sum.n_opened,
                .n_refused = sum.n_refused,
                .n_given_up = tunnel->n_given_up + sum.n_closed,
                /* The first of each link is none. */
                .n_reconnects = sum.n_sessions > tunnel->n_links ? sum.n_sessions - tunnel->n_links
                                                                 : 0,
                .bytes_up = sum.up,
                .bytes_down = sum.down,
                .started_usec = tunnel->started_usec,
                .written_usec = clock_realtime_usec(),
        };
        int r;

        why_no_way_back(tunnel, &sum, &problem);
        (void) snprintf(counters.error, sizeof(counters.error), "%.200s", problem.text);
        utf8_make_line(counters.error);
        r = tunnel_counters_write(TUNNEL_COUNTERS_FILE, &counters);
        if (r < 0 && r != -ENOENT && !tunnel->has_failed_to_count)
                log_warning(r, "Cannot write " TUNNEL_COUNTERS_FILE ", going on without: %m");
        tunnel->has_failed_to_count = r < 0;
}

/* A thread that hangs takes the watchdog along. Until the way back is there systemd counts the time of a start; a hub that is away, or
 * one where a stranger has our port, is no reason to end what the other sessions carry. */
static void tell_life(Tunnel *tunnel)
{
        uint64_t now = clock_monotonic_usec();

        for (unsigned i = 0; i < tunnel->n_links; i++) {
                uint64_t beat = link_counts(tunnel->links[i]).beat_usec;

                if (now > beat && now - beat > LINK_ALIVE_SEC * USEC_PER_SEC)
                        return;
        }
        if (tunnel->is_ready)
                (void) sd_notify(false, "WATCHDOG=1");
        else
                (void) sd_notifyf(false, "EXTEND_TIMEOUT_USEC=%" PRIu64,
                                  START_ALIVE_SEC * USEC_PER_SEC);
}

static int on_told(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Tunnel *tunnel = userdata;
        uint64_t n;

        (void) source, (void) revents;
        if (read(fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
                return -errno;
        /* The first has the way back. */
        if (!tunnel->is_ready && link_counts(tunnel->links[0]).state == LINK_UP) {
                tunnel->is_ready = true;
                (void) sd_notify(false, "READY=1");
                log_info("The tunnel to %s port %u is up", tunnel->place.host, tunnel->place.port);
        }
        give_held(tunnel);
        tell_status(tunnel);
        return 0;
}

static int on_second(sd_event_source *source, uint64_t usec, void *userdata)
{
        Tunnel *tunnel = userdata;
        int r;

        (void) usec;
        give_held(tunnel);
        close_expired(tunnel);
        tell_status(tunnel);
        tell_counters(tunnel);
        tell_life(tunnel);
        r = sd_event_source_set_time_relative(source, USEC_PER_SEC);
        return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* ── A tunnel that cannot be ── */

static int on_second_of_none(sd_event_source *source, uint64_t usec, void *userdata)
{
        Tunnel *tunnel = userdata;
        int r;

        (void) usec;
        close_expired(tunnel);
        if (tunnel->n_held == 0)
                return sd_event_exit(tunnel->event, EX_CONFIG);
        (void) sd_notifyf(false,
                          "STATUS=Cannot go to the hub (the journal says why); %u waiting\n"
                          "EXTEND_TIMEOUT_USEC=%" PRIu64,
                          tunnel->n_held, START_ALIVE_SEC * USEC_PER_SEC);
        r = sd_event_source_set_time_relative(source, USEC_PER_SEC);
        return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* Without a key, say. Who connects is held and then closed, as without a session: if nobody took him from the socket he would wait
 * for ever, and systemd would start us again for him, without end. */
static int turn_away(Tunnel *tunnel)
{
        int r;

        if (arg_preflight || sd_listen_fds(false) <= 0)
                return EX_CONFIG;
        r = sd_event_default(&tunnel->event);
        if (r >= 0)
                r = sd_event_set_signal_exit(tunnel->event, true);
        if (r >= 0)
                r = sd_event_add_time_relative(tunnel->event, NULL, CLOCK_MONOTONIC, USEC_PER_SEC,
                                               0, on_second_of_none, tunnel);
        if (r < 0)
                log_error(r, "Cannot make an event loop: %m");
        else
                r = listen_on(tunnel);
        if (r >= 0)
                (void) sd_event_loop(tunnel->event);
        return EX_CONFIG;
}

/* ── The program ── */

static int start_links(Tunnel *tunnel)
{
        for (unsigned i = 0; i < tunnel->n_wanted; i++) {
                const LinkSetup setup = {
                        .place = tunnel->place,
                        .index = i,
                        .reverse_port = i == 0 ? tunnel->reverse_port : 0,
                        .api_port = NODE_API_PORT,
                        .hold_usec = tunnel->hold_usec,
                        .told_fd = tunnel->told_fd,
                };
                int r = link_new(&setup, &tunnel->links[i]);

                if (r < 0)
                        return log_error(r, "Cannot start a link: %m");
                tunnel->n_links++;
        }
        return 0;
}

static int serve(Tunnel *tunnel)
{
        int r;

        tunnel->told_usec = clock_monotonic_usec();
        r = sd_event_default(&tunnel->event);
        if (r >= 0)
                r = sd_event_set_signal_exit(tunnel->event, true);
        if (r >= 0) {
                tunnel->told_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
                r = tunnel->told_fd < 0 ? -errno : 0;
        }
        if (r >= 0)
                r = sd_event_add_io(tunnel->event, NULL, tunnel->told_fd, EPOLLIN, on_told, tunnel);
        if (r >= 0)
                r = sd_event_add_time_relative(tunnel->event, NULL, CLOCK_MONOTONIC, USEC_PER_SEC,
                                               0, on_second, tunnel);
        if (r < 0)
                return log_error(r, "Cannot make an event loop: %m");
        r = listen_on(tunnel);
        if (r >= 0)
                r = start_links(tunnel);
        return r < 0 ? r : sd_event_loop(tunnel->event);
}

static Tunnel tunnel = { .hold_usec = HOLD_USUAL_SEC * USEC_PER_SEC, .told_fd = -1 };

/* A quick one keeps those waiting who connect meanwhile. */
static int run_preflight(const NodeConfig *config)
{
        unsigned hold_sec = (unsigned) (tunnel.hold_usec / USEC_PER_SEC);

        if (arg_quick)
                preflight_limit(1 + (hold_sec < QUICK_MAX_SEC ? hold_sec : QUICK_MAX_SEC));
        return preflight(&tunnel.place, config->tunnel_reverse_port, config->tunnel_ports,
                         arg_quick) < 0
                               ? EXIT_FAILURE
                               : EXIT_SUCCESS;
}

static int run(const NodeConfig *config)
{
        int r;

        tunnel.n_wanted = (unsigned) config->tunnel_sessions;
        tunnel.reverse_port = config->tunnel_reverse_port;
        tunnel.place = (SessionPlace){ .host = config->tunnel_hub,
                                       .port = config->tunnel_port,
                                       .user = TUNNEL_USER };
        tunnel.started_usec = clock_realtime_usec();
        r = place_read_keys(&tunnel.place);
        if (r < 0)
                return turn_away(&tunnel);
        if (arg_preflight)
                return run_preflight(config);
        r = serve(&tunnel);
        (void) sd_notify(false, "STOPPING=1");
        for (unsigned i = 0; i < tunnel.n_links; i++)
                link_stop(tunnel.links[i]);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char *argv[])
{
        _cleanup_free_ char *error = NULL;
        const char *path = NULL;
        NodeConfig config = {};
        int r;

        r = program_parse(&program, argc, argv, &path);
        if (r <= 0)
                return r < 0 ? EX_USAGE : EXIT_SUCCESS;
        log_open(program.name);
        r = node_config_load(&config, path, &error);
        if (r < 0) {
                log_error(r, "%s", error ?: "Out of memory");
                return turn_away(&tunnel);
        }
        log_set_level(config.log_level);
        tunnel.hold_usec = config.tunnel_hold_usec;
        if (!*config.tunnel_hub) {
                log_notice("[Tunnel] Hub= of node.conf is not set: this node needs no tunnel");
                return turn_away(&tunnel);
        }
        /* Large buffers go back to the system when they are freed, and grow without a copy; left to itself malloc() would soon keep
         * all below 32 MiB. */
        (void) mallopt(M_MMAP_THRESHOLD, LARGE_BUFFER);
        if (ssh_init() != SSH_OK)
                return EXIT_FAILURE;
        return run(&config);
}
