/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Links (see link.h). The thread opens the session, then waits for the session's socket, for those of its flows and for news from the
 * main thread, and moves what can be moved. A session that is lost is opened again after a pause that grows, with some chance in it,
 * so that many nodes do not come back at one moment. A hub that says nothing is noticed: it is asked every few seconds.
 */
#include "link.h"

#include "flow.h"
#include "life.h"
#include "read-ahead.h"
#include "share.h"

#include "cleanup.h"
#include "clock.h"
#include "log.h"
#include "parse.h"
#include "pause.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>

enum {
        ANSWER_SEC = 2, /* of the hub, whether it opens a channel, however long the connection was held before */
        STOP_SEC = 2,
        PUMP_MAX = 64, /* of what came in, before the flows have their turn */
        READ_SIZE = 4096, /* what libssh asks its socket for */
};

typedef struct Arrival {
        struct Arrival *next;
        int fd;
        uint16_t port;
        uint64_t accepted_usec;
} Arrival;

struct Link {
        LinkSetup setup;
        pthread_t thread;
        int wake_fd;
        pthread_mutex_t lock; /* of what stands below it */
        Arrival *arrivals, **arrivals_end;
        LinkCounts counts;
        SessionProblem problem;
        bool is_stopping;
        /* The thread's own. */
        ssh_session session;
        ssh_event event;
        struct ssh_counter_struct socket_counter, packet_counter;
        Flow **flows;
        size_t n_flows, n_flows_max;
        struct pollfd *fds;
        FlowBuffers buffers;
        Life life;
        uint64_t seen_bytes; /* that had come when the flows had their turn */
        unsigned pause_msec;
        SessionStep last_step; /* that failed, and was told */
        int last_error; /* of it */
};

/* ── What others see ── */

LinkCounts link_counts(Link *link)
{
        LinkCounts counts;

        (void) pthread_mutex_lock(&link->lock);
        counts = link->counts;
        (void) pthread_mutex_unlock(&link->lock);
        return counts;
}

void link_problem(Link *link, SessionProblem *ret_problem)
{
        (void) pthread_mutex_lock(&link->lock);
        *ret_problem = link->problem;
        (void) pthread_mutex_unlock(&link->lock);
}

static bool is_stopping(Link *link)
{
        bool is;

        (void) pthread_mutex_lock(&link->lock);
        is = link->is_stopping;
        (void) pthread_mutex_unlock(&link->lock);
        return is;
}

static void wake(Link *link)
{
        static const uint64_t one = 1;

        /* Full means that it is awake. */
        if (write(link->wake_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
                log_warning(-errno, "Cannot wake link %u: %m", link->setup.index);
}

static void beat(Link *link)
{
        uint64_t up = 0, down = 0;

        for (size_t i = 0; i < link->n_flows; i++) {
                up += link->flows[i]->n_up;
                down += link->flows[i]->n_down;
                link->flows[i]->n_up = link->flows[i]->n_down = 0;
        }
        (void) pthread_mutex_lock(&link->lock);
        link->counts.beat_usec = clock_monotonic_usec();
        link->counts.n_up += up;
        link->counts.n_down += down;
        (void) pthread_mutex_unlock(&link->lock);
}

static void set_state(Link *link, LinkState state, const SessionProblem *problem)
{
        static const uint64_t one = 1;

        (void) pthread_mutex_lock(&link->lock);
        link->counts.state = state;
        if (state == LINK_UP)
                link->counts.n_sessions++;
        link->problem = problem ? *problem : (SessionProblem){};
        (void) pthread_mutex_unlock(&link->lock);
        /* Full means that there is news already. */
        if (write(link->setup.told_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
                log_warning(-errno, "Cannot tell of link %u: %m", link->setup.index);
}

/* ── Flows ── */

static bool make_room(Link *link)
{
        size_t n = link->n_flows_max > 0 ? link->n_flows_max * 2 : 16;
        struct pollfd *fds;
        Flow **flows;

        if (link->n_flows < link->n_flows_max)
                return true;
        flows = reallocarray(link->flows, n, sizeof(*flows));
        if (!flows)
                return false;
        link->flows = flows;
        fds = reallocarray(link->fds, n + 2, sizeof(*fds));
        if (!fds)
                return false;
        link->fds = fds;
        link->n_flows_max = n;
        return true;
}

static void count(Link *link, int flows, unsigned opened, unsigned refused)
{
        (void) pthread_mutex_lock(&link->lock);
        link->counts.n_flows = (unsigned) ((int) link->counts.n_flows + flows);
        link->counts.n_opened += opened;
        link->counts.n_refused += refused;
        (void) pthread_mutex_unlock(&link->lock);
}

static void add_flow(Link *link, Flow *flow)
{
        if (!flow || !make_room(link)) {
                flow_free(flow);
                count(link, -1, 0, 1);
                return;
        }
        link->flows[link->n_flows++] = flow;
}

static Arrival *take_arrivals(Link *link)
{
        uint64_t n;
        Arrival *list;

        if (read(link->wake_fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
                log_warning(-errno, "Cannot read news: %m");
        (void) pthread_mutex_lock(&link->lock);
        list = link->arrivals;
        link->arrivals = NULL;
        link->arrivals_end = &link->arrivals;
        (void) pthread_mutex_unlock(&link->lock);
        return list;
}

static uint64_t expires_usec(const Link *link, const Arrival *arrival)
{
        uint64_t held = arrival->accepted_usec + link->setup.hold_usec;
        uint64_t answer = clock_monotonic_usec() + ANSWER_SEC * USEC_PER_SEC;

        return held > answer ? held : answer;
}

static void add_arrivals(Link *link)
{
        Arrival *list = take_arrivals(link), *next;

        for (; list; list = next) {
                next = list->next;
                add_flow(link, flow_new_out(link->session, &link->buffers, list->fd, list->port,
                                            expires_usec(link, list)));
                free(list);
        }
}

int link_add(Link *link, int fd, uint16_t port, uint64_t accepted_usec)
{
        Arrival *arrival = malloc(sizeof(Arrival));
        bool is_up;

        if (!arrival) {
                (void) close(fd);
                return -ENOMEM;
        }
        *arrival = (Arrival){ .fd = fd, .port = port, .accepted_usec = accepted_usec };
        (void) pthread_mutex_lock(&link->lock);
        is_up = link->counts.state == LINK_UP;
        if (is_up) {
                *link->arrivals_end = arrival;
                link->arrivals_end = &arrival->next;
                link->counts.n_flows++;
        }
        (void) pthread_mutex_unlock(&link->lock);
        if (!is_up) {
                free(arrival);
                return -ENOTCONN;
        }
        wake(link);
        return 0;
}

static void accept_reverse(Link *link)
{
        ssh_channel channel;

        while (link->setup.reverse_port > 0 &&
               (channel = ssh_channel_open_forward_port(link->session, 0, NULL, NULL, NULL))) {
                count(link, 1, 0, 0);
                add_flow(link,
                         flow_new_in(link->session, &link->buffers, channel, link->setup.api_port));
        }
}

static void step_flows(Link *link, const struct pollfd *fds, size_t n_fds)
{
        for (size_t i = 0; i < link->n_flows; i++) {
                Flow *flow = link->flows[i];
                bool was_open = flow->state == FLOW_OPEN;

                if (flow->state == FLOW_OVER) /* and counted */
                        continue;
                flow_step(flow, i < n_fds ? fds[i].revents : 0);
                if (!was_open && (flow->state == FLOW_OPEN || flow->state == FLOW_OVER))
                        count(link, 0, flow->state == FLOW_OPEN, flow->state != FLOW_OPEN);
        }
}

static void set_full(Link *link, bool is_full, unsigned n_closed)
{
        if (link->buffers.is_held && !is_full)
                link->buffers.answer_usec = clock_monotonic_usec() + ANSWER_SEC * USEC_PER_SEC;
        link->buffers.is_held = is_full;
        read_ahead_hold(is_full);
        (void) pthread_mutex_lock(&link->lock);
        link->counts.is_full = is_full;
        link->counts.n_closed += n_closed;
        (void) pthread_mutex_unlock(&link->lock);
        if (n_closed > 0)
                log_warning(-ETIMEDOUT,
                            "%u connections have taken nothing for %" PRIu64
                            " s, while what they hold leaves no room for others, and are closed",
                            n_closed, link->setup.hold_usec / USEC_PER_SEC);
}

static void bound_memory(Link *link)
{
        bool was_full = link->buffers.is_held, is_full = was_full;
        unsigned n_closed = share_bound(link->flows, link->n_flows, link->setup.hold_usec,
                                        clock_monotonic_usec(), &is_full);

        /* What passes through here holds nothing between two steps, and its pages are wanted elsewhere now. */
        if (is_full && !was_full)
                (void) madvise(link->buffers.down, FLOW_WINDOW, MADV_DONTNEED);
        if (is_full != was_full || n_closed > 0)
                set_full(link, is_full, n_closed);
}

static void drop_finished(Link *link)
{
        size_t n = 0;

        beat(link); /* counts what they moved */
        for (size_t i = 0; i < link->n_flows; i++) {
                Flow *flow = link->flows[i];

                if (flow->state != FLOW_OVER) {
                        link->flows[n++] = flow;
                        continue;
                }
                flow_free(flow);
                count(link, -1, 0, 0);
        }
        link->n_flows = n;
}

/* ── The session ── */

/* Takes in what has come. What is less than libssh asks for was all. */
static int pump(Link *link)
{
        for (unsigned i = 0; i < PUMP_MAX; i++) {
                uint64_t before = link->socket_counter.in_bytes;

                if (ssh_event_dopoll(link->event, 0) == SSH_ERROR ||
                    !ssh_is_connected(link->session))
                        return -ECONNRESET;
                if (link->socket_counter.in_bytes - before < READ_SIZE)
                        break;
        }
        return 0;
}

/* Until something is due that nobody brings. */
static int wait_msec(const Link *link)
{
        uint64_t due = life_due_usec(&link->life), now = clock_monotonic_usec();

        for (size_t i = 0; i < link->n_flows; i++) {
                uint64_t flow_due = flow_due_usec(link->flows[i]);

                if (flow_due < due)
                        due = flow_due;
        }
        if (link->buffers.is_held) {
                uint64_t share_due = share_due_usec(link->flows, link->n_flows,
                                                    link->setup.hold_usec, now);

                if (share_due < due)
                        due = share_due;
        }
        return due > now ? (int) ((due - now + USEC_PER_MSEC - 1) / USEC_PER_MSEC) : 0;
}

/* Whatever a flow asks libssh for may take in what came for another, or a channel that the hub opens: of that the socket tells nothing
 * any more. */
static bool has_come_unseen(const Link *link)
{
        return link->socket_counter.in_bytes != link->seen_bytes;
}

static int wait_for_news(Link *link, size_t *ret_n)
{
        int flags = ssh_get_poll_flags(link->session);
        bool begins = has_come_unseen(link);

        link->fds[0] = (struct pollfd){ .fd = link->wake_fd, .events = POLLIN };
        link->fds[1] = (struct pollfd){
                .fd = ssh_get_fd(link->session),
                .events = (short) (POLLIN | (flags & SSH_WRITE_PENDING ? POLLOUT : 0)),
        };
        for (size_t i = 0; i < link->n_flows; i++) {
                Flow *flow = link->flows[i];
                short events = flow_events(flow);

                begins = begins || flow_can_go_on(flow);
                link->fds[i + 2] =
                                (struct pollfd){ .fd = events ? flow->fd : -1, .events = events };
        }
        *ret_n = link->n_flows;
        link->buffers.n_flows = link->n_flows;
        if (poll(link->fds, link->n_flows + 2, begins ? 0 : wait_msec(link)) < 0 && errno != EINTR)
                return -errno;
        return 0;
}

/* Until the session is lost. */
static int serve(Link *link)
{
        int r = 0;

        while (r >= 0 && !is_stopping(link)) {
                size_t n;

                r = wait_for_news(link, &n);
                if (r < 0)
                        break;
                if (link->fds[1].revents)
                        r = pump(link);
                if (r < 0)
                        break;
                link->seen_bytes = link->socket_counter.in_bytes;
                accept_reverse(link);
                step_flows(link, link->fds + 2, n);
                if (link->fds[0].revents) {
                        add_arrivals(link);
                        step_flows(link, NULL, 0);
                }
                bound_memory(link);
                drop_finished(link);
                r = ssh_is_connected(link->session) ? life_look(&link->life, link->session,
                                                                link->socket_counter.in_bytes,
                                                                link->buffers.is_held)
                                                    : -ECONNRESET;
        }
        return r;
}

static int open_session(Link *link, SessionProblem *problem)
{
        int r;

        r = session_open(&link->setup.place, NULL, NULL, &link->session, problem);
        if (r >= 0 && link->setup.reverse_port > 0)
                r = session_listen(link->session, link->setup.reverse_port, problem);
        if (r < 0)
                return r;
        link->socket_counter = link->packet_counter = (struct ssh_counter_struct){};
        ssh_set_counters(link->session, &link->socket_counter, &link->packet_counter);
        ssh_set_blocking(link->session, 0);
        read_ahead_begin(ssh_get_fd(link->session));
        link->event = ssh_event_new();
        if (!link->event || ssh_event_add_session(link->event, link->session) != SSH_OK)
                return -ENOMEM;
        life_begin(&link->life);
        link->seen_bytes = UINT64_MAX; /* something may have come with the last answer already */
        link->buffers.is_held = false;
        return 0;
}

static void close_session(Link *link)
{
        while (link->n_flows > 0) {
                flow_free(link->flows[--link->n_flows]);
                count(link, -1, 0, 0);
        }
        if (link->event) {
                if (link->session)
                        (void) ssh_event_remove_session(link->event, link->session);
                ssh_event_free(link->event);
                link->event = NULL;
        }
        if (link->session)
                session_close(link->session);
        link->session = NULL;
        read_ahead_end();
        set_full(link, false, 0);
        /* Those whose turn never came. */
        for (Arrival *list = take_arrivals(link), *next; list; list = next) {
                next = list->next;
                (void) close(list->fd);
                free(list);
                count(link, -1, 0, 1);
        }
}

/* up_usec: for how long the session stood, 0 when there was none. */
static void pause_before_next(Link *link, uint64_t up_usec)
{
        unsigned chance = 0;

        if (getrandom(&chance, sizeof(chance), 0) < 0)
                chance = (unsigned) clock_monotonic_usec();
        link->pause_msec = pause_next(link->pause_msec, up_usec);
        beat(link);
        (void) poll(&(struct pollfd){ .fd = link->wake_fd, .events = POLLIN }, 1,
                    (int) pause_with_chance(link->pause_msec, chance));
        beat(link);
}

/* The same reason is told once, and by one link for all. */
static void tell_problem(Link *link, int error, const SessionProblem *problem)
{
        if (link->setup.index > 0 ||
            (problem->step == link->last_step && error == link->last_error))
                return;
        link->last_step = problem->step;
        link->last_error = error;
        (void) log_event(LOG_ERR, 0, NULL, MESSAGE_NONE, "The tunnel is down (%s): %s. %s",
                         session_step_to_string(problem->step), problem->text, problem->remedy);
}

static void *run(void *userdata)
{
        Link *link = userdata;

        while (!is_stopping(link)) {
                SessionProblem problem = { .step = SESSION_STEP_INVALID };
                uint64_t begin_usec;
                int r;

                beat(link);
                r = open_session(link, &problem);
                if (r < 0) {
                        set_state(link, LINK_DOWN, &problem);
                        tell_problem(link, r, &problem);
                        close_session(link);
                        pause_before_next(link, 0);
                        continue;
                }
                set_state(link, LINK_UP, NULL);
                link->last_step = SESSION_STEP_INVALID;
                begin_usec = clock_monotonic_usec();
                r = serve(link);
                set_state(link, LINK_DOWN, NULL);
                if (r < 0)
                        log_warning(r, "Link %u to the hub is lost: %s", link->setup.index,
                                    r == -ETIMEDOUT ? "the hub says nothing any more"
                                                    : strerror(-r));
                close_session(link);
                if (r < 0)
                        pause_before_next(link, clock_monotonic_usec() - begin_usec);
        }
        return NULL;
}

static char *memory_new(size_t size)
{
        void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        return p == MAP_FAILED ? NULL : p;
}

static Link *link_free(Link *link)
{
        if (!link)
                return NULL;
        if (link->buffers.up)
                (void) munmap(link->buffers.up, FLOW_UP_SIZE);
        if (link->buffers.down)
                (void) munmap(link->buffers.down, FLOW_WINDOW);
        if (link->wake_fd >= 0)
                (void) close(link->wake_fd);
        free(link->flows);
        free(link->fds);
        free(link);
        return NULL;
}
DEFINE_CLEANUP(Link *, link_free)

/* One that was started lives as long as the program. */
int link_new(const LinkSetup *setup, Link **ret_link)
{
        CLEANUP(link_free_p) Link *link = calloc(1, sizeof(Link));

        if (!link)
                return -ENOMEM;
        link->setup = *setup;
        link->last_step = SESSION_STEP_INVALID;
        link->arrivals_end = &link->arrivals;
        link->counts.beat_usec = clock_monotonic_usec();
        link->buffers = (FlowBuffers){ .up = memory_new(FLOW_UP_SIZE),
                                       .down = memory_new(FLOW_WINDOW),
                                       .hold_usec = setup->hold_usec };
        link->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (!link->buffers.up || !link->buffers.down || link->wake_fd < 0 || !make_room(link))
                return -ENOMEM;
        if (pthread_mutex_init(&link->lock, NULL) != 0 ||
            pthread_create(&link->thread, NULL, run, link) != 0)
                return -EAGAIN;
        *ret_link = TAKE(link);
        return 0;
}

void link_stop(Link *link)
{
        struct timespec end;

        (void) pthread_mutex_lock(&link->lock);
        link->is_stopping = true;
        (void) pthread_mutex_unlock(&link->lock);
        wake(link);
        (void) clock_gettime(CLOCK_REALTIME, &end);
        end.tv_sec += STOP_SEC;
        (void) pthread_timedjoin_np(link->thread, NULL, &end);
}
