/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The progress socket of a daemon (see progress-socket.h). The kernel vouches for the sender's process
 * (SO_PASSCRED), its control group for the unit.
 */
#include "unit/progress-socket.h"

#include "parse.h"
#include "progress.h"
#include "unit/progress-sender.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

enum {
        /* One dispatch may not keep the bus waiting, and all together not the machine: at most 3200 datagrams
         * per second are looked at, which is 1600 disks at the rate that copies keep to. */
        DATAGRAMS_PER_DISPATCH = 64,
        DISPATCHES_PER_SEC = 50,
};

struct ProgressSocket {
        sd_event_source *source;
        struct sockaddr_un address;
        int fd;
        UnitSide side; /* whose processes are believed */
        bool is_bound;
        ProgressHandler handler;
        void *userdata;
        const char *root;
        ProgressCounts counts;
};

/* The buffer for control data holds the credentials alone, so that the kernel drops the descriptors that
 * a stranger sends along. */
typedef union CredentialsBuffer {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(struct ucred))];
} CredentialsBuffer;

static pid_t sender_pid(struct msghdr *message)
{
        struct ucred credentials;

        for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
                if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS ||
                    c->cmsg_len != CMSG_LEN(sizeof(credentials)))
                        continue;
                memcpy(&credentials, CMSG_DATA(c), sizeof(credentials));
                return credentials.pid;
        }
        return 0;
}

static void take_datagram(ProgressSocket *s, const char *data, size_t size, pid_t pid)
{
        Progress progress;

        if (pid <= 0 || progress_parse(data, size, &progress) < 0)
                s->counts.n_malformed++;
        else if (!progress_sender_is_copy(s->root, s->side, progress.job, pid))
                s->counts.n_foreign++;
        else {
                s->counts.n_taken++;
                s->handler(progress.job, progress.disk_key, progress.bytes_done,
                           progress.bytes_total, s->userdata);
        }
}

/* 1: there was one; 0: none is waiting. */
static int receive_datagram(ProgressSocket *s)
{
        char data[PROGRESS_SIZE_MAX + 1]; /* one byte more, to see that it is too long */
        CredentialsBuffer control = {};
        struct iovec part = { .iov_base = data, .iov_len = sizeof(data) };
        struct msghdr message = {
                .msg_iov = &part,
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = sizeof(control),
        };
        ssize_t n;

        n = recvmsg(s->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n < 0)
                return -errno;
        take_datagram(s, data, (size_t) n, sender_pid(&message));
        return 1;
}

static int on_datagrams(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        ProgressSocket *s = userdata;
        int r = 1;

        (void) source;
        (void) fd;
        (void) events;
        for (int i = 0; i < DATAGRAMS_PER_DISPATCH && r > 0; i++)
                r = receive_datagram(s);
        /* A negative answer would end the source for good; a datagram less is no reason for it. */
        return 0;
}

static int bind_socket(ProgressSocket *s)
{
        static const int yes = 1;

        s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (s->fd < 0 || setsockopt(s->fd, SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes)) < 0)
                return -errno;
        if (unlink(s->address.sun_path) < 0 && errno != ENOENT)
                return -errno;
        if (bind(s->fd, (const struct sockaddr *) &s->address, sizeof(s->address)) < 0)
                return -errno;
        s->is_bound = true;
        /* After bind(), which obeys the umask. */
        return chmod(s->address.sun_path, 0666) < 0 ? -errno : 0;
}

static int add_source(ProgressSocket *s, sd_event *event)
{
        int r;

        r = sd_event_add_io(event, &s->source, s->fd, EPOLLIN, on_datagrams, s);
        if (r >= 0)
                r = sd_event_source_set_priority(s->source, SD_EVENT_PRIORITY_IDLE);
        if (r >= 0)
                r = sd_event_source_set_ratelimit(s->source, USEC_PER_SEC, DISPATCHES_PER_SEC);
        if (r >= 0)
                r = sd_event_source_set_description(s->source, "progress");
        return r < 0 ? r : 0;
}

int progress_socket_new(sd_event *event, const char *path, UnitSide side, ProgressHandler handler,
                        void *userdata, ProgressSocket **ret_socket)
{
        CLEANUP(progress_socket_free_p) ProgressSocket *s = NULL;
        int r;

        if (*path != '/')
                return -EINVAL;
        s = malloc(sizeof(*s));
        if (!s)
                return -ENOMEM;
        *s = (ProgressSocket){
                .fd = -1,
                .side = side,
                .address.sun_family = AF_UNIX,
                .handler = handler,
                .userdata = userdata,
                .root = progress_sender_root(),
        };
        if (strlen(path) >= sizeof(s->address.sun_path))
                return -ENAMETOOLONG;
        memcpy(s->address.sun_path, path, strlen(path) + 1);

        r = bind_socket(s);
        if (r >= 0)
                r = add_source(s, event);
        if (r < 0)
                return r;
        *ret_socket = TAKE(s);
        return 0;
}

ProgressSocket *progress_socket_free(ProgressSocket *s)
{
        if (!s)
                return NULL;
        (void) sd_event_source_disable_unref(s->source);
        cleanup_close_p(&s->fd);
        if (s->is_bound)
                (void) unlink(s->address.sun_path);
        free(s);
        return NULL;
}

ProgressCounts progress_socket_counts(const ProgressSocket *s)
{
        return s->counts;
}

void progress_socket_set_root(ProgressSocket *s, const char *root)
{
        s->root = root;
}
