/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Requests under way (see http-pool.h), by libcurl's multi interface.
 */
#include "http-pool.h"

#include "clock.h"
#include "parse.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

enum {
        EVENTS_MAX = 32,
        ROUNDS_MAX = 16, /* of timers that are due at once */
};

struct HttpPool {
        CURLM *multi;
        int epoll_fd;
        uint64_t deadline_usec;
};

/* curl tells what it waits for. A descriptor that it closed is out of the epoll by itself. */
static int on_socket(CURL *curl, curl_socket_t fd, int what, void *userdata, void *known)
{
        HttpPool *pool = userdata;
        struct epoll_event event = { .data.fd = fd };

        (void) curl;
        (void) known;
        if (what == CURL_POLL_REMOVE) {
                (void) epoll_ctl(pool->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
                return 0;
        }
        if (what & CURL_POLL_IN)
                event.events |= EPOLLIN;
        if (what & CURL_POLL_OUT)
                event.events |= EPOLLOUT;
        if (epoll_ctl(pool->epoll_fd, EPOLL_CTL_MOD, fd, &event) < 0 &&
            epoll_ctl(pool->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
                return -1;
        return 0;
}

static int on_timer(CURLM *multi, long msec, void *userdata)
{
        HttpPool *pool = userdata;

        (void) multi;
        pool->deadline_usec = msec < 0 ? UINT64_MAX
                                       : clock_monotonic_usec() + (uint64_t) msec * USEC_PER_MSEC;
        return 0;
}

int http_pool_new(unsigned n_connections, HttpPool **ret_pool)
{
        CLEANUP(http_pool_free_p) HttpPool *pool = malloc(sizeof(*pool));

        if (!pool)
                return -ENOMEM;
        *pool = (HttpPool){
                .multi = curl_multi_init(),
                .epoll_fd = epoll_create1(EPOLL_CLOEXEC),
                .deadline_usec = UINT64_MAX,
        };
        if (!pool->multi)
                return -ENOMEM;
        if (pool->epoll_fd < 0)
                return -errno;
        (void) curl_multi_setopt(pool->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
        (void) curl_multi_setopt(pool->multi, CURLMOPT_SOCKETDATA, pool);
        (void) curl_multi_setopt(pool->multi, CURLMOPT_TIMERFUNCTION, on_timer);
        (void) curl_multi_setopt(pool->multi, CURLMOPT_TIMERDATA, pool);
        (void) curl_multi_setopt(pool->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long) n_connections);
        (void) curl_multi_setopt(pool->multi, CURLMOPT_MAXCONNECTS, (long) n_connections);
        *ret_pool = TAKE(pool);
        return 0;
}

HttpPool *http_pool_free(HttpPool *pool)
{
        if (!pool)
                return NULL;
        if (pool->multi)
                (void) curl_multi_cleanup(pool->multi);
        cleanup_close_p(&pool->epoll_fd);
        free(pool);
        return NULL;
}

int http_pool_add(HttpPool *pool, HttpRequest *request)
{
        return curl_multi_add_handle(pool->multi, request->curl) == CURLM_OK ? 0 : -EIO;
}

void http_pool_remove(HttpPool *pool, HttpRequest *request)
{
        (void) curl_multi_remove_handle(pool->multi, request->curl);
}

int http_pool_fd(const HttpPool *pool)
{
        return pool->epoll_fd;
}

uint64_t http_pool_deadline(const HttpPool *pool)
{
        return pool->deadline_usec;
}

static void work_socket(HttpPool *pool, const struct epoll_event *event)
{
        int events = 0, n_running;

        if (event->events & (EPOLLIN | EPOLLHUP))
                events |= CURL_CSELECT_IN;
        if (event->events & EPOLLOUT)
                events |= CURL_CSELECT_OUT;
        if (event->events & EPOLLERR)
                events |= CURL_CSELECT_ERR;
        (void) curl_multi_socket_action(pool->multi, event->data.fd, events, &n_running);
}

void http_pool_work(HttpPool *pool)
{
        struct epoll_event events[EVENTS_MAX];
        int n = epoll_wait(pool->epoll_fd, events, EVENTS_MAX, 0), n_running;

        for (int i = 0; i < n; i++)
                work_socket(pool, events + i);
        for (int i = 0; i < ROUNDS_MAX && pool->deadline_usec <= clock_monotonic_usec(); i++) {
                pool->deadline_usec = UINT64_MAX;
                (void) curl_multi_socket_action(pool->multi, CURL_SOCKET_TIMEOUT, 0, &n_running);
        }
}

HttpRequest *http_pool_next(HttpPool *pool, CURLcode *ret_code)
{
        CURLMsg *message;
        int n_left;

        while ((message = curl_multi_info_read(pool->multi, &n_left))) {
                CURLcode code = message->data.result;
                HttpRequest *request = NULL;

                if (message->msg != CURLMSG_DONE)
                        continue;
                (void) curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &request);
                (void) curl_multi_remove_handle(pool->multi, message->easy_handle);
                *ret_code = code;
                return request;
        }
        return NULL;
}
