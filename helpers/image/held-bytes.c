/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading, comparing and writing (see held-bytes.h): some pieces of both sides at a time, the two servers beside each other.
 */
#include "held-bytes.h"

#include "cleanup.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

enum {
        PIECES = 16, /* at a time */
        PIECE_BYTES = 512 * 1024,
};

typedef struct Piece {
        uint64_t offset;
        size_t length;
        bool zero; /* only to be written */
        uint8_t *data, *other;
} Piece;

/* Answers that are not there yet, of one side. */
typedef struct Side {
        Held *held; /* NULL: there is none */
        unsigned n_open;
        int error;
} Side;

typedef struct Pump {
        Side from, to;
        bool writes;
        Piece pieces[PIECES];
        size_t n_pieces;
        uint8_t *data;
        bool differs;
        uint64_t differs_at;
} Pump;

static int on_answer(void *userdata, int *error)
{
        Side *side = userdata;

        side->n_open--;
        if (*error != 0)
                side->error = *error;
        return 1; /* libnbd forgets the request */
}

static bool is_zero(const uint8_t *data, size_t length)
{
        return data[0] == 0 && memcmp(data, data + 1, length - 1) == 0;
}

static short poll_events(struct nbd_handle *nbd)
{
        unsigned direction = nbd_aio_get_direction(nbd);

        return (short) ((direction & LIBNBD_AIO_DIRECTION_READ ? POLLIN : 0) |
                        (direction & LIBNBD_AIO_DIRECTION_WRITE ? POLLOUT : 0));
}

static int notify(Side *side, short events)
{
        struct nbd_handle *nbd = side->held->nbd;

        if (events & (POLLIN | POLLHUP | POLLERR))
                return nbd_aio_notify_read(nbd);
        return events & POLLOUT ? nbd_aio_notify_write(nbd) : 0;
}

/* Until all that was asked for is answered. */
static int wait_all(Pump *pump, Failure *failure)
{
        Side *sides[] = { &pump->from, &pump->to };

        while (pump->from.n_open > 0 || pump->to.n_open > 0) {
                struct pollfd fds[ELEMENTSOF(sides)];

                for (size_t i = 0; i < ELEMENTSOF(sides); i++) {
                        bool is_open = sides[i]->held && sides[i]->n_open > 0;
                        struct nbd_handle *nbd = is_open ? sides[i]->held->nbd : NULL;

                        fds[i] = (struct pollfd){ .fd = is_open ? nbd_aio_get_fd(nbd) : -1,
                                                  .events = is_open ? poll_events(nbd) : 0 };
                        if (is_open && fds[i].fd < 0)
                                return held_failure(sides[i]->held, failure);
                }
                if (poll(fds, ELEMENTSOF(fds), -1) < 0 && errno != EINTR)
                        return failure_errno(failure, -errno, "Cannot wait for qemu-nbd");
                for (size_t i = 0; i < ELEMENTSOF(sides); i++)
                        if (sides[i]->held && fds[i].revents &&
                            notify(sides[i], fds[i].revents) < 0)
                                return held_failure(sides[i]->held, failure);
        }
        for (size_t i = 0; i < ELEMENTSOF(sides); i++)
                if (sides[i]->error != 0)
                        return held_failure_errno(sides[i]->held, sides[i]->error,
                                                  strerror(sides[i]->error), failure);
        return 0;
}

static int ask(Side *side, const Piece *piece, uint8_t *data, Failure *failure)
{
        nbd_completion_callback callback = { .callback = on_answer, .user_data = side };

        side->n_open++;
        if (nbd_aio_pread(side->held->nbd, data, piece->length, piece->offset, callback, 0) < 0)
                return held_failure(side->held, failure);
        return 0;
}

static int put(Side *side, const Piece *piece, bool zero, Failure *failure)
{
        nbd_completion_callback callback = { .callback = on_answer, .user_data = side };
        struct nbd_handle *nbd = side->held->nbd;
        int64_t r;

        side->n_open++;
        r = zero ? nbd_aio_zero(nbd, piece->length, piece->offset, callback, 0)
                 : nbd_aio_pwrite(nbd, piece->data, piece->length, piece->offset, callback, 0);
        return r < 0 ? held_failure(side->held, failure) : 0;
}

static int read_pieces(Pump *pump, Failure *failure)
{
        int r = 0;

        for (size_t i = 0; i < pump->n_pieces && r >= 0; i++) {
                const Piece *piece = pump->pieces + i;

                if (piece->zero)
                        continue;
                r = ask(&pump->from, piece, piece->data, failure);
                if (r >= 0 && pump->to.held && !pump->writes)
                        r = ask(&pump->to, piece, piece->other, failure);
        }
        return r < 0 ? r : wait_all(pump, failure);
}

static int write_pieces(Pump *pump, Failure *failure)
{
        int r = 0;

        for (size_t i = 0; i < pump->n_pieces && r >= 0; i++) {
                const Piece *piece = pump->pieces + i;

                r = put(&pump->to, piece, piece->zero || is_zero(piece->data, piece->length),
                        failure);
        }
        return r < 0 ? r : wait_all(pump, failure);
}

static void compare_pieces(Pump *pump)
{
        for (size_t i = 0; i < pump->n_pieces && !pump->differs; i++) {
                const Piece *piece = pump->pieces + i;

                pump->differs = memcmp(piece->data, piece->other, piece->length) != 0;
                pump->differs_at = piece->offset;
        }
}

static void tell(const Pump *pump)
{
        const Held *from = pump->from.held;
        uint64_t n_bytes = 0;

        for (size_t i = 0; i < pump->n_pieces; i++)
                n_bytes += pump->pieces[i].length;
        if (from->moved && n_bytes > 0)
                from->moved(from->userdata, n_bytes);
}

/* What was gathered. */
static int flush(Pump *pump, Failure *failure)
{
        int r = pump->n_pieces > 0 ? read_pieces(pump, failure) : 0;

        if (r >= 0 && pump->writes)
                r = write_pieces(pump, failure);
        else if (r >= 0 && pump->to.held)
                compare_pieces(pump);
        if (r >= 0)
                tell(pump);
        pump->n_pieces = 0;
        return r;
}

/* A run of zeroes that is written is one piece, however long, but for what a request can say. */
static size_t piece_length(const Pump *pump, const Extent *run)
{
        uint64_t most = pump->writes && run->zero ? UINT64_C(1) << 30 : PIECE_BYTES;

        return (size_t) (run->length < most ? run->length : most);
}

static int add_run(Pump *pump, Extent run, Failure *failure)
{
        while (run.length > 0 && !pump->differs) {
                Piece *piece = pump->pieces + pump->n_pieces;
                uint8_t *data = pump->data + pump->n_pieces * 2 * PIECE_BYTES;
                int r;

                *piece = (Piece){ .offset = run.offset,
                                  .length = piece_length(pump, &run),
                                  .zero = pump->writes && run.zero,
                                  .data = data,
                                  .other = data + PIECE_BYTES };
                run.offset += piece->length;
                run.length -= piece->length;
                if (++pump->n_pieces == PIECES) {
                        r = flush(pump, failure);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

static int pump_init(Pump *pump, Held *from, Held *to, bool writes, Failure *failure)
{
        *pump = (Pump){ .from.held = from,
                        .to.held = to,
                        .writes = writes,
                        .data = malloc((size_t) PIECES * 2 * PIECE_BYTES) };
        return pump->data ? 0 : failure_errno(failure, -ENOMEM, "%s", from->image->path);
}

/* Requests that are under way would write into what is freed. */
static void pump_done(Pump *pump)
{
        Side *sides[] = { &pump->from, &pump->to };

        for (size_t i = 0; i < ELEMENTSOF(sides); i++)
                if (sides[i]->n_open > 0) {
                        nbd_close(sides[i]->held->nbd);
                        sides[i]->held->nbd = NULL;
                }
        free(pump->data);
}

/* The parts of a run that lie in blocks that are not left out. */
static int read_run(Pump *pump, Extent run, uint64_t block_bytes, const bool *left_out,
                    Failure *failure)
{
        int r = 0;

        while (run.length > 0 && r >= 0) {
                uint64_t block = run.offset / block_bytes;
                uint64_t part = (block + 1) * block_bytes - run.offset;

                if (part > run.length)
                        part = run.length;
                if (!left_out[block])
                        r = add_run(pump, (Extent){ .offset = run.offset, .length = part },
                                    failure);
                run.offset += part;
                run.length -= part;
        }
        return r;
}

int held_read(Held *from, uint64_t block_bytes, const bool *left_out, Failure *failure)
{
        CLEANUP(pump_done) Pump pump = {};
        Extent run;
        int r;

        r = pump_init(&pump, from, NULL, false, failure);
        while (r >= 0 && (r = held_next(from, &run, failure)) > 0)
                if (!run.zero)
                        r = read_run(&pump, run, block_bytes, left_out, failure);
        return r < 0 ? r : flush(&pump, failure);
}

/* Zeroes on both sides need not be read. */
static int compare_run(Pump *pump, Extent run, Failure *failure)
{
        bool both = false;
        int r = 0;

        if (run.zero)
                r = held_is_zero(pump->to.held, run.offset, run.length, &both, failure);
        return r < 0 || both ? r : add_run(pump, run, failure);
}

int held_compare(Held *from, Held *to, uint64_t *ret_offset, Failure *failure)
{
        CLEANUP(pump_done) Pump pump = {};
        Extent run;
        int r;

        r = pump_init(&pump, from, to, false, failure);
        while (r >= 0 && !pump.differs && (r = held_next(from, &run, failure)) > 0)
                r = compare_run(&pump, run, failure);
        if (r >= 0 && !pump.differs)
                r = flush(&pump, failure);
        if (r < 0)
                return r;
        *ret_offset = pump.differs_at;
        return pump.differs;
}

int held_write(Held *from, Held *to, Failure *failure)
{
        CLEANUP(pump_done) Pump pump = {};
        Extent run;
        int r;

        r = pump_init(&pump, from, to, true, failure);
        while (r >= 0 && (r = held_next(from, &run, failure)) > 0)
                r = add_run(&pump, run, failure);
        return r < 0 ? r : flush(&pump, failure);
}
