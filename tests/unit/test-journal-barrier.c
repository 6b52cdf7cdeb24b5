/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lib/journal-barrier: it ends when all that was sent before it is read, and not sooner.
 */
#include "unit.h"

#include "cleanup.h"
#include "journal-barrier.h"
#include "parse.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

enum {
        N_LINES = 7, /* the barrier's own fit behind them, into a queue of ten */
};

typedef struct Journal {
        char *path;
        int fd;
        atomic_uint n_lines, n_empty;
} Journal;

static struct sockaddr_un address_of(const Journal *journal)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        assert_true(strlen(journal->path) < sizeof(address.sun_path));
        (void) memcpy(address.sun_path, journal->path, strlen(journal->path) + 1);
        return address;
}

static int journal_setup(void **state)
{
        _cleanup_free_ char *folder = unit_folder();
        Journal *journal = calloc(1, sizeof(Journal));
        struct sockaddr_un address;

        assert_non_null(journal);
        journal->path = unit_path(folder, "socket");
        journal->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        assert_true(journal->fd >= 0);
        address = address_of(journal);
        assert_int_equal(bind(journal->fd, (const struct sockaddr *) &address, sizeof(address)), 0);
        *state = journal;
        return 0;
}

static int journal_teardown(void **state)
{
        Journal *journal = *state;

        (void) close(journal->fd);
        free(journal->path);
        free(journal);
        return 0;
}

static void send_lines(const Journal *journal, unsigned n)
{
        struct sockaddr_un address = address_of(journal);
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        assert_int_equal(connect(fd, (const struct sockaddr *) &address, sizeof(address)), 0);
        for (unsigned i = 0; i < n; i++)
                assert_int_equal(send(fd, "line", 4, MSG_DONTWAIT), 4);
}

/* Reads until it gets a line that says so. */
static void *read_all(void *userdata)
{
        Journal *journal = userdata;
        char line[8];

        for (;;) {
                ssize_t n = recv(journal->fd, line, sizeof(line), 0);

                if (n == 0)
                        journal->n_empty++;
                else if (n == 4)
                        journal->n_lines++;
                else
                        return NULL;
        }
}

static void end_reader(const Journal *journal, pthread_t reader)
{
        struct sockaddr_un address = address_of(journal);
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        assert_int_equal(sendto(fd, "end", 3, 0, (const struct sockaddr *) &address,
                                sizeof(address)),
                         3);
        assert_int_equal(pthread_join(reader, NULL), 0);
}

static void ends_when_all_is_read(void **state)
{
        Journal *journal = *state;

        for (unsigned round = 1; round <= 200; round++) {
                pthread_t reader;

                send_lines(journal, N_LINES);
                assert_int_equal(pthread_create(&reader, NULL, read_all, journal), 0);
                assert_int_equal(journal_barrier(journal->path, 60 * USEC_PER_SEC), 0);
                assert_int_equal(journal->n_lines, round * N_LINES);
                end_reader(journal, reader);
        }
        assert_true(journal->n_empty > 0);
}

static void does_not_end_before(void **state)
{
        Journal *journal = *state;
        char line[8];

        send_lines(journal, N_LINES);
        assert_int_equal(journal_barrier(journal->path, 10 * USEC_PER_MSEC), -ETIMEDOUT);
        for (unsigned i = 0; i < N_LINES; i++)
                assert_int_equal(recv(journal->fd, line, sizeof(line), MSG_DONTWAIT), 4);
}

/* The queue is full already: of what others sent. */
static void waits_behind_a_full_queue(void **state)
{
        Journal *journal = *state;
        struct sockaddr_un address = address_of(journal);
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        unsigned n = 0;
        pthread_t reader;

        assert_true(fd >= 0);
        assert_int_equal(connect(fd, (const struct sockaddr *) &address, sizeof(address)), 0);
        while (send(fd, "line", 4, MSG_DONTWAIT) == 4)
                n++;
        assert_int_equal(errno, EAGAIN);
        assert_int_equal(journal_barrier(journal->path, 10 * USEC_PER_MSEC), -ETIMEDOUT);
        assert_int_equal(pthread_create(&reader, NULL, read_all, journal), 0);
        assert_int_equal(journal_barrier(journal->path, 60 * USEC_PER_SEC), 0);
        assert_int_equal(journal->n_lines, n);
        end_reader(journal, reader);
}

static void no_journal_is_an_error_and_no_wait(void **state)
{
        Journal *journal = *state;
        _cleanup_free_ char *long_path =
                        unit_repeat('x', sizeof(((struct sockaddr_un *) NULL)->sun_path));

        assert_int_equal(unlink(journal->path), 0);
        assert_int_equal(journal_barrier(journal->path, 60 * USEC_PER_SEC), -ENOENT);
        assert_int_equal(journal_barrier(long_path, 60 * USEC_PER_SEC), -ENAMETOOLONG);
}

static void leaves_no_descriptor(void **state)
{
        Journal *journal = *state;
        unsigned before = unit_count_descriptors();

        assert_int_equal(journal_barrier(journal->path, USEC_PER_MSEC), -ETIMEDOUT);
        assert_int_equal(unit_count_descriptors(), before);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(ends_when_all_is_read, journal_setup,
                                                journal_teardown),
                cmocka_unit_test_setup_teardown(does_not_end_before, journal_setup,
                                                journal_teardown),
                cmocka_unit_test_setup_teardown(waits_behind_a_full_queue, journal_setup,
                                                journal_teardown),
                cmocka_unit_test_setup_teardown(no_journal_is_an_error_and_no_wait, journal_setup,
                                                journal_teardown),
                cmocka_unit_test_setup_teardown(leaves_no_descriptor, journal_setup,
                                                journal_teardown),
        };

        return RUN_TESTS(tests);
}
