/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * helpers/tunnel/share: nothing more is read when all flows of a link hold too much, and again when they hold enough less; who takes
 * nothing for too long is given up then, the longest first, and as few as need be. Who takes something, however slowly, never is. A connection
 * that is not open yet waits longer then.
 */
#include "unit.h"

#include "cleanup.h"
#include "parse.h"
#include "share.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
        N_FLOWS = 10,
        HOLD = 10 * 1000 * 1000,
        MIB = 1024 * 1024,
};

typedef struct Lot {
        Flow flows[N_FLOWS], *list[N_FLOWS];
        bool is_full;
} Lot;

/* Each holds that much, and took something last at its number. */
static void lot_init(Lot *lot, size_t each)
{
        *lot = (Lot){};
        for (size_t i = 0; i < N_FLOWS; i++) {
                lot->flows[i] = (Flow){ .fd = -1,
                                        .state = FLOW_OPEN,
                                        .is_full = true,
                                        .n_buffered = each,
                                        .taken_usec = 1 + i };
                lot->list[i] = &lot->flows[i];
        }
}

static unsigned bound(Lot *lot, uint64_t now)
{
        return share_bound(lot->list, N_FLOWS, HOLD, now, &lot->is_full);
}

static uint64_t due(const Lot *lot)
{
        return share_due_usec(lot->list, N_FLOWS, HOLD, UINT64_C(10) * HOLD);
}

static void bounds(void **state)
{
        Lot lot;

        (void) state;
        lot_init(&lot, 0);
        assert_int_equal(bound(&lot, UINT64_C(1000) * HOLD), 0);
        assert_false(lot.is_full);
        assert_true(due(&lot) == UINT64_MAX);
        lot.flows[3].n_buffered = SHARE_MAX;
        assert_int_equal(bound(&lot, UINT64_C(1000) * HOLD), 0); /* it alone, and not too much */
        assert_false(lot.is_full);
        lot.flows[4].n_buffered = 1;
        assert_int_equal(bound(&lot, HOLD), 0);
        assert_true(lot.is_full);
        assert_true(due(&lot) == HOLD + 4);
        /* They are looked at before that. */
        assert_true(share_due_usec(lot.list, N_FLOWS, HOLD, 1) ==
                    1 + SHARE_LOOK_MSEC * USEC_PER_MSEC);
        /* It goes on when there is enough room, not at the first byte. */
        lot.flows[3].n_buffered = SHARE_ENOUGH;
        assert_int_equal(bound(&lot, HOLD), 0);
        assert_true(lot.is_full);
        lot.flows[4].n_buffered = 0;
        assert_int_equal(bound(&lot, HOLD), 0);
        assert_false(lot.is_full);
}

static void gives_up(void **state)
{
        Lot lot;

        (void) state;
        lot_init(&lot, MIB);
        lot.flows[0].taken_usec = 100; /* the last to be given up, if it came to that */
        assert_int_equal(bound(&lot, HOLD + 1), 0);
        assert_true(lot.is_full);
        assert_true(due(&lot) == HOLD + 2);
        assert_int_equal(bound(&lot, HOLD + 2), 1);
        assert_int_equal(lot.flows[1].state, FLOW_OVER);
        assert_true(lot.is_full);
        assert_int_equal(bound(&lot, HOLD + 3), 1);
        assert_int_equal(lot.flows[2].state, FLOW_OVER);
        /* Ten held ten: with two left it is enough. */
        assert_int_equal(bound(&lot, UINT64_C(1000) * HOLD), 6);
        assert_false(lot.is_full);
        for (size_t i = 0; i < N_FLOWS; i++)
                assert_int_equal(lot.flows[i].state, i >= 1 && i <= 8 ? FLOW_OVER : FLOW_OPEN);
        assert_int_equal(bound(&lot, UINT64_C(1000) * HOLD), 0);
}

static void spares(void **state)
{
        Lot lot;

        (void) state;
        lot_init(&lot, MIB);
        for (size_t i = 0; i < N_FLOWS; i++)
                lot.flows[i].is_full = false; /* they take, now */
        assert_int_equal(bound(&lot, UINT64_C(1000) * HOLD), 0);
        assert_true(lot.is_full);
        assert_true(due(&lot) == UINT64_MAX);
        /* One that has nothing to take stands in nobody's way. */
        lot.flows[5].is_full = true;
        lot.flows[5].n_buffered = 0;
        assert_int_equal(bound(&lot, UINT64_C(1000) * HOLD), 0);
        /* What was taken from libssh counts until the last byte of it has gone. */
        lot.flows[5].rest_at = MIB - 1;
        lot.flows[5].rest_size = 1;
        assert_int_equal(flow_held(&lot.flows[5]), MIB);
        assert_int_equal(bound(&lot, HOLD + 6), 1);
        assert_int_equal(lot.flows[5].state, FLOW_OVER);
        assert_int_equal(flow_held(&lot.flows[5]), 0);
}

/* A connection over loopback: ret_fds[0] cannot be written any more. */
static void connect_full(int ret_fds[static 2])
{
        static const int small = 32 * 1024, large = 256 * 1024;
        static const char zeroes[4096];
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof(address);
        _cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
        assert_int_equal(bind(fd, (struct sockaddr *) &address, sizeof(address)), 0);
        assert_int_equal(listen(fd, 1), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *) &address, &size), 0);
        ret_fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(setsockopt(ret_fds[0], SOL_SOCKET, SO_SNDBUF, &large, sizeof(large)), 0);
        assert_int_equal(connect(ret_fds[0], (struct sockaddr *) &address, sizeof(address)), 0);
        ret_fds[1] = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        assert_true(ret_fds[1] >= 0);
        while (send(ret_fds[0], zeroes, sizeof(zeroes), MSG_DONTWAIT) > 0)
                ;
}

/* It reads less than poll() tells of, and stands still again. */
static void sees_slow_reader(void **state)
{
        int fds[2], left = 96 * 1024;
        char data[4096];
        Lot lot;

        (void) state;
        connect_full(fds);
        lot_init(&lot, MIB);
        for (size_t i = 0; i < N_FLOWS; i++)
                lot.flows[i].fd = fds[0];
        assert_int_equal(bound(&lot, 0), 0);
        for (ssize_t n; left > 0 && (n = recv(fds[1], data, sizeof(data), 0)) > 0;)
                left -= (int) n;
        assert_true(left <= 0);
        assert_int_equal(poll(&(struct pollfd){ .fd = fds[0], .events = POLLOUT }, 1, 0), 0);
        assert_int_equal(bound(&lot, UINT64_C(2) * HOLD), 0);
        for (size_t i = 0; i < N_FLOWS; i++)
                assert_true(lot.flows[i].taken_usec > N_FLOWS);
        assert_true(bound(&lot, lot.flows[0].taken_usec + HOLD) > 0);
        assert_int_equal(lot.flows[0].state, FLOW_OVER);
        (void) close(fds[0]);
        (void) close(fds[1]);
}

/* Of a connection that the hub has not opened yet. */
static void waits(void **state)
{
        FlowBuffers buffers = { .hold_usec = HOLD };
        Flow flow = { .buffers = &buffers, .state = FLOW_OPENING, .expires_usec = 100 };

        (void) state;
        assert_true(flow_due_usec(&flow) == 100);
        buffers.is_held = true;
        assert_true(flow_due_usec(&flow) == 100 + HOLD);
        buffers.is_held = false;
        buffers.answer_usec = HOLD; /* it is read again, and the answer may be on its way */
        assert_true(flow_due_usec(&flow) == HOLD);
        flow.expires_usec = HOLD + 1;
        assert_true(flow_due_usec(&flow) == HOLD + 1);
        flow.state = FLOW_OPEN;
        assert_true(flow_due_usec(&flow) == UINT64_MAX);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(bounds), cmocka_unit_test(gives_up),
                cmocka_unit_test(spares), cmocka_unit_test(sees_slow_reader),
                cmocka_unit_test(waits),
        };

        return RUN_TESTS(tests);
}
