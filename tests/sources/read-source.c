/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads a whole disk through one source of sendense-backup-client, as its copy engine would, and says how it went: for
 * tests of the sources alone. After an error it waits for all answers, closes, and opens anew, so often as
 * it was told; --odd makes reads of odd sizes at odd offsets.
 *
 *   read-source https|vddk SPEC.json CAPACITY OUTPUT [opens=N] [reads=N] [stall=SEC] [odd]
 *
 * SPEC.json: {"vcenter":{…},"vm":{…}?,"vddk":{…}?,"datastore_path":"…","datacenter":"…"?}. One JSON object on stdout.
 */
#include "clock.h"
#include "failure.h"
#include "parse.h"
#include "source-vsphere.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
        REOPEN_MSEC = 200,
};

typedef struct Reader Reader;

typedef struct Read {
        Reader *reader;
        char *buffer;
        uint64_t offset;
        size_t length;
        bool is_busy, is_missing; /* missing: to be read again */
} Read;

struct Reader {
        Source *source;
        uint64_t capacity, next;
        int output;
        bool is_odd, is_open, is_opening, is_lost;
        unsigned n_busy, n_reads, n_opens, opens_max;
        uint64_t open_at_usec;
        uint64_t bytes, n_answers;
        int error;
        uint64_t error_offset;
        char text[SOURCE_ERROR_SIZE];
        Read *reads;
};

static size_t next_length(const Reader *reader, uint64_t offset)
{
        static const size_t odd[] = { 1, 511, 4097, 65536, 1000003, (size_t) 1024 * 1024, 13 };
        size_t n = reader->is_odd ? odd[reader->n_answers % 7] : SOURCE_READ_BYTES_MAX;

        return reader->capacity - offset < n ? (size_t) (reader->capacity - offset) : n;
}

static void lose(Reader *reader, int error, uint64_t offset)
{
        if (!reader->is_lost) {
                reader->error = error;
                reader->error_offset = offset;
                (void) snprintf(reader->text, sizeof(reader->text), "%s", reader->source->error);
        }
        reader->is_lost = true;
}

static void on_read(void *userdata, int error)
{
        Read *one = userdata;
        Reader *reader = one->reader;

        if (!one->is_busy) {
                (void) fprintf(stderr, "read-source: answered twice\n");
                abort();
        }
        one->is_busy = false;
        reader->n_busy--;
        reader->n_answers++;
        one->is_missing = error < 0;
        if (error < 0) {
                lose(reader, error, one->offset);
                return;
        }
        if (pwrite(reader->output, one->buffer, one->length, (off_t) one->offset) !=
            (ssize_t) one->length) {
                (void) fprintf(stderr, "read-source: cannot write: %m\n");
                abort();
        }
        reader->bytes += one->length;
}

static void on_open(void *userdata, int error)
{
        Reader *reader = userdata;

        reader->is_opening = false;
        if (error >= 0 && reader->source->size_bytes != reader->capacity)
                error = -ERANGE;
        if (error < 0)
                lose(reader, error, 0);
        else
                reader->is_open = true;
}

static void begin_reads(Reader *reader)
{
        for (unsigned i = 0; i < reader->n_reads && reader->is_open && !reader->is_lost; i++) {
                Read *one = reader->reads + i;
                int r;

                if (one->is_busy || (!one->is_missing && reader->next >= reader->capacity))
                        continue;
                if (!one->is_missing) {
                        one->offset = reader->next;
                        one->length = next_length(reader, reader->next);
                        reader->next += one->length;
                }
                one->is_busy = true;
                reader->n_busy++;
                r = reader->source->ops->read(reader->source, one->buffer, one->length, one->offset,
                                              on_read, one);
                if (r < 0)
                        on_read(one, r);
        }
}

static bool is_final(int error)
{
        return error == -EACCES || error == -ENOENT || error == -EINVAL || error == -EOPNOTSUPP ||
               error == -ESTALE;
}

/* false: that was all. */
static bool reopen(Reader *reader)
{
        reader->source->ops->close(reader->source);
        reader->is_open = reader->is_lost = false;
        if (is_final(reader->error) || reader->n_opens >= reader->opens_max)
                return false;
        reader->open_at_usec = clock_monotonic_usec() + REOPEN_MSEC * USEC_PER_MSEC;
        return true;
}

static void begin_open(Reader *reader)
{
        int r;

        reader->n_opens++;
        reader->is_opening = true;
        r = reader->source->ops->open(reader->source, on_open, reader);
        if (r < 0)
                on_open(reader, r);
}

/* One round. false: the end. */
static bool go_on(Reader *reader)
{
        struct pollfd fds[SOURCE_FDS_MAX];
        uint64_t deadline = UINT64_MAX, now;
        size_t n;

        if (!reader->is_open && !reader->is_opening && !reader->is_lost &&
            clock_monotonic_usec() >= reader->open_at_usec)
                begin_open(reader);
        if (reader->is_open)
                begin_reads(reader);
        if (reader->is_lost && reader->n_busy == 0 && !reader->is_opening)
                return reopen(reader);
        if (reader->is_open && reader->n_busy == 0 && reader->next >= reader->capacity)
                return false;
        if (!reader->is_open && !reader->is_opening)
                deadline = reader->open_at_usec;
        n = reader->source->ops->poll(reader->source, fds, &deadline);
        now = clock_monotonic_usec();
        if (poll(fds, n,
                 deadline == UINT64_MAX ? -1
                 : deadline <= now      ? 0
                                        : (int) ((deadline - now + 999) / USEC_PER_MSEC)) < 0 &&
            errno != EINTR)
                return false;
        reader->source->ops->dispatch(reader->source, fds, n);
        return true;
}

static int run(Reader *reader)
{
        reader->n_reads = reader->n_reads > 0 ? reader->n_reads : reader->source->n_reads;
        reader->reads = calloc(reader->n_reads, sizeof(*reader->reads));
        for (unsigned i = 0; reader->reads && i < reader->n_reads; i++) {
                reader->reads[i].reader = reader;
                reader->reads[i].buffer = malloc(SOURCE_READ_BYTES_MAX);
                if (!reader->reads[i].buffer)
                        return -ENOMEM;
        }
        if (!reader->reads)
                return -ENOMEM;
        while (go_on(reader))
                ;
        reader->source->ops->close(reader->source);
        return 0;
}

static int parse_options(Reader *reader, HttpTimeouts *timeouts, int argc, char *argv[])
{
        for (int i = 5; i < argc; i++) {
                uint64_t n = 0;
                char *equals = strchr(argv[i], '=');

                if (strcmp(argv[i], "odd") == 0) {
                        reader->is_odd = true;
                        continue;
                }
                if (!equals || parse_uint64(equals + 1, 1, 1000, &n) < 0)
                        return -EINVAL;
                if (strncmp(argv[i], "opens=", 6) == 0)
                        reader->opens_max = (unsigned) n;
                else if (strncmp(argv[i], "reads=", 6) == 0)
                        reader->n_reads = (unsigned) n;
                else if (strncmp(argv[i], "stall=", 6) == 0)
                        timeouts->stall_sec = (long) n;
                else
                        return -EINVAL;
        }
        return 0;
}

static void print_end(const Reader *reader, const Failure *failure)
{
        json_t *end = failure->name ? json_pack("{s:s,s:s,s:s}", "result", "refused", "name",
                                                failure->name, "error", failure->text)
                      : reader->error < 0 && reader->bytes < reader->capacity
                                      ? json_pack("{s:s,s:s,s:s,s:I}", "result", "failed", "code",
                                                  strerrorname_np(-reader->error), "error",
                                                  reader->text, "offset",
                                                  (json_int_t) reader->error_offset)
                                      : json_pack("{s:s}", "result", "ok");

        (void) json_object_set_new(end, "bytes", json_integer((json_int_t) reader->bytes));
        (void) json_object_set_new(end, "opens", json_integer(reader->n_opens));
        (void) json_dumpf(end, stdout, JSON_COMPACT);
        (void) fputc('\n', stdout);
        json_decref(end);
}

static const char *text_of(const json_t *spec, const char *key)
{
        return json_string_value(json_object_get(spec, key));
}

int main(int argc, char *argv[])
{
        struct sigaction ignore = { .sa_handler = SIG_IGN };
        HttpTimeouts timeouts = { .connect_msec = 5000, .stall_sec = 30 };
        Reader reader = { .opens_max = 1 };
        Failure failure = {};
        json_t *spec;
        int r;

        spec = argc >= 5 ? json_load_file(argv[2], 0, NULL) : NULL;
        if (!spec || parse_uint64(argv[3], 1, INT64_MAX, &reader.capacity) < 0 ||
            parse_options(&reader, &timeouts, argc, argv) < 0) {
                (void) fprintf(stderr, "read-source: wrong arguments\n");
                return 64;
        }
        (void) sigaction(SIGPIPE, &ignore, NULL);
        reader.output = open(argv[4], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        SourceVsphereSpec source = {
                .vcenter = json_object_get(spec, "vcenter"),
                .vm = json_object_get(spec, "vm"),
                .vddk = json_object_get(spec, "vddk"),
                .datastore_path = text_of(spec, "datastore_path"),
                .datacenter = text_of(spec, "datacenter"),
                .capacity_bytes = reader.capacity,
                .disk_key = 2000,
                .n_connections = 8,
                .asks_extents = true,
                .timeouts = &timeouts,
        };
        if (strcmp(argv[1], "vddk") == 0)
                r = source_vddk_new(&source, &reader.source, &failure);
        else
                r = source_https_new(&source, &reader.source, &failure);
        if (r >= 0)
                (void) run(&reader);
        print_end(&reader, &failure);
        for (unsigned i = 0; reader.reads && i < reader.n_reads; i++)
                free(reader.reads[i].buffer);
        free(reader.reads);
        (void) source_free(reader.source);
        json_decref(spec);
        return failure.name || (reader.error < 0 && reader.bytes < reader.capacity);
}
