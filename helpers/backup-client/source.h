/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where a disk is read from, whatever it is: a file, an NBD server, a datastore. The copy engine
 * (disk.c, copy.c) knows these functions and no kinds; each kind is a room source-<kind>.c with a
 * constructor, and source_make() is the one place that knows all of them.
 *
 * Everything happens in one thread. Nothing here may wait: a kind starts its work, gives the loop something
 * to poll, and goes on in dispatch(). What takes long at the start (a handshake, a login, a descriptor) is part
 * of open(), which answers when it is done.
 *
 * A content never changes: what is read is a snapshot. So a read may be repeated at any time, also
 * after close() and another open().
 */
#pragma once

#include "extents.h"
#include "failure.h"

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Source Source;
typedef struct DiskSpec DiskSpec;
typedef struct CopySpec CopySpec;

enum {
        SOURCE_OPEN_SEC =
                        200, /* all of open(), logins included; longer than what each kind allows itself */
        SOURCE_FDS_MAX = 16, /* what poll() gives at most */
        SOURCE_READ_BYTES_MAX = 1024 * 1024, /* of one read */
        SOURCE_READ_BYTES_USUAL =
                        256 *
                        1024, /* larger pieces fall out of the processor's cache on their way */
        SOURCE_ERROR_SIZE = 448,
};

/* The answer of what was begun: 0 or a negative errno, then with source->error set to one line for people (no
 * password in it). Called exactly once for each call that returned 0, either before that call returns or
 * from dispatch(); never after close() has returned. */
typedef void (*SourceAnswer)(void *userdata, int error);

typedef struct SourceOps {
        const char *kind; /* the word in the spec */

        /* Connects, and learns size_bytes and knows_extents. Called on a source that is closed: at first, and again
         * after a fault, as often as the engine has patience. -EACCES, -ENOENT, -EINVAL, -EOPNOTSUPP as the
         * answer: another try is of no use. -ESTALE: what answers is another disk than before. Everything
         * else may pass. The engine gives up on its own when no answer comes for SOURCE_OPEN_SEC; what stands in
         * source->error by then is told. */
        int (*open)(Source *source, SourceAnswer answer, void *userdata);

        /* Reads length bytes at offset, all of them or none: 1 to SOURCE_READ_BYTES_MAX, within size_bytes, at
         * any byte. buffer stays valid until the answer or close(). A kind may cut and repeat as it
         * likes (ranges, retries at once, a new login); an error that it answers makes the engine wait for
         * all other answers, close(), and open() after a while. Returns a negative errno when it cannot even begin,
         * which is the same to the engine as such an answer. */
        int (*read)(Source *source, void *buffer, size_t length, uint64_t offset,
                    SourceAnswer answer, void *userdata);

        /* NULL, or, when knows_extents: says which parts of the range read as zeroes, by extents_add() in order
         * from offset on. It may stop early, but not at offset: the rest is asked for again. One
         * question is under way at a time, beside any number of reads. An error makes the engine
         * read the range instead. */
        int (*ask_extents)(Source *source, uint64_t offset, uint64_t length, Extents *extents,
                           SourceAnswer answer, void *userdata);

        /* What to wait for: fills fds, returns how many, and lowers *deadline_usec (clock_monotonic_usec()) when
         * dispatch() must be called by then without an event. Nothing to do: 0 fds. */
        size_t (*poll)(Source *source, struct pollfd fds[static SOURCE_FDS_MAX],
                       uint64_t *deadline_usec);

        /* After each poll(2): the same fds with revents, possibly none set. Work goes on, answers are given. */
        void (*dispatch)(Source *source, const struct pollfd *fds, size_t n_fds);

        /* Drops every connection and everything under way without an answer, at once. Harmless when
         * repeated. */
        void (*close)(Source *source);

        /* Frees a closed source. */
        void (*free)(Source *source);
} SourceOps;

/* The head of each kind's own struct. */
struct Source {
        const SourceOps *ops;
        uint64_t size_bytes; /* after open(); the engine compares it with the spec each time */
        bool knows_extents; /* after open() */
        unsigned n_reads; /* how many at once are of use, set by the constructor. The engine keeps near it, but a
                           * leaf of many small pieces may be more: a kind that cannot do that queues. */
        uint32_t read_bytes; /* of a read, set by the constructor: what is large is cut into reads of that many, a power
                              * of two up to SOURCE_READ_BYTES_MAX */
        char error[SOURCE_ERROR_SIZE]; /* why the last answer was an error */
        const char *error_name; /* a word for it that says more than SourceFailed, or NULL */
};

/* Makes the source of a disk, closed; what cannot be made at all (an unknown kind, a disk that this kind
 * cannot read) is refused here, before anything is touched. -EINVAL, -EOPNOTSUPP, -ENOMEM with failure set. The
 * spec is borrowed and outlives it. */
int source_make(const CopySpec *spec, const DiskSpec *disk, Source **ret_source, Failure *failure);

/* Closes and frees; NULL is fine. */
Source *source_free(Source *source);

/* Keeps a line in source->error, takes back error_name, and returns error. */
int source_fail(Source *source, int error, const char *format, ...)
                __attribute__((format(printf, 3, 4)));

/* Of one that has not answered open() for SOURCE_OPEN_SEC: -ETIMEDOUT, with what it has said so far. */
int source_fail_opening(Source *source);

/* The kinds that stand here. handshake_sec: how long the server may take to let one in; 0: as usual. */
int source_file_new(const char *path, Source **ret_source);
int source_nbd_new(const char *uri, unsigned n_connections, bool asks_extents,
                   unsigned handshake_sec, Source **ret_source);
