/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * delay-proxy: a TCP proxy that hands every byte on a fixed time after it came, in both directions, because the
 * kernels we test on have no netem. Started by `lab delay` in the network namespace of a machine; prints
 * "ready PID" when it listens and runs until it is killed.
 *
 * It delays data and their end, not the handshake: a connection is accepted before the far side was asked.
 * It must not be the bottleneck, so each direction holds up to QUEUE_MAX bytes in flight.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define QUEUE_MAX      ((size_t) 8 * 1024 * 1024)
#define CHUNK_MAX      ((size_t) 64 * 1024)
#define EVENTS_MAX     64
#define DELAY_MSEC_MAX 60000U

typedef struct Chunk Chunk;
typedef struct Flow Flow;
typedef struct Link Link;
typedef struct End End;

/* Bytes that were read together. An empty one is the end of the stream. */
struct Chunk {
        uint64_t due_usec;
        size_t length;
        size_t sent;
        Chunk *next;
        char data[];
};

/* One direction of a connection. */
struct Flow {
        Chunk *first;
        Chunk *last;
        size_t queued;
        bool read_end; /* nothing more will be read */
        bool sent_end; /* and the other side knows */
};

/* One socket of a connection: flow[i] is what was read from end i and goes to the other one. */
struct End {
        Link *link;
        int fd;
        uint32_t watched;
        bool blocked; /* the last write would have blocked */
        bool over; /* shut in both directions, and unwatched: epoll would report that for ever */
};

struct Link {
        End end[2];
        Flow flow[2];
        bool connected;
        bool broken;
        Link *next;
};

static uint64_t arg_delay_usec;
static struct sockaddr_in arg_target;
static Link *links;
static int epoll_fd = -1;

static uint64_t now_usec(void)
{
        struct timespec now;

        (void) clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000;
}

static void flow_done(Flow *flow)
{
        while (flow->first) {
                Chunk *chunk = flow->first;

                flow->first = chunk->next;
                free(chunk);
        }
}

static Link *link_free(Link *link)
{
        for (int i = 0; i < 2; i++) {
                if (link->end[i].fd >= 0)
                        (void) close(link->end[i].fd);
                flow_done(&link->flow[i]);
        }
        free(link);
        return NULL;
}

/* Read what is there, until the queue is full. */
static int flow_read(Flow *flow, int fd)
{
        while (!flow->read_end && flow->queued < QUEUE_MAX) {
                Chunk *chunk = malloc(sizeof(Chunk) + CHUNK_MAX);
                ssize_t n;

                if (!chunk)
                        return -ENOMEM;
                n = read(fd, chunk->data, CHUNK_MAX);
                if (n < 0) {
                        free(chunk);
                        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
                }
                Chunk *smaller = realloc(chunk, sizeof(Chunk) + (size_t) n);
                if (smaller)
                        chunk = smaller;
                chunk->due_usec = now_usec() + arg_delay_usec;
                chunk->length = (size_t) n;
                chunk->sent = 0;
                chunk->next = NULL;
                if (flow->first)
                        flow->last->next = chunk;
                else
                        flow->first = chunk;
                flow->last = chunk;
                flow->queued += (size_t) n;
                flow->read_end = n == 0;
        }
        return 0;
}

/* Write what is due. Sets *ret_blocked when the socket takes no more for now. */
static int flow_write(Flow *flow, int fd, bool *ret_blocked)
{
        bool blocked = false;

        while (flow->first && flow->first->due_usec <= now_usec()) {
                Chunk *chunk = flow->first;

                if (chunk->length == 0) {
                        if (shutdown(fd, SHUT_WR) < 0)
                                return -errno;
                        flow->sent_end = true;
                } else {
                        ssize_t n = send(fd, chunk->data + chunk->sent, chunk->length - chunk->sent,
                                         MSG_NOSIGNAL);

                        if (n < 0 && errno != EAGAIN && errno != EINTR)
                                return -errno;
                        if (n < 0) {
                                blocked = true;
                                break;
                        }
                        chunk->sent += (size_t) n;
                        flow->queued -= (size_t) n;
                        if (chunk->sent < chunk->length)
                                continue;
                }
                flow->first = chunk->next;
                free(chunk);
        }
        *ret_blocked = blocked;
        return 0;
}

/* A reset on one side is a reset on the other. */
static void link_reset(Link *link)
{
        static const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

        for (int i = 0; i < 2; i++)
                (void) setsockopt(link->end[i].fd, SOL_SOCKET, SO_LINGER, &at_once,
                                  sizeof(at_once));
        link->broken = true;
}

static int link_watch(Link *link)
{
        for (int i = 0; i < 2; i++) {
                End *end = &link->end[i];
                Flow *flow = &link->flow[i];
                struct epoll_event event = { .data.ptr = end };

                if (end->over)
                        continue;
                if (flow->read_end && link->flow[!i].sent_end) {
                        end->over = true;
                        if (epoll_ctl(epoll_fd, EPOLL_CTL_DEL, end->fd, NULL) < 0)
                                return -errno;
                        continue;
                }
                if (i == 1 && !link->connected) {
                        event.events = EPOLLOUT;
                } else {
                        if (!flow->read_end && flow->queued < QUEUE_MAX)
                                event.events |= EPOLLIN;
                        if (end->blocked)
                                event.events |= EPOLLOUT;
                }
                if (event.events == end->watched)
                        continue;
                if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, end->fd, &event) < 0)
                        return -errno;
                end->watched = event.events;
        }
        return 0;
}

/* Moves what can be moved; the result of an event and of a passed due time alike. */
static int link_pump(Link *link)
{
        int r;

        if (!link->connected)
                return link_watch(link);
        for (int i = 0; i < 2; i++) {
                r = flow_write(&link->flow[i], link->end[!i].fd, &link->end[!i].blocked);
                if (r < 0)
                        return r;
        }
        return link_watch(link);
}

static void link_event(End *end, uint32_t events)
{
        Link *link = end->link;
        int i = end == &link->end[1], r = 0;

        if (link->broken)
                return;
        if (i == 1 && !link->connected && events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) {
                int error = 0;
                socklen_t size = sizeof(error);

                if (getsockopt(end->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
                        error = errno;
                link->connected = error == 0;
                r = -error;
        } else if (events & EPOLLERR)
                r = -EIO;
        else if (events & (EPOLLIN | EPOLLHUP))
                r = flow_read(&link->flow[i], end->fd);
        if (r >= 0)
                r = link_pump(link);
        if (r < 0)
                link_reset(link);
}

static int link_add_end(Link *link, int i)
{
        struct epoll_event event = { .events = 0, .data.ptr = &link->end[i] };
        int one = 1;

        (void) setsockopt(link->end[i].fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, link->end[i].fd, &event) < 0 ? -errno : 0;
}

/* Takes over client_fd, also when it fails. */
static int link_new(int client_fd)
{
        Link *link = malloc(sizeof(Link));
        int r;

        if (!link) {
                (void) close(client_fd);
                return -ENOMEM;
        }
        *link = (Link){ .end = { { .link = link, .fd = client_fd }, { .link = link, .fd = -1 } } };
        link->end[1].fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (link->end[1].fd < 0) {
                r = -errno;
                goto fail;
        }
        if (connect(link->end[1].fd, (struct sockaddr *) &arg_target, sizeof(arg_target)) < 0 &&
            errno != EINPROGRESS) {
                r = -errno;
                goto fail;
        }
        for (int i = 0; i < 2; i++) {
                r = link_add_end(link, i);
                if (r < 0)
                        goto fail;
        }
        r = link_watch(link);
        if (r < 0)
                goto fail;
        link->next = links;
        links = link;
        return 0;

fail:
        link_reset(link);
        (void) link_free(link);
        return r;
}

/* Serves every link whose time has come; returns the milliseconds until the next one's, -1 = none waits. */
static int links_serve(void)
{
        uint64_t next_usec = UINT64_MAX, now;

        for (Link **at = &links; *at;) {
                Link *link = *at;

                if (!link->broken && link_pump(link) < 0)
                        link_reset(link);
                if (link->broken || (link->flow[0].sent_end && link->flow[1].sent_end)) {
                        *at = link->next;
                        (void) link_free(link);
                        continue;
                }
                for (int i = 0; i < 2; i++)
                        if (link->connected && link->flow[i].first && !link->end[!i].blocked &&
                            link->flow[i].first->due_usec < next_usec)
                                next_usec = link->flow[i].first->due_usec;
                at = &link->next;
        }
        if (next_usec == UINT64_MAX)
                return -1;
        now = now_usec();
        return next_usec <= now ? 0 : (int) ((next_usec - now + 999) / 1000);
}

static int serve(int listen_fd)
{
        struct epoll_event events[EVENTS_MAX] = { { .events = EPOLLIN, .data.ptr = NULL } };

        if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listen_fd, &events[0]) < 0)
                return -errno;
        for (;;) {
                int n = epoll_wait(epoll_fd, events, EVENTS_MAX, links_serve());

                if (n < 0 && errno != EINTR)
                        return -errno;
                for (int i = 0; i < n; i++) {
                        if (events[i].data.ptr) {
                                link_event(events[i].data.ptr, events[i].events);
                                continue;
                        }
                        int client_fd = accept4(listen_fd, NULL, NULL,
                                                SOCK_NONBLOCK | SOCK_CLOEXEC);
                        if (client_fd >= 0) {
                                int r = link_new(client_fd);
                                if (r < 0)
                                        fprintf(stderr, "delay-proxy: a connection failed: %s\n",
                                                strerror(-r));
                        } else if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
                                return -errno;
                }
        }
}

static int listen_on(const struct sockaddr_in *address)
{
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1, r;

        if (fd < 0)
                return -errno;
        if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
            bind(fd, (const struct sockaddr *) address, sizeof(*address)) < 0 ||
            listen(fd, SOMAXCONN) < 0) {
                r = -errno;
                (void) close(fd);
                return r;
        }
        return fd;
}

static int parse_number(const char *text, unsigned long max, unsigned long *ret)
{
        char *end;
        unsigned long value;

        if (*text < '0' || *text > '9')
                return -EINVAL;
        errno = 0;
        value = strtoul(text, &end, 10);
        if (errno || *end || value > max)
                return -EINVAL;
        *ret = value;
        return 0;
}

/* ADDRESS:PORT, IPv4 only: the lab has no other. */
static int parse_address(const char *text, struct sockaddr_in *ret)
{
        const char *colon = strrchr(text, ':');
        char host[INET_ADDRSTRLEN];
        unsigned long port;
        struct sockaddr_in address = { .sin_family = AF_INET };

        if (!colon || (size_t) (colon - text) >= sizeof(host) ||
            parse_number(colon + 1, UINT16_MAX, &port) < 0)
                return -EINVAL;
        memcpy(host, text, (size_t) (colon - text));
        host[colon - text] = '\0';
        if (inet_pton(AF_INET, host, &address.sin_addr) != 1)
                return -EINVAL;
        address.sin_port = htons((uint16_t) port);
        *ret = address;
        return 0;
}

int main(int argc, char **argv)
{
        struct sockaddr_in source;
        unsigned long delay_msec;
        int listen_fd, r;

        if (argc != 4 || parse_number(argv[1], DELAY_MSEC_MAX, &delay_msec) < 0 ||
            parse_address(argv[2], &source) < 0 || parse_address(argv[3], &arg_target) < 0) {
                fprintf(stderr,
                        "Usage: delay-proxy MILLISECONDS FROM-ADDRESS:PORT TO-ADDRESS:PORT\n");
                return 2;
        }
        arg_delay_usec = delay_msec * 1000;
        listen_fd = listen_on(&source);
        if (listen_fd < 0) {
                fprintf(stderr, "delay-proxy: cannot listen on %s: %s\n", argv[2],
                        strerror(-listen_fd));
                return 1;
        }
        epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (epoll_fd < 0) {
                fprintf(stderr, "delay-proxy: %s\n", strerror(errno));
                return 1;
        }
        if (printf("ready %d\n", getpid()) < 0 || fflush(stdout) < 0)
                return 1;
        r = serve(listen_fd);
        fprintf(stderr, "delay-proxy: %s\n", strerror(-r));
        return 1;
}
