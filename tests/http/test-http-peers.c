/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who of the peers of an HTTP server has to go, and who stays.
 */
#include "unit.h"

#include "http/http-peers.h"
#include "parse.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum {
        PEERS_MAX = 8,
};

static const HttpPeerKey mallory = { .id = 1, .family = AF_UNIX };
static const HttpPeerKey alice = { .id = 2, .family = AF_UNIX };

typedef struct Room {
        HttpPeers peers;
        HttpPeer *all[PEERS_MAX];
        int ends[PEERS_MAX]; /* the clients' */
        int own[PEERS_MAX];
        size_t n;
} Room;

static HttpPeer *come(Room *room, HttpPeerKey key, uint64_t sec)
{
        int pair[2];

        assert_true(room->n < PEERS_MAX);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        room->own[room->n] = pair[0];
        room->ends[room->n] = pair[1];
        room->all[room->n] = http_peer_new(&room->peers, pair[0], key, sec * USEC_PER_SEC);
        assert_non_null(room->all[room->n]);
        return room->all[room->n++];
}

/* As a client sees it: the numbers of those whose stream is at its end. */
static const char *gone(const Room *room)
{
        static char text[PEERS_MAX + 1];
        size_t n = 0;

        for (size_t i = 0; i < room->n; i++) {
                struct pollfd end = { .fd = room->ends[i], .events = POLLIN | POLLRDHUP };

                if (poll(&end, 1, 0) > 0)
                        text[n++] = (char) ('0' + i);
        }
        text[n] = '\0';
        return text;
}

static void leave(Room *room)
{
        for (size_t i = 0; i < room->n; i++) {
                http_peer_free(room->all[i]);
                close(room->ends[i]);
                close(room->own[i]);
        }
        assert_null(room->peers.first);
        assert_null(room->peers.last);
        assert_int_equal(room->peers.n, 0);
}

static void look(Room *room, size_t max, uint64_t sec)
{
        http_peers_end(&room->peers, max, sec * USEC_PER_SEC);
}

static void a_head_has_its_time(void **state)
{
        Room room = {};

        (void) state;
        (void) come(&room, mallory, 100);
        http_peer_has_head(come(&room, mallory, 100), 105 * USEC_PER_SEC);
        http_peer_is_whole(come(&room, mallory, 100));
        look(&room, PEERS_MAX, 100 + HTTP_HEAD_SEC);
        assert_string_equal(gone(&room), "");
        look(&room, PEERS_MAX, 101 + HTTP_HEAD_SEC);
        assert_string_equal(gone(&room), "0");
        assert_int_equal(room.peers.n, 2);
        look(&room, PEERS_MAX, 105 + HTTP_WHOLE_SEC);
        assert_string_equal(gone(&room), "0");
        look(&room, PEERS_MAX, 106 + HTTP_WHOLE_SEC);
        assert_string_equal(gone(&room), "01");
        /* What is owed an answer waits for it. */
        look(&room, PEERS_MAX, 100000);
        assert_string_equal(gone(&room), "01");
        http_peer_waits(room.all[2], 100000 * USEC_PER_SEC);
        look(&room, PEERS_MAX, 100000 + HTTP_WHOLE_SEC);
        assert_string_equal(gone(&room), "01");
        look(&room, PEERS_MAX, 100001 + HTTP_WHOLE_SEC);
        assert_string_equal(gone(&room), "012");
        leave(&room);
}

/* Who holds many shuts out himself. */
static void who_has_most_goes(void **state)
{
        Room room = {};

        (void) state;
        (void) come(&room, alice, 1);
        (void) come(&room, mallory, 2);
        (void) come(&room, mallory, 3);
        look(&room, 3, 4);
        assert_string_equal(gone(&room), "");
        look(&room, 2, 4);
        assert_string_equal(gone(&room), "1");
        (void) come(&room, mallory, 4);
        look(&room, 2, 4);
        assert_string_equal(gone(&room), "12");
        /* Of as many each, who waits longest. */
        look(&room, 1, 4);
        assert_string_equal(gone(&room), "012");
        look(&room, 0, 4);
        assert_string_equal(gone(&room), "0123");
        leave(&room);
}

static void requests_stay(void **state)
{
        Room room = {};

        (void) state;
        http_peer_is_whole(come(&room, mallory, 1));
        http_peer_has_head(come(&room, mallory, 2), 2 * USEC_PER_SEC);
        (void) come(&room, mallory, 3);
        look(&room, 2, 4);
        assert_string_equal(gone(&room), "2");
        look(&room, 1, 4);
        assert_string_equal(gone(&room), "12");
        look(&room, 0, 4);
        assert_string_equal(gone(&room), "12");
        assert_int_equal(room.peers.n, 1);
        /* One that was ended comes to no request any more. */
        http_peer_is_whole(room.all[2]);
        assert_int_equal(room.peers.n, 1);
        leave(&room);
}

static HttpPeerKey key_of(const char *text)
{
        struct sockaddr_storage address = {};
        struct sockaddr_in *four = (struct sockaddr_in *) &address;
        struct sockaddr_in6 *six = (struct sockaddr_in6 *) &address;

        if (inet_pton(AF_INET, text, &four->sin_addr) == 1)
                address.ss_family = AF_INET;
        else {
                assert_int_equal(inet_pton(AF_INET6, text, &six->sin6_addr), 1);
                address.ss_family = AF_INET6;
        }
        return http_peer_key_of(&address);
}

static bool are_one(const char *a, const char *b)
{
        HttpPeerKey first = key_of(a), second = key_of(b);

        return first.id == second.id && first.family == second.family;
}

static void whose_they_are(void **state)
{
        int pair[2];
        HttpPeerKey key;

        (void) state;
        assert_true(are_one("192.0.2.1", "192.0.2.1"));
        assert_false(are_one("192.0.2.1", "192.0.2.2"));
        assert_true(are_one("2001:db8:1:2::1", "2001:db8:1:2:3:4:5:6"));
        assert_false(are_one("2001:db8:1:2::1", "2001:db8:1:3::1"));
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        key = http_peer_key(pair[0]);
        assert_int_equal(key.family, AF_UNIX);
        assert_int_equal(key.id, getuid());
        close(pair[0]);
        close(pair[1]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_head_has_its_time),
                cmocka_unit_test(who_has_most_goes),
                cmocka_unit_test(requests_stay),
                cmocka_unit_test(whose_they_are),
        };

        return RUN_TESTS(tests);
}
