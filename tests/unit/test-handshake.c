/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * busd/hub/unit/handshake against a real qemu-nbd and against peers that are none: one that never answers,
 * one that closes, one that stops in the middle and one that talks garbage.
 */
#include "unit.h"

#include "cleanup.h"
#include "handshake.h"
#include "text.h"
#include "tls-psk.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

enum { LONG_USEC = 30 * 1000 * 1000, SHORT_USEC = 100 * 1000 };

/* How one handshake ended. */
typedef struct Outcome {
        sd_event *event;
        Handshake *handshake;
        unsigned n_told;
        int error;
        char text[512], description[512];
        uint64_t size_bytes;
} Outcome;

static void on_done(int error, const char *text, uint64_t size_bytes, const char *description,
                    void *userdata)
{
        Outcome *o = userdata;

        o->n_told++;
        o->error = error;
        o->size_bytes = size_bytes;
        (void) snprintf(o->text, sizeof(o->text), "%s", text ?: "");
        (void) snprintf(o->description, sizeof(o->description), "%s", description ?: "");
        o->handshake = handshake_free(o->handshake);
        (void) sd_event_exit(o->event, 0);
}

/* A listener on a port of loopback that nobody else has. */
static int listener(uint16_t *ret_port)
{
        struct sockaddr_in at = {
                .sin_family = AF_INET,
                .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
        };
        socklen_t size = sizeof(at);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        assert_int_equal(bind(fd, (struct sockaddr *) &at, size), 0);
        assert_int_equal(listen(fd, 8), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *) &at, &size), 0);
        *ret_port = ntohs(at.sin_port);
        return fd;
}

/* What a peer that is no server says to whoever connects. */
typedef struct Peer {
        const char *words;
        size_t n_words;
        bool stays;
        int client;
} Peer;

static int on_client(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Peer *peer = userdata;

        (void) source, (void) revents;
        peer->client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        assert_true(peer->client >= 0);
        if (peer->n_words > 0)
                assert_int_equal(send(peer->client, peer->words, peer->n_words, MSG_NOSIGNAL),
                                 peer->n_words);
        if (!peer->stays) {
                (void) close(peer->client);
                peer->client = -1;
        }
        return 0;
}

static void shake_as(const HandshakeRequest *request, Outcome *o, int fd, Peer *peer)
{
        *o = (Outcome){};
        assert_true(sd_event_new(&o->event) >= 0);
        if (peer)
                assert_true(sd_event_add_io(o->event, NULL, fd, EPOLLIN, on_client, peer) >= 0);
        assert_int_equal(handshake_start(o->event, request, on_done, o, &o->handshake), 0);
        assert_int_equal(o->n_told, 0);
        assert_true(sd_event_loop(o->event) >= 0);
        assert_int_equal(o->n_told, 1);
        if (peer && peer->client >= 0)
                (void) close(peer->client);
        sd_event_unref(o->event);
}

static void shake(Outcome *o, int fd, Peer *peer, uint16_t port, const char *name, uint64_t usec)
{
        const HandshakeRequest request = { .port = port,
                                           .export_name = name,
                                           .timeout_usec = usec };

        shake_as(&request, o, fd, peer);
}

static void expect_error(const char *words, size_t n_words, bool stays, uint64_t usec, int error)
{
        Peer peer = { words, n_words, stays, -1 };
        _cleanup_close_ int fd = -1;
        uint16_t port;
        Outcome o;

        fd = listener(&port);
        shake(&o, fd, &peer, port, "any", usec);
        if (o.error != error)
                fail_msg("%s (%s) instead of %s", strerrorname_np(-o.error), o.text,
                         strerrorname_np(-error));
        assert_non_null(strstr(o.text, "127.0.0.1:"));
}

static void no_servers(void **state)
{
        static const char half[] = "NBDMAGIC";
        static const char http[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
        static const char zeroes[4096];

        (void) state;
        expect_error(NULL, 0, true, SHORT_USEC, -ETIMEDOUT);
        expect_error(half, strlen(half), true, SHORT_USEC, -ETIMEDOUT);
        expect_error(NULL, 0, false, LONG_USEC, -ECONNRESET);
        expect_error(half, strlen(half), false, LONG_USEC, -ECONNRESET);
        expect_error(http, strlen(http), true, LONG_USEC, -EPROTO);
        expect_error(zeroes, sizeof(zeroes), true, LONG_USEC, -EPROTO);
}

static void nobody_accepts(void **state)
{
        _cleanup_close_ int fd = -1;
        uint16_t port;
        Outcome o;

        (void) state;
        fd = listener(&port);
        shake(&o, fd, NULL, port, "any", SHORT_USEC);
        assert_int_equal(o.error, -ETIMEDOUT);
        (void) close(take_fd(&fd));
        shake(&o, -1, NULL, port, "any", LONG_USEC);
        assert_int_equal(o.error, -ECONNREFUSED);
}

static void given_up(void **state)
{
        HandshakeRequest request = { .export_name = "any", .timeout_usec = SHORT_USEC };
        _cleanup_close_ int fd = -1;
        Outcome o = {};

        (void) state;
        assert_true(sd_event_new(&o.event) >= 0);
        fd = listener(&request.port);
        assert_int_equal(handshake_start(o.event, &request, on_done, &o, &o.handshake), 0);
        o.handshake = handshake_free(o.handshake);
        assert_null(handshake_free(NULL));
        while (sd_event_run(o.event, UINT64_C(2) * SHORT_USEC) > 0)
                ;
        assert_int_equal(o.n_told, 0);
        sd_event_unref(o.event);
}

static void bad_requests(void **state)
{
        _cleanup_free_ char *name = unit_repeat('x', 5000);
        const HandshakeRequest request = { .port = 1,
                                           .export_name = name,
                                           .timeout_usec = LONG_USEC };
        Handshake *handshake = NULL;
        sd_event *event;

        (void) state;
        assert_true(sd_event_new(&event) >= 0);
        assert_int_equal(handshake_start(event, &request, on_done, NULL, &handshake), -EINVAL);
        assert_null(handshake);
        sd_event_unref(event);
}

/* qemu-nbd gets the listener as systemd hands it over, so that nobody has to wait for it. */
static pid_t serve(int fd, const char *image, const char *keys_folder)
{
        _cleanup_free_ char *object =
                        text_format("tls-creds-psk,id=tls,endpoint=server,dir=%s", keys_folder);
        const char *const argv[] = { "qemu-nbd",
                                     "-t",
                                     "--shared=10",
                                     "-x",
                                     keys_folder ? "disk" : "disk \xc3\xbc",
                                     "-D",
                                     "00112233445566778899aabbccddeeff",
                                     "-f",
                                     "raw",
                                     image,
                                     keys_folder ? "--tls-creds=tls" : NULL,
                                     "--object",
                                     object,
                                     NULL };
        pid_t pid = fork();
        char number[32];

        assert_true(pid >= 0);
        if (pid > 0)
                return pid;
        (void) snprintf(number, sizeof(number), "%i", getpid());
        (void) setenv("LISTEN_PID", number, 1);
        (void) setenv("LISTEN_FDS", "1", 1);
        if (dup2(fd, 3) == 3 && fcntl(3, F_SETFD, 0) == 0)
                (void) execvp("qemu-nbd", (char *const *) argv);
        _exit(127);
}

static void real_server(void **state)
{
        _cleanup_free_ char *folder = unit_folder(), *image = unit_path(folder, "image");
        _cleanup_close_ int fd = -1;
        int status = 0;
        uint16_t port;
        pid_t pid;
        Outcome o;

        (void) state;
        if (access("/usr/bin/qemu-nbd", X_OK) < 0)
                skip();
        unit_write(image, "", 0, 0600);
        assert_int_equal(truncate(image, 3 << 20), 0);
        fd = listener(&port);
        pid = serve(fd, image, NULL);
        for (int i = 0; i < 2; i++) {
                shake(&o, -1, NULL, port, "disk \xc3\xbc", LONG_USEC);
                assert_string_equal(o.text, "");
                assert_int_equal(o.error, 0);
                assert_true(o.size_bytes == 3 << 20);
                assert_string_equal(o.description, "00112233445566778899aabbccddeeff");
        }
        shake(&o, -1, NULL, port, "other", LONG_USEC);
        assert_int_equal(o.error, -ENOENT);

        assert_int_equal(kill(pid, SIGSTOP), 0);
        assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
        assert_true(WIFSTOPPED(status));
        shake(&o, -1, NULL, port, "disk \xc3\xbc", SHORT_USEC);
        assert_int_equal(o.error, -ETIMEDOUT);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
}

static int unix_listener(const char *path)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
        assert_true(fd >= 0);
        assert_int_equal(bind(fd, (struct sockaddr *) &address, sizeof(address)), 0);
        assert_int_equal(listen(fd, 10), 0);
        return fd;
}

static void unix_server(void **state)
{
        _cleanup_free_ char *folder = unit_folder(), *image = unit_path(folder, "image");
        _cleanup_free_ char *path = unit_path(folder, "s"), *longest = unit_repeat('x', 108);
        HandshakeRequest request = { .socket_path = path,
                                     .export_name = "disk \xc3\xbc",
                                     .timeout_usec = LONG_USEC };
        Handshake *handshake = NULL;
        _cleanup_close_ int fd = -1;
        pid_t pid;
        Outcome o;

        (void) state;
        shake_as(&request, &o, -1, NULL);
        assert_int_equal(o.error, -ECONNREFUSED);
        assert_non_null(strstr(o.text, path));
        fd = unix_listener(path);
        request.timeout_usec = SHORT_USEC;
        shake_as(&request, &o, fd, NULL);
        assert_int_equal(o.error, -ETIMEDOUT);
        request.timeout_usec = LONG_USEC;
        (void) close(take_fd(&fd));
        shake_as(&request, &o, -1, NULL);
        assert_int_equal(o.error, -ECONNREFUSED);

        if (access("/usr/bin/qemu-nbd", X_OK) < 0)
                skip();
        unit_write(image, "", 0, 0600);
        assert_int_equal(truncate(image, 3 << 20), 0);
        assert_int_equal(unlink(path), 0);
        fd = unix_listener(path);
        pid = serve(fd, image, NULL);
        shake_as(&request, &o, -1, NULL);
        assert_string_equal(o.text, "");
        assert_int_equal(o.error, 0);
        assert_true(o.size_bytes == 3 << 20);
        assert_string_equal(o.description, "00112233445566778899aabbccddeeff");
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);

        request.socket_path = longest;
        assert_int_equal(handshake_start(NULL, &request, on_done, NULL, &handshake), -ENAMETOOLONG);
        assert_null(handshake);
}

/* The name of the export is the name of its key. */
static void server_with_key(void **state)
{
        _cleanup_free_ char *folder = unit_folder(), *image = unit_path(folder, "image");
        _cleanup_free_ char *keys = unit_path(folder, TLS_PSK_FILE);
        _cleanup_free_ char *others = unit_path(folder, "others");
        char line[TLS_PSK_LINE_SIZE];
        HandshakeRequest request = { .export_name = "disk", .timeout_usec = LONG_USEC };
        _cleanup_close_ int fd = -1;
        pid_t pid;
        Outcome o;

        (void) state;
        if (access("/usr/bin/qemu-nbd", X_OK) < 0)
                skip();
        unit_write(image, "", 0, 0600);
        assert_int_equal(truncate(image, 3 << 20), 0);
        assert_int_equal(tls_psk_make_line("disk", line), 0);
        unit_write(keys, line, strlen(line), 0600);
        assert_int_equal(tls_psk_make_line("disk", line), 0);
        unit_write(others, line, strlen(line), 0600);
        fd = listener(&request.port);
        pid = serve(fd, image, folder);
        request.psk_path = keys;
        for (int i = 0; i < 2; i++) {
                shake_as(&request, &o, -1, NULL);
                assert_string_equal(o.text, "");
                assert_int_equal(o.error, 0);
                assert_true(o.size_bytes == 3 << 20);
                assert_string_equal(o.description, "00112233445566778899aabbccddeeff");
        }
        request.psk_path = others;
        shake_as(&request, &o, -1, NULL);
        assert_true(o.error < 0);
        request.psk_path = NULL;
        shake_as(&request, &o, -1, NULL);
        assert_true(o.error < 0);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);

        /* One that has no TLS is none to whom a key is shown. */
        (void) close(fd);
        fd = listener(&request.port);
        pid = serve(fd, image, NULL);
        request.psk_path = keys;
        shake_as(&request, &o, -1, NULL);
        assert_true(o.error < 0);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(no_servers),  cmocka_unit_test(nobody_accepts),
                cmocka_unit_test(given_up),    cmocka_unit_test(bad_requests),
                cmocka_unit_test(real_server), cmocka_unit_test(server_with_key),
                cmocka_unit_test(unix_server),
        };

        return RUN_TESTS(tests);
}
