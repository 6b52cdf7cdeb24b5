/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sessions (see session.h). The connection is made here and not by libssh, because it must end within a time, and because a
 * name, a refusal, a silence and a stranger's greeting are different things to whoever has to mend them.
 */
#include "ssh/session.h"

#include "cleanup.h"
#include "clock.h"
#include "parse.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum {
        BANNER_SIZE = 256,
        ADDRESS_SIZE = 64, /* of its text */
        /* Data that nobody acknowledges for so long end the connection: a link that was cut is noticed. */
        UNACKNOWLEDGED_MSEC = 20 * 1000,
};

static const char *const steps[SESSION_STEP_MAX] = {
        [SESSION_RESOLVE] = "resolve", [SESSION_CONNECT] = "connect",   [SESSION_BANNER] = "banner",
        [SESSION_KEYS] = "keys",       [SESSION_HOST_KEY] = "host-key", [SESSION_LOGIN] = "login",
        [SESSION_REVERSE] = "reverse", [SESSION_FORWARD] = "forward",
};

const char *session_step_to_string(SessionStep step)
{
        return step >= 0 && step < SESSION_STEP_MAX ? steps[step] : NULL;
}

static int problem_set(SessionProblem *problem, int error, SessionStep step, const char *remedy,
                       const char *format, ...) __attribute__((format(printf, 5, 6)));

static int problem_set(SessionProblem *problem, int error, SessionStep step, const char *remedy,
                       const char *format, ...)
{
        va_list ap;

        problem->step = step;
        va_start(ap, format);
        (void) vsnprintf(problem->text, sizeof(problem->text), format, ap);
        va_end(ap);
        (void) snprintf(problem->remedy, sizeof(problem->remedy), "%s", remedy);
        return error;
}

void session_key_text(ssh_key key, char ret_text[static SESSION_TEXT_SIZE])
{
        unsigned char *hash = NULL;
        char *text = NULL;
        size_t size;

        (void) snprintf(ret_text, SESSION_TEXT_SIZE, "unknown");
        if (ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash, &size) < 0)
                return;
        text = ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256, hash, size);
        if (text)
                (void) snprintf(ret_text, SESSION_TEXT_SIZE, "%s", text);
        ssh_string_free_char(text);
        ssh_clean_pubkey_hash(&hash);
}

/* ── The connection ── */

static int wait_for(int fd, short events, uint64_t deadline_usec)
{
        for (;;) {
                struct pollfd p = { .fd = fd, .events = events };
                uint64_t now = clock_monotonic_usec();
                int n;

                if (now >= deadline_usec)
                        return -ETIMEDOUT;
                n = poll(&p, 1, (int) ((deadline_usec - now) / USEC_PER_MSEC) + 1);
                if (n > 0)
                        return 0;
                if (n < 0 && errno != EINTR)
                        return -errno;
        }
}

static uint64_t step_deadline(void)
{
        return clock_monotonic_usec() + SESSION_STEP_SEC * USEC_PER_SEC;
}

static int connect_one(const struct addrinfo *address, int *ret_fd)
{
        static const int one = 1, unacknowledged = UNACKNOWLEDGED_MSEC;
        _cleanup_close_ int fd = -1;
        socklen_t size = sizeof(int);
        int error = 0, r;

        fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        if (connect(fd, address->ai_addr, address->ai_addrlen) < 0 && errno != EINPROGRESS)
                return -errno;
        r = wait_for(fd, POLLOUT, step_deadline());
        if (r < 0)
                return r;
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
                return -errno;
        if (error != 0)
                return -error;
        if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0 ||
            setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one)) < 0 ||
            setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged, sizeof(unacknowledged)) <
                            0)
                return -errno;
        *ret_fd = take_fd(&fd);
        return 0;
}

typedef struct ConnectRemedy {
        const char *text;
        int errors[3];
} ConnectRemedy;

/* The one that tells most about the hub stands first. */
static const ConnectRemedy connect_remedies[] = {
        { "nothing listens there: does sendense-sshd.service run at the hub, and is [Tunnel] "
          "SshPort= the same at both ends?",
          { ECONNREFUSED, ECONNRESET } },
        { "a firewall, or no route: this machine must be let out to that address and TCP port",
          { ETIMEDOUT, EHOSTUNREACH, ENETUNREACH } },
        { "this machine itself forbids it, by its packet filter or a route: nft list ruleset; ip "
          "route get ADDRESS",
          { EACCES, EPERM } },
        { "no way leads there from this machine: a route that throws it away, or an address like "
          "fe80::1 without its interface (fe80::1%eth0)",
          { EINVAL } },
        { "the network of this machine is down, or it has no address of that kind: ip address",
          { ENETDOWN, EADDRNOTAVAIL, EAFNOSUPPORT } },
        { "this machine cannot make connections now: its journal may say why", {} },
};

static size_t connect_remedy(int error)
{
        for (size_t i = 0; i < ELEMENTSOF(connect_remedies); i++)
                for (size_t j = 0; j < ELEMENTSOF(connect_remedies[i].errors); j++)
                        if (error != 0 && connect_remedies[i].errors[j] == -error)
                                return i;
        return ELEMENTSOF(connect_remedies) - 1;
}

/* One that failed is told with those before it; the remedy is for the one that tells most. */
static void connect_failed(const SessionPlace *place, const char *address, int error,
                           size_t *remedy, SessionProblem *problem)
{
        size_t n = strlen(problem->text);

        if (n > 0) {
                (void) snprintf(problem->text + n, sizeof(problem->text) - n, "; ");
                n = strlen(problem->text);
        }
        (void) snprintf(problem->text + n, sizeof(problem->text) - n, "%s (%s) port %u: %s",
                        place->host, address, place->port,
                        error == -ETIMEDOUT ? "no answer within 10 s" : strerror(-error));
        if (connect_remedy(error) < *remedy)
                *remedy = connect_remedy(error);
}

/* The first that answers. */
static int connect_any(const SessionPlace *place, const struct addrinfo *all,
                       char ret_address[static ADDRESS_SIZE], int *ret_fd, SessionProblem *problem)
{
        size_t remedy = ELEMENTSOF(connect_remedies) - 1;
        SessionProblem failed = { .step = SESSION_CONNECT };
        int r = -EADDRNOTAVAIL;

        for (const struct addrinfo *a = all; a && r < 0; a = a->ai_next) {
                ret_address[0] = '\0';
                (void) getnameinfo(a->ai_addr, a->ai_addrlen, ret_address, ADDRESS_SIZE, NULL, 0,
                                   NI_NUMERICHOST);
                r = connect_one(a, ret_fd);
                if (r < 0)
                        connect_failed(place, ret_address, r, &remedy, &failed);
        }
        if (r >= 0)
                return 0;
        (void) snprintf(failed.remedy, sizeof(failed.remedy), "%s", connect_remedies[remedy].text);
        *problem = failed;
        return r;
}

static int connect_hub(const SessionPlace *place, SessionTold told, void *userdata, int *ret_fd,
                       SessionProblem *problem)
{
        struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG }, *all;
        char port[8], text[SESSION_TEXT_SIZE], address[ADDRESS_SIZE] = "";
        int r;

        (void) snprintf(port, sizeof(port), "%u", place->port);
        r = getaddrinfo(place->host, port, &hints, &all);
        if (r != 0)
                return problem_set(problem, -EADDRNOTAVAIL, SESSION_RESOLVE,
                                   "[Tunnel] Hub= of node.conf must be the hub's name or address; "
                                   "does this machine's DNS know it?",
                                   "the name %s: %s", place->host, gai_strerror(r));
        r = connect_any(place, all, address, ret_fd, problem);
        freeaddrinfo(all);
        if (r < 0)
                return r;
        (void) snprintf(text, sizeof(text), "%s is %s", place->host, address);
        if (told) {
                told(SESSION_RESOLVE, text, userdata);
                (void) snprintf(text, sizeof(text), "%s port %u", address, place->port);
                told(SESSION_CONNECT, text, userdata);
        }
        return 0;
}

/* The first line of whoever answers; it stays in the socket for libssh. */
static int look_at_banner(const SessionPlace *place, int fd, char ret_banner[static BANNER_SIZE],
                          SessionProblem *problem)
{
        static const char other[] =
                        "another service has this port: choose another [Tunnel] SshPort= at "
                        "hub and node";
        uint64_t deadline = step_deadline();
        ssize_t n = 0;

        for (;;) {
                ssize_t seen = n;
                int r = wait_for(fd, POLLIN, deadline);

                if (r < 0)
                        return problem_set(problem, r, SESSION_BANNER, other,
                                           "%s port %u takes the connection and says nothing for "
                                           "10 s",
                                           place->host, place->port);
                n = recv(fd, ret_banner, BANNER_SIZE - 1, MSG_PEEK);
                if (n <= 0)
                        return problem_set(
                                        problem, n < 0 ? -errno : -ECONNRESET, SESSION_BANNER,
                                        "sshd at the hub turns this machine away: see journalctl "
                                        "-u sendense-sshd there (MaxStartups, a full disk)",
                                        "%s port %u closes the connection at once", place->host,
                                        place->port);
                ret_banner[n] = '\0';
                if (strchr(ret_banner, '\n') || n == BANNER_SIZE - 1 ||
                    (n >= 4 && strncmp(ret_banner, "SSH-", 4) != 0))
                        break;
                /* Peeked bytes stay readable, so poll() would not wait for more. */
                if (n == seen)
                        (void) poll(NULL, 0, 10);
        }
        for (char *c = ret_banner; *c; c++)
                if (*c < ' ' || *c > '~')
                        *c = '\0';
        if (strncmp(ret_banner, "SSH-2.0-", 8) != 0)
                return problem_set(problem, -EPROTO, SESSION_BANNER, other,
                                   "%s port %u is no SSH server: it says '%.80s'", place->host,
                                   place->port, ret_banner);
        return 0;
}

/* ── SSH ── */

static int set_options(ssh_session session, const SessionPlace *place, int fd)
{
        static const char ciphers[] = "aes128-gcm@openssh.com,aes256-gcm@openssh.com,"
                                      "chacha20-poly1305@openssh.com";
        const char *key_type = ssh_key_type_to_char(ssh_key_type(place->hub_key));
        unsigned port = place->port;
        long timeout = SESSION_STEP_SEC;
        bool no = false;

        return ssh_options_set(session, SSH_OPTIONS_PROCESS_CONFIG, &no) < 0 ||
                                               ssh_options_set(session, SSH_OPTIONS_HOST,
                                                               place->host) < 0 ||
                                               ssh_options_set(session, SSH_OPTIONS_PORT, &port) <
                                                               0 ||
                                               ssh_options_set(session, SSH_OPTIONS_USER,
                                                               place->user) < 0 ||
                                               ssh_options_set(session, SSH_OPTIONS_TIMEOUT,
                                                               &timeout) < 0 ||
                                               ssh_options_set(session, SSH_OPTIONS_CIPHERS_C_S,
                                                               ciphers) < 0 ||
                                               ssh_options_set(session, SSH_OPTIONS_CIPHERS_S_C,
                                                               ciphers) < 0 ||
                                               ssh_options_set(session, SSH_OPTIONS_COMPRESSION,
                                                               "no") < 0 ||
                                               ssh_options_set(session, SSH_OPTIONS_HOSTKEYS,
                                                               key_type) < 0 ||
                                               ssh_options_set(session, SSH_OPTIONS_FD, &fd) < 0
                               ? -EINVAL
                               : 0;
}

static int check_host_key(ssh_session session, const SessionPlace *place, SessionTold told,
                          void *userdata, SessionProblem *problem)
{
        char shown[SESSION_TEXT_SIZE] = "none", pinned[SESSION_TEXT_SIZE];
        ssh_key key = NULL;
        bool is_same;

        is_same = ssh_get_server_publickey(session, &key) == SSH_OK &&
                  ssh_key_cmp(key, place->hub_key, SSH_KEY_CMP_PUBLIC) == 0;
        if (key)
                session_key_text(key, shown);
        ssh_key_free(key);
        session_key_text(place->hub_key, pinned);
        if (!is_same)
                return problem_set(
                                problem, -EKEYREJECTED, SESSION_HOST_KEY,
                                "was the hub installed anew? Then enrol this node again; if not, "
                                "somebody stands between",
                                "%s shows the key %.60s, and %.60s is pinned", place->host, shown,
                                pinned);
        if (told)
                told(SESSION_HOST_KEY, pinned, userdata);
        return 0;
}

static int login(ssh_session session, const SessionPlace *place, SessionProblem *problem)
{
        char own[SESSION_TEXT_SIZE];
        int r = ssh_userauth_publickey(session, NULL, place->own_key);

        if (r == SSH_AUTH_SUCCESS)
                return 0;
        /* Asked again: nothing came in time. */
        if (r == SSH_AUTH_ERROR || r == SSH_AUTH_AGAIN)
                return problem_set(problem, r == SSH_AUTH_AGAIN ? -ETIMEDOUT : -ECONNRESET,
                                   SESSION_LOGIN,
                                   "try again; if it stays, journalctl -u sendense-sshd at the hub "
                                   "says why",
                                   "%s port %u breaks off in the middle of the login: %.200s",
                                   place->host, place->port,
                                   r == SSH_AUTH_AGAIN ? "no answer within 10 s"
                                                       : ssh_get_error(session));
        session_key_text(place->own_key, own);
        return problem_set(problem, -EACCES, SESSION_LOGIN,
                           "is this node enrolled at that hub, and was it not removed there? "
                           "(journalctl -u sendense-sshd at the hub)",
                           "the hub does not accept this node's key %.60s for the user %s", own,
                           place->user);
}

static void tell(SessionTold told, SessionStep step, const char *text, void *userdata)
{
        if (told)
                told(step, text, userdata);
}

static int open_ssh(const SessionPlace *place, int *fd, SessionTold told, void *userdata,
                    ssh_session session, SessionProblem *problem)
{
        char text[SESSION_TEXT_SIZE];
        int r;

        if (set_options(session, place, *fd) < 0)
                return problem_set(problem, -EINVAL, SESSION_KEYS, "this is a bug",
                                   "libssh: %.200s", ssh_get_error(session));
        (void) take_fd(fd); /* the session closes it */
        if (ssh_connect(session) != SSH_OK)
                return problem_set(problem, -EPROTO, SESSION_KEYS,
                                   "hub and node find no common way: were both updated?",
                                   "%s port %u: %.200s", place->host, place->port,
                                   ssh_get_error(session));
        (void) snprintf(text, sizeof(text), "%s with %s", ssh_get_kex_algo(session) ?: "?",
                        ssh_get_cipher_out(session) ?: "?");
        tell(told, SESSION_KEYS, text, userdata);
        r = check_host_key(session, place, told, userdata, problem);
        if (r >= 0)
                r = login(session, place, problem);
        if (r < 0)
                return r;
        session_key_text(place->own_key, text);
        tell(told, SESSION_LOGIN, text, userdata);
        return 0;
}

int session_open(const SessionPlace *place, SessionTold told, void *userdata,
                 ssh_session *ret_session, SessionProblem *problem)
{
        _cleanup_close_ int fd = -1;
        char banner[BANNER_SIZE];
        ssh_session session;
        int r;

        r = connect_hub(place, told, userdata, &fd, problem);
        if (r >= 0)
                r = look_at_banner(place, fd, banner, problem);
        if (r < 0)
                return r;
        tell(told, SESSION_BANNER, banner, userdata);
        session = ssh_new();
        if (!session)
                return problem_set(problem, -ENOMEM, SESSION_KEYS, "", "out of memory");
        r = open_ssh(place, &fd, told, userdata, session, problem);
        if (r < 0)
                session_close(session);
        else
                *ret_session = session;
        return r;
}

void session_close(ssh_session session)
{
        if (ssh_is_connected(session))
                ssh_disconnect(session);
        ssh_free(session);
}

int session_listen(ssh_session session, uint16_t port, SessionProblem *problem)
{
        if (ssh_channel_listen_forward(session, "127.0.0.1", port, NULL) == SSH_OK)
                return 0;
        return problem_set(problem, -EADDRINUSE, SESSION_REVERSE,
                           "another program or an earlier connection of this node has that port "
                           "(it is "
                           "let go within 30 s), or it is another node's: sendensectl node list at "
                           "the "
                           "hub; ss -ltnp there",
                           "the hub does not let this node listen on its 127.0.0.1:%u", port);
}

int session_try(ssh_session session, uint16_t port, SessionProblem *problem)
{
        ssh_channel channel = ssh_channel_new(session);
        const char *why;
        bool is_answer;
        int r;

        if (!channel)
                return problem_set(problem, -ENOMEM, SESSION_FORWARD, "", "out of memory");
        r = ssh_channel_open_forward(channel, "127.0.0.1", port, "127.0.0.1", 0);
        why = ssh_get_error(session);
        /* RFC 4254, 5.1: "(2)" is allowed, and nothing listens there now; "(1)" is forbidden. */
        is_answer = r == SSH_ERROR && ssh_is_connected(session);
        if (r == SSH_AGAIN) /* the error is that of another port */
                why = "no answer";
        if (r == SSH_OK || (is_answer && strstr(why, "error (2)")))
                r = 0;
        else if (is_answer && strstr(why, "error (1)"))
                r = 1;
        else
                r = problem_set(problem, -EPROTO, SESSION_FORWARD,
                                "the session broke, or sshd at the hub is short of something: see "
                                "journalctl -u sendense-sshd there",
                                "the hub does not say whether we may connect to its 127.0.0.1:%u "
                                "(%.160s)",
                                port, why);
        ssh_channel_free(channel);
        return r;
}

int session_forbids(const char *ports, unsigned n, unsigned n_all, SessionProblem *problem)
{
        return problem_set(problem, -EPERM, SESSION_FORWARD,
                           "[Tunnel] Ports= of node.conf must be within [Exports] Ports= of the "
                           "hub's hub.conf; sendense-sshd reads it when it starts",
                           "the hub forbids connections to its 127.0.0.1:%.160s (%u of %u ports)",
                           ports, n, n_all);
}
