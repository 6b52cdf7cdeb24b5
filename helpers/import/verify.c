/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Source and target side by side (see verify.h): a few reads of the same range on both are under way at
 * a time; ranges that both sides call zero are passed over.
 */
#include "verify.h"

#include "cleanup.h"
#include "endpoint.h"
#include "zero-map.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>

enum {
        READ_BYTES = 1024 * 1024, /* a multiple of the map's grain */
        READS_MAX = 8, /* at a time: 16 MiB of memory in all */
};

typedef enum ReadState {
        READ_FREE,
        READ_ISSUED,
} ReadState;

/* One range, on both sides. */
typedef struct Read {
        ReadState state;
        uint64_t offset;
        size_t size;
        unsigned n_answers;
        int error;
        char *source;
        char *target;
} Read;

typedef struct Verify {
        const VerifyRequest *request;
        Endpoint source, target;
        ZeroMap source_zeroes, target_zeroes;
        uint64_t next; /* where the next read begins */
        uint64_t difference; /* the lowest offset that differs, UINT64_MAX for none */
        unsigned percent;
        unsigned n_issued;
        Read reads[READS_MAX];
} Verify;

static void verify_done(Verify *v)
{
        /* First the connections: their reads write into the buffers. */
        endpoint_close(&v->source);
        endpoint_close(&v->target);
        zero_map_done(&v->source_zeroes);
        zero_map_done(&v->target_zeroes);
        for (size_t i = 0; i < READS_MAX; i++) {
                free(v->reads[i].source);
                free(v->reads[i].target);
        }
}

static int complain(int error, const char *role, const char *text)
{
        (void) fprintf(stderr, "%s: %s\n", role, text);
        return error;
}

static void tell_progress(Verify *v)
{
        uint64_t step = v->request->capacity_bytes / 100;
        uint64_t percent = step > 0 ? v->next / step : 0;

        if (percent > 100)
                percent = 100;
        if (percent > v->percent) {
                v->percent = (unsigned) percent;
                (void) dprintf(v->request->progress_fd, "%u/100\n", v->percent);
        }
}

/* Where zeroes end on both sides, from offset on; offset when they do not begin there. */
static uint64_t both_zero_end(Verify *v, uint64_t offset)
{
        uint64_t size = v->request->capacity_bytes;
        uint64_t source = zero_map_end(&v->source_zeroes, offset);
        uint64_t target = zero_map_end(&v->target_zeroes, offset);
        uint64_t end = source < target ? source : target;

        return end >= size ? size : end - end % ZERO_MAP_GRAIN;
}

/* The next range to read; false at the end. */
static bool next_range(Verify *v, uint64_t *ret_offset, size_t *ret_size)
{
        uint64_t size = v->request->capacity_bytes, end, zeroes;

        while (v->next < size && (zeroes = both_zero_end(v, v->next)) > v->next)
                v->next = zeroes;
        if (v->next >= size)
                return false;
        end = v->next;
        while (end < size && end - v->next < READ_BYTES && both_zero_end(v, end) <= end)
                end += ZERO_MAP_GRAIN;
        if (end > size)
                end = size;
        *ret_offset = v->next;
        *ret_size = (size_t) (end - v->next);
        v->next = end;
        return true;
}

static int on_answer(void *userdata, int *error)
{
        Read *read = userdata;

        if (*error)
                read->error = *error;
        read->n_answers++;
        return 1;
}

static int issue(Verify *v, Read *read)
{
        const nbd_completion_callback callback = { .callback = on_answer, .user_data = read };

        read->n_answers = 0;
        read->error = 0;
        read->state = READ_ISSUED;
        v->n_issued++;
        if (nbd_aio_pread(v->source.nbd, read->source, read->size, read->offset, callback, 0) < 0)
                return complain(-EIO, "source", nbd_get_error());
        if (nbd_aio_pread(v->target.nbd, read->target, read->size, read->offset, callback, 0) < 0)
                return complain(-EIO, "target", nbd_get_error());
        return 0;
}

static int fill(Verify *v)
{
        for (size_t i = 0; i < READS_MAX; i++) {
                Read *read = &v->reads[i];
                int r;

                if (read->state != READ_FREE)
                        continue;
                if (v->difference != UINT64_MAX || !next_range(v, &read->offset, &read->size))
                        return 0;
                r = issue(v, read);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* 1: some reads came to their end; 0: none. */
static int judge(Verify *v)
{
        int n_ended = 0;

        for (size_t i = 0; i < READS_MAX; i++) {
                Read *read = &v->reads[i];
                size_t same = 0;

                if (read->state != READ_ISSUED || read->n_answers < 2)
                        continue;
                if (read->error) {
                        (void) fprintf(stderr, "cannot read back at offset %" PRIu64 ": %s\n",
                                       read->offset, strerror(read->error));
                        return -EIO;
                }
                read->state = READ_FREE;
                v->n_issued--;
                n_ended = 1;
                if (memcmp(read->source, read->target, read->size) == 0)
                        continue;
                while (read->source[same] == read->target[same])
                        same++;
                if (read->offset + same < v->difference)
                        v->difference = read->offset + same;
        }
        return n_ended;
}

static int wait_for_answers(Verify *v)
{
        struct pollfd fds[] = {
                { .fd = nbd_aio_get_fd(v->source.nbd), .events = endpoint_events(&v->source) },
                { .fd = nbd_aio_get_fd(v->target.nbd), .events = endpoint_events(&v->target) },
        };
        int r;

        if (poll(fds, ELEMENTSOF(fds), -1) < 0)
                return errno == EINTR ? 0 : complain(-errno, "poll", strerror(errno));
        r = endpoint_notify(&v->source, fds[0].revents);
        if (r < 0)
                return complain(r, "source", v->source.error);
        r = endpoint_notify(&v->target, fds[1].revents);
        return r < 0 ? complain(r, "target", v->target.error) : 0;
}

static int compare(Verify *v)
{
        int r;

        for (size_t i = 0; i < READS_MAX; i++) {
                v->reads[i].source = malloc(READ_BYTES);
                v->reads[i].target = malloc(READ_BYTES);
                if (!v->reads[i].source || !v->reads[i].target)
                        return complain(-ENOMEM, "compare", strerror(ENOMEM));
        }
        for (;;) {
                r = fill(v);
                if (r < 0)
                        return r;
                tell_progress(v);
                if (v->n_issued == 0)
                        break;
                /* Answers may have come in while the maps of zeroes were asked for. */
                r = judge(v);
                if (r == 0)
                        r = wait_for_answers(v);
                if (r < 0)
                        return r;
        }
        if (v->difference == UINT64_MAX)
                return 0;
        (void) fprintf(stderr, "source and target differ at offset %" PRIu64 "\n", v->difference);
        return -EBADMSG;
}

static int open_both(Verify *v)
{
        uint64_t size;
        int r;

        r = endpoint_open(&v->target, v->request->target, -1);
        if (r >= 0)
                r = endpoint_check_instance(&v->target, v->request->invocation_id);
        if (r >= 0)
                r = endpoint_size(&v->target, &size);
        if (r < 0)
                return complain(r, "target", v->target.error);
        if (size != v->request->capacity_bytes)
                return complain(-EBADMSG, "target", "has another size than before the copy");
        if (!v->request->compare)
                return 0;
        r = endpoint_open(&v->source, v->request->source, -1);
        if (r >= 0)
                r = endpoint_size(&v->source, &size);
        if (r < 0)
                return complain(r, "source", v->source.error);
        if (size != v->request->capacity_bytes)
                return complain(-EBADMSG, "source", "has another size than before the copy");
        zero_map_init(&v->source_zeroes, v->source.nbd, size);
        zero_map_init(&v->target_zeroes, v->target.nbd, size);
        return 0;
}

int verify_run(const VerifyRequest *request)
{
        CLEANUP(verify_done) Verify v = { .request = request, .difference = UINT64_MAX };
        int r;

        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
                return complain(-errno, "prctl", strerror(errno));
        r = open_both(&v);
        return r < 0 || !request->compare ? r : compare(&v);
}
