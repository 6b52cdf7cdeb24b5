/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sends random and hostile messages to a running hub or node, half of them as the user nobody, and checks
 * what is left of it: every call answered with a result or a named error, the same owner of the
 * name, as many descriptors, and its memory where it was. tests/bus/fuzz.sh and fuzz-node.sh run it on
 * a bus of their own; the seed fixes every message. Prints TAP. The messages come from bus-message.c.
 *
 *     fuzz-bus hub|node SEED MESSAGES [--no-memory]
 */
#include "bus-message.h"
#include "bus-target.h"
#include "cleanup.h"
#include "parse.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#define DRIVER             "org.freedesktop.DBus"
#define ANSWER_USEC        (30 * USEC_PER_SEC)
#define GROWTH_MAX_KB      1024
#define FD_SAMPLES         20
#define FD_SAMPLE_GAP_MSEC 10

enum {
        CONNECTIONS = 6, /* the even ones are root's, the odd ones nobody's */
        UID_NOBODY = 65534,
        DRAIN_EVERY = 48,
        VANISH_EVERY = 50,
        /* The warm-up: one message of the bus's limit and this many others, so that code, tables
         * and heap are as large as they get; a leak grows in the run that is measured. */
        WARM_UP_MESSAGES = 500,
};

typedef struct Connection {
        sd_bus *bus;
        uint64_t expected[DRAIN_EVERY + 1]; /* cookies of the calls that are not answered yet */
        size_t n_expected;
} Connection;

typedef struct Vitals {
        uint32_t pid;
        char owner[64];
        unsigned n_fds;
        uint64_t memory_kb;
} Vitals;

static const BusTarget *target;
static Connection connections[CONNECTIONS];
static unsigned n_held_back; /* by the bus, so that the daemon never saw it */
static char unnamed_error[256]; /* the first error that carries a bare errno instead of a name */
static unsigned n_tests, n_failed;

__attribute__((noreturn)) static void bail(int error, const char *what)
{
        printf("Bail out! %s: %s\n", what, strerror(error < 0 ? -error : error));
        exit(EXIT_FAILURE);
}

static void check(bool good, const char *name)
{
        n_tests++;
        n_failed += !good;
        printf("%s %u - %s\n", good ? "ok" : "not ok", n_tests, name);
}

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Connection *c = userdata;
        const sd_bus_error *error = sd_bus_message_get_error(m);

        uint64_t cookie;

        (void) ret_error;
        if (sd_bus_message_get_reply_cookie(m, &cookie) < 0)
                return 0;
        /* The bus itself answers what it does not let through, also when nobody wants to know. */
        for (size_t i = 0; i < c->n_expected; i++)
                if (c->expected[i] == cookie) {
                        c->expected[i] = c->expected[--c->n_expected];
                        break;
                }
        if (error && strcmp(error->name, SD_BUS_ERROR_LIMITS_EXCEEDED) == 0)
                n_held_back++;
        if (error && strncmp(error->name, "System.Error.", strlen("System.Error.")) == 0 &&
            !*unnamed_error)
                (void) snprintf(unnamed_error, sizeof(unnamed_error), "%s: %s", error->name,
                                error->message);
        return 1;
}

/* The bus takes the user from the socket's credentials, and these are the ones of connect(). */
static void connection_open(Connection *c, uid_t uid)
{
        int r;

        *c = (Connection){};
        if (seteuid(uid) < 0)
                bail(errno, "seteuid");
        r = sd_bus_open_system(&c->bus);
        while (r >= 0 && (r = sd_bus_is_ready(c->bus)) == 0) {
                r = sd_bus_process(c->bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(c->bus, ANSWER_USEC);
        }
        if (r >= 0)
                r = sd_bus_add_filter(c->bus, NULL, on_message, c);
        if (r < 0)
                bail(r, "Cannot connect to the bus");
        if (seteuid(0) < 0)
                bail(errno, "seteuid");
}

/* Waits until everything that was asked is answered. */
static void connection_drain(Connection *c)
{
        int r;

        while (c->n_expected > 0) {
                r = sd_bus_process(c->bus, NULL);
                if (r < 0)
                        bail(r, "The bus closed a connection");
                if (r > 0)
                        continue;
                r = sd_bus_wait(c->bus, ANSWER_USEC);
                if (r < 0)
                        bail(r, "Cannot wait for answers");
                if (r == 0) {
                        printf("# %zu calls are not answered\n", c->n_expected);
                        bail(ETIMEDOUT, "A call was never answered");
                }
        }
        r = sd_bus_flush(c->bus);
        if (r < 0)
                bail(r, "Cannot flush");
}

static void connection_send(Connection *c, sd_bus_message *m)
{
        uint64_t cookie;
        int r;

        if (sd_bus_message_get_expect_reply(m) > 0) {
                r = sd_bus_send(c->bus, m, &cookie);
                if (r >= 0)
                        c->expected[c->n_expected++] = cookie;
        } else
                r = sd_bus_send(c->bus, m, NULL);
        if (r < 0)
                bail(r, "Cannot send");
}

/* Calls and is gone before the answer. */
static void send_and_vanish(uid_t uid)
{
        Connection c;
        sd_bus_message *m;

        connection_open(&c, uid);
        m = bus_message_random_call(c.bus);
        connection_send(&c, m);
        sd_bus_message_unref(m);
        (void) sd_bus_flush(c.bus);
        sd_bus_close_unref(c.bus);
}

static void run_messages(unsigned n_messages)
{
        for (unsigned i = 1; i <= n_messages; i++) {
                Connection *c = connections + random_below(CONNECTIONS);
                CLEANUP(sd_bus_message_unrefp) sd_bus_message *m = NULL;

                if (i % VANISH_EVERY == 0)
                        send_and_vanish(i / VANISH_EVERY % 2 ? UID_NOBODY : 0);
                else {
                        m = bus_message_random(c->bus);
                        connection_send(c, m);
                }
                if (i % DRAIN_EVERY == 0 || i == n_messages)
                        for (size_t j = 0; j < CONNECTIONS; j++)
                                connection_drain(connections + j);
        }
}

/*
 * What the process has for itself, in memory or swapped out; pages of files come and go with what else the machine does. The
 * exact count: the kernel keeps the one in status and statm by processor and adds it up lazily.
 */
static uint64_t read_memory_kb(uint32_t pid)
{
        static const char *const keys[] = { "Pss_Anon:", "Pss_Shmem:", "Swap:" };
        char path[64], line[256];
        uint64_t sum_kb = 0, kb;
        unsigned n_found = 0;
        _cleanup_fclose_ FILE *f = NULL;

        (void) snprintf(path, sizeof(path), "/proc/%" PRIu32 "/smaps_rollup", pid);
        f = fopen(path, "re");
        if (!f)
                bail(errno, path);
        while (fgets(line, sizeof(line), f))
                for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                        char *number = line + strlen(keys[i]);

                        if (strncmp(line, keys[i], strlen(keys[i])) != 0)
                                continue;
                        number += strspn(number, " ");
                        number[strspn(number, "0123456789")] = '\0';
                        if (parse_uint64(number, 0, UINT64_MAX, &kb) < 0)
                                bail(EBADMSG, path);
                        sum_kb += kb;
                        n_found++;
                }
        if (n_found != ELEMENTSOF(keys))
                bail(ENODATA, path);
        return sum_kb;
}

static unsigned count_fds(uint32_t pid)
{
        char path[64];
        unsigned n = 0;
        DIR *d;

        (void) snprintf(path, sizeof(path), "/proc/%" PRIu32 "/fd", pid);
        d = opendir(path);
        if (!d)
                bail(errno, path);
        while (readdir(d))
                n++;
        (void) closedir(d);
        return n;
}

/* The database worker has one more for the moment of each attempt to connect; what leaks stays. */
static unsigned least_fds(uint32_t pid)
{
        unsigned least = count_fds(pid);

        for (unsigned i = 0; i < FD_SAMPLES; i++) {
                unsigned n;

                (void) poll(NULL, 0, FD_SAMPLE_GAP_MSEC);
                n = count_fds(pid);
                if (n < least)
                        least = n;
        }
        return least;
}

/* Calls are answered in order, so after this one nothing is left to do for the daemon. */
static Vitals read_vitals(void)
{
        sd_bus *bus = connections[0].bus;
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *owner = NULL, *pid = NULL, *status = NULL;
        CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        Vitals v = {};
        const char *name;
        int r;

        r = sd_bus_call_method(bus, target->name, target->path, target->manager, target->quiet,
                               &error, &status, "a{sv}", 0);
        if (r < 0)
                bail(r, error.message ?: target->quiet);
        r = sd_bus_call_method(bus, DRIVER, "/org/freedesktop/DBus", DRIVER, "GetNameOwner", &error,
                               &owner, "s", target->name);
        if (r >= 0)
                r = sd_bus_message_read(owner, "s", &name);
        if (r >= 0)
                r = sd_bus_call_method(bus, DRIVER, "/org/freedesktop/DBus", DRIVER,
                                       "GetConnectionUnixProcessID", &error, &pid, "s",
                                       target->name);
        if (r >= 0)
                r = sd_bus_message_read(pid, "u", &v.pid);
        if (r < 0)
                bail(r, error.message ?: "The bus does not know the daemon");
        (void) snprintf(v.owner, sizeof(v.owner), "%s", name);
        v.n_fds = least_fds(v.pid);
        v.memory_kb = read_memory_kb(v.pid);
        return v;
}

static void compare(const Vitals *before, const Vitals *after, bool check_memory)
{
        printf("# memory %" PRIu64 " KiB before, %" PRIu64 " KiB after; descriptors %u and %u\n",
               before->memory_kb, after->memory_kb, before->n_fds, after->n_fds);
        check(strcmp(before->owner, after->owner) == 0 && before->pid == after->pid,
              "the same process owns the name by the same connection");
        check(before->n_fds == after->n_fds, "it has as many descriptors as before");
        if (check_memory)
                check(after->memory_kb <= before->memory_kb + GROWTH_MAX_KB,
                      "its own memory is within 1 MiB of before");
        check(!*unnamed_error, "every error had a name");
        check(n_held_back == 0, "the bus itself held nothing back");
        if (*unnamed_error)
                printf("# unnamed: %s\n", unnamed_error);
}

static void warm_up(uint64_t seed)
{
        CLEANUP(sd_bus_message_unrefp)
        sd_bus_message *m = bus_message_at_limit(connections[0].bus);

        random_seed(seed);
        connection_send(connections, m);
        run_messages(WARM_UP_MESSAGES);
}

int main(int argc, char *argv[])
{
        uint64_t seed, n_messages;
        Vitals before, after;

        target = argc > 3 ? bus_target_find(argv[1]) : NULL;
        if (!target || parse_uint64(argv[2], 1, UINT64_MAX, &seed) < 0 ||
            parse_uint64(argv[3], 1, 1000000, &n_messages) < 0) {
                fprintf(stderr, "Usage: fuzz-bus hub|node SEED MESSAGES [--no-memory]\n");
                return EXIT_FAILURE;
        }
        bus_message_target(target);
        for (size_t i = 0; i < CONNECTIONS; i++)
                connection_open(connections + i, i % 2 ? UID_NOBODY : 0);

        if (argc < 5)
                warm_up(~seed);
        before = read_vitals();

        random_seed(seed);
        run_messages((unsigned) n_messages);
        after = read_vitals();

        compare(&before, &after, argc < 5);
        printf("1..%u\n", n_tests);
        for (size_t i = 0; i < CONNECTIONS; i++)
                sd_bus_close_unref(connections[i].bus);
        return n_failed > 0;
}
