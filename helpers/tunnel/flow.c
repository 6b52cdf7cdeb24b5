/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Flows (see flow.h). Upwards a flow reads no more than the channel's window has room for, and nothing while the session's socket is
 * full, so that libssh keeps little. Downwards libssh hands over what it has for a channel with each packet, and a good piece of it
 * goes straight from its buffer into the local socket. What is left is read out whole and never in pieces: libssh opens the window
 * with every read, however much it still holds, so that a reader that is slow but not dead would let its buffer grow without end. It
 * opens it as far as the read that is asked for; on a long line its own measure is too small, so a large one is asked for now
 * and then, as long as the local side keeps up.
 */
#include "flow.h"

#include "cleanup.h"
#include "clock.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
        READS_EACH = 4, /* of one flow before another has its turn */
        DOWN_AT_ONCE = 64 * 1024, /* smaller pieces wake the reader too often */
        WINDOW_AFTER = 1024 * 1024,
        WINDOWS_MAX = 4, /* wide ones of a link: they may end up in memory */
};

static bool is_for_later(int error)
{
        return error == EAGAIN || error == EINTR;
}

/* Bytes that the kernel has for the local side; 0: it does not tell. */
static int n_queued(const Flow *flow)
{
        int n;

        return ioctl(flow->fd, SIOCOUTQ, &n) < 0 ? 0 : n;
}

/* Gives it to the local side, which takes what it has room for: so much, or a negative errno. */
static ssize_t give_down(Flow *flow, const char *data, size_t n)
{
        ssize_t given = send(flow->fd, data, n, MSG_NOSIGNAL);

        if (given < 0 && !is_for_later(errno))
                return -errno;
        if (given < 0)
                given = 0;
        flow->is_full = (size_t) given < n;
        flow->was_full = flow->was_full || flow->is_full;
        if (flow->is_full)
                flow->n_queued = n_queued(flow);
        /* Nothing is given without room, and whoever made room has taken something. */
        flow->taken_usec = clock_monotonic_usec();
        flow->n_down += (uint64_t) given;
        return given;
}

/* Called by libssh with all that it holds for the channel; returns what was taken. After an error the next step meets it again. */
static int on_data(ssh_session session, ssh_channel channel, void *data, uint32_t size,
                   int is_stderr, void *userdata)
{
        Flow *flow = userdata;
        ssize_t n = 0;

        (void) session, (void) channel;
        if (is_stderr)
                return 0;
        if (size >= DOWN_AT_ONCE && flow->state == FLOW_OPEN && flow->rest_size == 0 &&
            !flow->is_full)
                n = give_down(flow, data, size);
        if (n < 0)
                n = 0;
        flow->n_buffered = size - (size_t) n;
        flow->n_since_window += (size_t) n;
        return (int) n;
}

static Flow *flow_new(ssh_session session, FlowBuffers *buffers, ssh_channel channel, int fd)
{
        Flow *flow = malloc(sizeof(Flow));

        if (!flow)
                return NULL;
        *flow = (Flow){ .session = session,
                        .buffers = buffers,
                        .channel = channel,
                        .fd = fd,
                        .callbacks = { .userdata = flow, .channel_data_function = on_data } };
        ssh_callbacks_init(&flow->callbacks);
        if (ssh_set_channel_callbacks(channel, &flow->callbacks) != SSH_OK) {
                free(flow);
                return NULL;
        }
        return flow;
}

Flow *flow_new_out(ssh_session session, FlowBuffers *buffers, int fd, uint16_t port,
                   uint64_t expires_usec)
{
        ssh_channel channel = ssh_channel_new(session);
        Flow *flow = channel ? flow_new(session, buffers, channel, fd) : NULL;

        if (!flow) {
                ssh_channel_free(channel);
                (void) close(fd);
                return NULL;
        }
        flow->port = port;
        flow->expires_usec = expires_usec;
        flow->state = FLOW_OPENING;
        return flow;
}

Flow *flow_new_in(ssh_session session, FlowBuffers *buffers, ssh_channel channel, uint16_t port)
{
        const struct sockaddr_in address = { .sin_family = AF_INET,
                                             .sin_port = htons(port),
                                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        _cleanup_close_ int fd = -1;
        Flow *flow = NULL;

        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd >= 0 && (connect(fd, (const struct sockaddr *) &address, sizeof(address)) >= 0 ||
                        errno == EINPROGRESS))
                flow = flow_new(session, buffers, channel, fd);
        if (!flow) {
                ssh_channel_free(channel);
                return NULL;
        }
        (void) take_fd(&fd);
        flow->is_channel_open = true;
        flow->state = FLOW_CONNECTING;
        return flow;
}

Flow *flow_free(Flow *flow)
{
        if (!flow)
                return NULL;
        (void) ssh_remove_channel_callbacks(flow->channel, &flow->callbacks);
        /* libssh would send the end of one that was never opened, too, and sshd then ends the whole session. */
        if (flow->is_channel_open)
                (void) ssh_channel_close(flow->channel);
        ssh_channel_free(flow->channel);
        if (flow->fd >= 0)
                (void) close(flow->fd);
        free(flow->rest);
        free(flow->up_rest);
        free(flow);
        return NULL;
}

static bool is_congested(const Flow *flow)
{
        return ssh_get_poll_flags(flow->session) & SSH_WRITE_PENDING;
}

static bool can_take(const Flow *flow)
{
        return !flow->local_ended && flow->up_size == 0 && !is_congested(flow) &&
               ssh_channel_window_size(flow->channel) > 0;
}

short flow_events(const Flow *flow)
{
        short events = 0;

        if (flow->state == FLOW_CONNECTING)
                return POLLOUT;
        if (flow->state != FLOW_OPEN)
                return 0;
        if (can_take(flow))
                events |= POLLIN;
        if (flow->is_full)
                events |= POLLOUT;
        return events;
}

size_t flow_held(const Flow *flow)
{
        if (flow->state == FLOW_OVER)
                return 0;
        /* Of the rest all is there until the last byte of it has gone. */
        return flow->n_buffered + (flow->rest_size > 0 ? flow->rest_at + flow->rest_size : 0);
}

void flow_look(Flow *flow)
{
        int n;

        if (flow->state != FLOW_OPEN || !flow->is_full)
                return;
        n = n_queued(flow);
        if (n < flow->n_queued)
                flow->taken_usec = clock_monotonic_usec();
        flow->n_queued = n;
}

uint64_t flow_still_usec(const Flow *flow)
{
        return flow->is_full && flow_held(flow) > 0 ? flow->taken_usec : UINT64_MAX;
}

/* It is not the hub's fault, nor the connection's, that the answer is not seen while the session is held for others. */
uint64_t flow_due_usec(const Flow *flow)
{
        const FlowBuffers *buffers = flow->buffers;
        uint64_t due = flow->expires_usec + (buffers->is_held ? buffers->hold_usec : 0);

        if (flow->state != FLOW_OPENING)
                return UINT64_MAX;
        return due > buffers->answer_usec ? due : buffers->answer_usec;
}

bool flow_can_go_on(const Flow *flow)
{
        return flow->state == FLOW_OPEN && flow->n_buffered > 0 && !flow->is_full;
}

static bool has_more_down(const Flow *flow)
{
        return flow->rest_size > 0 || flow->n_buffered > 0;
}

/* ── Up: from the local socket to the hub ── */

static int keep(char **rest, size_t *at, size_t *size, const char *data, size_t n)
{
        char *copy = malloc(n);

        if (!copy)
                return -ENOMEM;
        memcpy(copy, data, n);
        free(*rest);
        *rest = copy;
        *at = 0;
        *size = n;
        return 0;
}

/* Whatever is not taken is kept. */
static int write_up(Flow *flow, const char *data, size_t n)
{
        int written = ssh_channel_write(flow->channel, data, (uint32_t) n);

        if (written < 0 && written != SSH_AGAIN)
                return -EPIPE;
        if (written < 0)
                written = 0;
        flow->n_up += (uint64_t) written;
        if ((size_t) written == n)
                return 0;
        return keep(&flow->up_rest, &flow->up_at, &flow->up_size, data + written,
                    n - (size_t) written);
}

static int write_up_rest(Flow *flow)
{
        _cleanup_free_ char *rest = flow->up_rest;
        size_t at = flow->up_at, n = flow->up_size;

        flow->up_rest = NULL;
        flow->up_at = flow->up_size = 0;
        return n > 0 ? write_up(flow, rest + at, n) : 0;
}

static int move_up(Flow *flow)
{
        for (unsigned i = 0; i < READS_EACH && can_take(flow); i++) {
                size_t room = ssh_channel_window_size(flow->channel);
                ssize_t n;

                n = read(flow->fd, flow->buffers->up, room < FLOW_UP_SIZE ? room : FLOW_UP_SIZE);
                if (n < 0)
                        return is_for_later(errno) ? 0 : -errno;
                if (n == 0) {
                        flow->local_ended = true;
                        return ssh_channel_send_eof(flow->channel) == SSH_ERROR ? -EPIPE : 0;
                }
                if (write_up(flow, flow->buffers->up, (size_t) n) < 0)
                        return -EPIPE;
        }
        return 0;
}

/* ── Down ── */

static int write_rest(Flow *flow)
{
        ssize_t n;

        if (flow->rest_size == 0 || flow->is_full)
                return 0;
        n = give_down(flow, flow->rest + flow->rest_at, flow->rest_size);
        if (n < 0)
                return (int) n;
        flow->rest_at += (size_t) n;
        flow->rest_size -= (size_t) n;
        if (flow->rest_size > 0)
                return 0;
        free(flow->rest);
        flow->rest = NULL;
        return 0;
}

/* It is time to open the window wide. Not for a local side that was not always ready: what comes more would lie here. */
static bool wants_window(Flow *flow)
{
        bool keeps_up;

        if (flow->n_since_window < WINDOW_AFTER || ssh_channel_is_eof(flow->channel))
                return false;
        keeps_up = !flow->was_full;
        flow->n_since_window = 0;
        flow->was_full = false;
        return keeps_up && flow->buffers->n_flows <= WINDOWS_MAX;
}

static int move_down(Flow *flow)
{
        size_t size = flow->n_buffered < FLOW_WINDOW ? flow->n_buffered : FLOW_WINDOW;
        ssize_t given;
        int n;

        if (flow->is_full || flow->rest_size > 0)
                return 0;
        if (wants_window(flow))
                size = FLOW_WINDOW;
        if (size == 0)
                return 0;
        n = ssh_channel_read(flow->channel, flow->buffers->down, (uint32_t) size, 0);
        if (n == SSH_AGAIN || n == 0) {
                flow->n_buffered = 0;
                return 0;
        }
        if (n < 0)
                return -EPIPE;
        flow->n_buffered -= (size_t) n;
        flow->n_since_window += (size_t) n;
        given = give_down(flow, flow->buffers->down, (size_t) n);
        if (given < 0 || given == n)
                return given < 0 ? (int) given : 0;
        return keep(&flow->rest, &flow->rest_at, &flow->rest_size, flow->buffers->down + given,
                    (size_t) (n - given));
}

static void end_down(Flow *flow)
{
        if (flow->remote_ended || has_more_down(flow) || !ssh_channel_is_eof(flow->channel))
                return;
        flow->remote_ended = true;
        (void) shutdown(flow->fd, SHUT_WR);
}

/* ── Beginnings ── */

static void step_opening(Flow *flow)
{
        int r = ssh_channel_open_forward(flow->channel, "127.0.0.1", flow->port, "127.0.0.1", 0);

        if (r == SSH_OK) {
                flow->is_channel_open = true;
                flow->state = flow->state == FLOW_GIVEN_UP ? FLOW_OVER : FLOW_OPEN;
        } else if (r != SSH_AGAIN)
                flow->state = FLOW_OVER;
        else if (clock_monotonic_usec() >= flow_due_usec(flow)) {
                /* A channel that is freed before its answer comes would stay open at the hub. */
                (void) close(flow->fd);
                flow->fd = -1;
                flow->state = FLOW_GIVEN_UP;
        }
}

static void step_connecting(Flow *flow, short revents)
{
        socklen_t size = sizeof(int);
        int error = 0;

        if (!revents)
                return;
        if (getsockopt(flow->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error != 0)
                flow->state = FLOW_OVER;
        else
                flow->state = FLOW_OPEN;
}

void flow_step(Flow *flow, short revents)
{
        int r;

        if (flow->state == FLOW_OPENING || flow->state == FLOW_GIVEN_UP)
                step_opening(flow);
        else if (flow->state == FLOW_CONNECTING)
                step_connecting(flow, revents);
        if (flow->state != FLOW_OPEN)
                return;
        if (revents & (POLLOUT | POLLHUP | POLLERR))
                flow->is_full = false;
        r = write_rest(flow);
        if (r >= 0)
                r = move_down(flow);
        if (r >= 0)
                r = write_up_rest(flow);
        if (r >= 0 && revents & (POLLIN | POLLHUP | POLLERR))
                r = move_up(flow);
        if (r >= 0)
                end_down(flow);
        if (r < 0 || (flow->local_ended && flow->remote_ended) ||
            (ssh_channel_is_closed(flow->channel) && !has_more_down(flow)))
                flow->state = FLOW_OVER;
}
