/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The socket of credentials (see credentials.h). A password fits into the socket's buffer, so nothing waits here.
 */
#include "credentials.h"

#include "cleanup.h"
#include "log.h"
#include "names.h"
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

enum {
        ACCEPT_ROUND_MAX = 16,
        ACCEPT_PAUSE_USEC = 1000 * 1000,
};

struct Credentials {
        int fd;
        sd_event_source *source, *pause;
        CredentialsFind find;
        void *userdata;
};

int credentials_read_address(const char *path, size_t size, char *ret_unit, size_t unit_size,
                             char *ret_credential, size_t credential_size)
{
        static const char mark[] = "/unit/";
        char text[sizeof(((struct sockaddr_un *) NULL)->sun_path) + 1];
        const char *unit, *slash;
        size_t n;

        if (size < 2 || size > sizeof(text) || path[0] != '\0')
                return -EINVAL;
        size--;
        if (memchr(path + 1, '\0', size))
                return -EINVAL;
        memcpy(text, path + 1, size);
        text[size] = '\0';
        unit = strstr(text, mark);
        if (!unit)
                return -EINVAL;
        unit += strlen(mark);
        slash = strchr(unit, '/');
        n = slash ? (size_t) (slash - unit) : 0;
        if (n == 0 || n >= unit_size || !slash[1] || strchr(slash + 1, '/') ||
            strlen(slash + 1) >= credential_size)
                return -EINVAL;
        memcpy(ret_unit, unit, n);
        ret_unit[n] = '\0';
        memcpy(ret_credential, slash + 1, strlen(slash + 1) + 1);
        return 0;
}

/* The unit and the credential that PID 1 asks for. */
static int read_peer(int fd, char unit[static UNIT_NAME_SIZE], char credential[static 64])
{
        struct sockaddr_un address = {};
        socklen_t size = sizeof(address);
        struct ucred peer = { .uid = (uid_t) -1 };
        socklen_t peer_size = sizeof(peer);

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_size) < 0)
                return -errno;
        if (peer.uid != 0)
                return -EPERM;
        if (getpeername(fd, (struct sockaddr *) &address, &size) < 0)
                return -errno;
        if (size <= offsetof(struct sockaddr_un, sun_path))
                return -EINVAL;
        return credentials_read_address(address.sun_path,
                                        size - offsetof(struct sockaddr_un, sun_path), unit,
                                        UNIT_NAME_SIZE, credential, 64);
}

static void answer(Credentials *credentials, int fd)
{
        char unit[UNIT_NAME_SIZE], credential[64];
        const Secret *secret;
        int r = read_peer(fd, unit, credential);

        if (r < 0) {
                (void) log_warning(
                                r,
                                "Somebody asked for a credential who is not systemd, refused: %m");
                return;
        }
        secret = credentials->find(unit, credential, credentials->userdata);
        if (!secret)
                (void) log_warning(0, "%s asked for the credential '%s', which it may not have now",
                                   unit, credential);
        else if (send(fd, secret_data(secret), secret_size(secret), MSG_NOSIGNAL | MSG_DONTWAIT) !=
                 (ssize_t) secret_size(secret))
                (void) log_error(-errno, "%s did not get its credential: %m", unit);
}

static int on_pause_over(sd_event_source *source, uint64_t usec, void *userdata)
{
        Credentials *credentials = userdata;

        (void) source;
        (void) usec;
        credentials->pause = sd_event_source_disable_unref(credentials->pause);
        return sd_event_source_set_enabled(credentials->source, SD_EVENT_ON);
}

/* The question stays in the queue, and so would wake the loop again at once. systemd waits for some seconds. */
static void pause_accept(Credentials *credentials)
{
        if (sd_event_add_time_relative(sd_event_source_get_event(credentials->source),
                                       &credentials->pause, CLOCK_MONOTONIC, ACCEPT_PAUSE_USEC, 0,
                                       on_pause_over, credentials) >= 0)
                (void) sd_event_source_set_enabled(credentials->source, SD_EVENT_OFF);
}

static int on_connection(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        Credentials *credentials = userdata;

        (void) source;
        (void) events;
        for (int i = 0; i < ACCEPT_ROUND_MAX; i++) {
                _cleanup_close_ int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

                if (peer < 0) {
                        if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR)
                                break;
                        (void) log_error(-errno,
                                         "Cannot take a question for a credential, trying again "
                                         "in a second: %m");
                        pause_accept(credentials);
                        break;
                }
                answer(credentials, peer);
        }
        return 0;
}

int credentials_new(sd_event *event, int listen_fd, CredentialsFind find, void *userdata,
                    Credentials **ret_credentials)
{
        Credentials *credentials = malloc(sizeof(*credentials));
        int r;

        if (!credentials) {
                close(listen_fd);
                return -ENOMEM;
        }
        *credentials = (Credentials){ .fd = listen_fd, .find = find, .userdata = userdata };
        r = fcntl(listen_fd, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
        if (r >= 0)
                r = sd_event_add_io(event, &credentials->source, listen_fd, EPOLLIN, on_connection,
                                    credentials);
        if (r < 0) {
                credentials_free(credentials);
                return r;
        }
        *ret_credentials = credentials;
        return 0;
}

Credentials *credentials_free(Credentials *credentials)
{
        if (!credentials)
                return NULL;
        sd_event_source_disable_unref(credentials->pause);
        sd_event_source_disable_unref(credentials->source);
        close(credentials->fd);
        free(credentials);
        return NULL;
}
