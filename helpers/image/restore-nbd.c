/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Targets that are written by NBD: somebody's export, and a new QCOW2 or VMDK, which a private qemu-nbd knows how to
 * write. A connection for each writer where the server allows that, else they share those that it takes.
 */
#include "block-digest.h"
#include "bus/bus-error.h"
#include "cleanup.h"
#include "fault-point.h"
#include "nbd-limit.h"
#include "restore-target.h"
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libnbd.h>
#include <string.h>

/* Of somebody's server. Its disks may be slow, and have much to write when it flushes. */
#ifndef ANSWER_SEC
#define ANSWER_SEC 600
#endif

enum {
        HANDSHAKE_MSEC = (ANSWER_SEC < 30 ? ANSWER_SEC : 30) * 1000,
        MORE_HANDSHAKE_MSEC = 5 * 1000, /* of a connection that can be done without */
};

static int fail(const RestoreTarget *target, const char *what, Failure *failure)
{
        int error = nbd_get_errno();

        if (error == ENOSPC || error == EDQUOT)
                return restore_target_errno(failure, -error, what, target->path);
        return failure_set(failure, BUS_ERROR_TARGET_FAILED, "Cannot %s %s: %s", what, target->path,
                           nbd_get_error() ?: "the connection has ended");
}

/* A private server is waited for as long as its file system is. */
static int limit_msec(const RestoreTarget *target)
{
        return target->kind == RESTORE_NBD ? ANSWER_SEC * 1000 : NBD_NO_LIMIT;
}

static int fail_silent(const RestoreTarget *target, const char *what, int msec, Failure *failure)
{
        return failure_set(failure, BUS_ERROR_TARGET_FAILED,
                           "Cannot %s %s: its server has not answered for %d seconds; look at what "
                           "it does, and whether it takes one more client",
                           what, target->path, msec / 1000);
}

/* nbd_get_error() is kept by libnbd for this thread, so nothing else is called before it is told. */
static int connect_one(RestoreTarget *target, int msec, Failure *failure)
{
        struct RestoreConnection *connection = target->connections + target->n_connections;
        struct nbd_handle *nbd = nbd_create();
        const NbdUri *uri = &target->uri;
        int r;

        if (!nbd || nbd_set_export_name(nbd, uri->export_name) < 0)
                r = -EIO;
        else if (target->server.socket)
                r = nbd_aio_connect_unix(nbd, target->server.socket);
        else
                r = *uri->socket ? nbd_aio_connect_unix(nbd, uri->socket)
                                 : nbd_aio_connect_tcp(nbd, uri->host, uri->port);
        r = r < 0 ? -EIO : nbd_limit_handshake(nbd, msec);
        if (r < 0) {
                r = r == -ETIMEDOUT ? fail_silent(target, "connect to", msec, failure)
                                    : fail(target, "connect to", failure);
                nbd_close(nbd);
                return r;
        }
        *connection = (struct RestoreConnection){ .nbd = nbd };
        (void) pthread_mutex_init(&connection->lock, NULL);
        target->n_connections++;
        return 0;
}

static int check_export(const RestoreTarget *target, struct nbd_handle *nbd, Failure *failure)
{
        int64_t size = nbd_get_size(nbd);

        if (size < 0)
                return fail(target, "ask for the size of", failure);
        if ((uint64_t) size < target->capacity_bytes)
                return failure_set(failure, BUS_ERROR_TARGET_TOO_SMALL,
                                   "%s has %" PRId64 " bytes and the disk %" PRIu64
                                   "; choose a larger one",
                                   target->path, size, target->capacity_bytes);
        if (nbd_is_read_only(nbd) != 0)
                return failure_set(failure, BUS_ERROR_TARGET_FAILED,
                                   "%s is read-only; serve it writable", target->path);
        if (nbd_can_flush(nbd) <= 0)
                return failure_set(
                                failure, BUS_ERROR_TARGET_FAILED,
                                "%s: its server cannot make data durable (no flush); use another "
                                "server",
                                target->path);
        return 0;
}

/* A server may announce more connections than it takes: what stands is enough. */
static int connect_all(RestoreTarget *target, Failure *failure)
{
        bool is_private = target->kind != RESTORE_NBD;
        Failure ignored;
        int r;

        r = connect_one(target, is_private ? NBD_NO_LIMIT : HANDSHAKE_MSEC, failure);
        if (r >= 0)
                r = check_export(target, target->connections[0].nbd, failure);
        if (r < 0 || nbd_can_multi_conn(target->connections[0].nbd) <= 0)
                return r;
        while (target->n_connections < target->n_writers + 1 && r >= 0)
                r = connect_one(target, is_private ? NBD_NO_LIMIT : MORE_HANDSHAKE_MSEC,
                                is_private ? failure : &ignored);
        return is_private ? r : 0;
}

/* The name begins with no '-' and no protocol for qemu-img. */
static int make_image(RestoreTarget *target, Failure *failure)
{
        bool is_vmdk = strcmp(target->format, "vmdk") == 0;
        char size[24], name[NAME_MAX + 3];
        const char *const argv[] = { "qemu-img",
                                     "create",
                                     "-q",
                                     "-f",
                                     target->format,
                                     "-o",
                                     is_vmdk ? "subformat=monolithicSparse,adapter_type=lsilogic"
                                             : "compat=1.1,lazy_refcounts=off",
                                     "--",
                                     name,
                                     size,
                                     NULL };
        int r, status;
        Said said;

        (void) snprintf(size, sizeof(size), "%" PRIu64, target->capacity_bytes);
        (void) snprintf(name, sizeof(name), "./%s", target->place.name);
        r = tool_run(target->place.partial, argv, &status, NULL, &said, failure);
        if (r < 0 || status == 0)
                return r;
        return strstr(said.text, "No space left") || strstr(said.text, "quota exceeded")
                               ? restore_target_errno(failure, -ENOSPC, "make", target->path)
                               : tool_failure(failure, BUS_ERROR_TARGET_FAILED, target->path,
                                              "qemu-img cannot make it", &said);
}

/* Whether the file system writes past its cache. */
static bool can_be_direct(const RestoreTarget *target)
{
        static uint8_t block[4096] __attribute__((aligned(4096)));
        _cleanup_close_ int fd = openat(target->place.partial, target->place.name,
                                        O_RDONLY | O_DIRECT | O_CLOEXEC | O_NOFOLLOW);

        return fd >= 0 && pread(fd, block, sizeof(block), 0) == (ssize_t) sizeof(block);
}

static int open_image(RestoreTarget *target, Failure *failure)
{
        ServerUse use = { .format = target->format,
                          .is_writable = true,
                          .n_clients = target->n_writers + 1 };
        int r;

        r = make_image(target, failure);
        if (r < 0)
                return r;
        use.is_direct = can_be_direct(target);
        target->image = (Image){ .path = target->path,
                                 .name = target->place.name,
                                 .folder = target->place.partial,
                                 .fd = -1 };
        return server_start(&target->server, &target->image, &use, failure);
}

static int nbd_type_open(RestoreTarget *target, Failure *failure)
{
        int r = target->kind == RESTORE_FILE ? open_image(target, failure) : 0;

        return r < 0 ? r : connect_all(target, failure);
}

typedef enum Request {
        REQUEST_WRITE,
        REQUEST_ZERO,
        REQUEST_FLUSH,
} Request;

static int64_t send_request(struct nbd_handle *nbd, Request request, const void *data,
                            uint64_t length, uint64_t offset)
{
        switch (request) {
        case REQUEST_WRITE:
                return nbd_aio_pwrite(nbd, data, (size_t) length, offset, NBD_NULL_COMPLETION, 0);
        case REQUEST_ZERO:
                return nbd_aio_zero(nbd, length, offset, NBD_NULL_COMPLETION, 0);
        case REQUEST_FLUSH:
                return nbd_aio_flush(nbd, NBD_NULL_COMPLETION, 0);
        default:
                return -1;
        }
}

static int do_request(RestoreTarget *target, unsigned i, Request request, const void *data,
                      uint64_t length, uint64_t offset, Failure *failure)
{
        static const char *const whats[] = {
                [REQUEST_WRITE] = "write",
                [REQUEST_ZERO] = "write zeroes to",
                [REQUEST_FLUSH] = "make durable",
        };
        struct RestoreConnection *connection = target->connections + i % target->n_connections;
        int r, msec = limit_msec(target);

        (void) pthread_mutex_lock(&connection->lock);
        r = connection->is_silent ? -ETIMEDOUT
                                  : nbd_limit_request(connection->nbd,
                                                      send_request(connection->nbd, request, data,
                                                                   length, offset),
                                                      msec);
        connection->is_silent = r == -ETIMEDOUT;
        if (r < 0)
                r = r == -ETIMEDOUT ? fail_silent(target, whats[request], msec, failure)
                                    : fail(target, whats[request], failure);
        (void) pthread_mutex_unlock(&connection->lock);
        return r;
}

static int nbd_type_write(RestoreTarget *target, unsigned writer, const void *data, size_t length,
                          uint64_t offset, Failure *failure)
{
        return do_request(target, writer, REQUEST_WRITE, data, length, offset, failure);
}

static int nbd_type_zero(RestoreTarget *target, uint64_t offset, uint64_t length, Failure *failure)
{
        unsigned last = target->n_connections - 1;
        bool can_zero = nbd_can_zero(target->connections[0].nbd) > 0;
        static const uint8_t zeroes[LEAF_BYTES];
        int r;

        while (length > 0) {
                uint64_t n = can_zero ? RESTORE_ZERO_BYTES : LEAF_BYTES;

                if (n > length)
                        n = length;
                r = do_request(target, last, can_zero ? REQUEST_ZERO : REQUEST_WRITE, zeroes, n,
                               offset, failure);
                if (r < 0)
                        return r;
                offset += n;
                length -= n;
        }
        return 0;
}

static void close_all(RestoreTarget *target)
{
        for (unsigned i = 0; i < target->n_connections; i++) {
                nbd_close(target->connections[i].nbd);
                (void) pthread_mutex_destroy(&target->connections[i].lock);
        }
        target->n_connections = 0;
}

/* Says goodbye, as far as the server still listens. */
static void disconnect(RestoreTarget *target)
{
        for (unsigned i = 0; i < target->n_connections; i++) {
                struct nbd_handle *nbd = target->connections[i].nbd;

                if (nbd_aio_disconnect(nbd, 0) < 0)
                        continue;
                while (nbd_aio_is_closed(nbd) == 0 && nbd_aio_is_dead(nbd) == 0 &&
                       nbd_poll(nbd, MORE_HANDSHAKE_MSEC) > 0)
                        ;
        }
        close_all(target);
}

static int sync_image(const RestoreTarget *target, Failure *failure)
{
        fault_point("restore.sync-image.before");
        return fsync(target->place.file) < 0
                               ? restore_target_errno(failure, -errno, "write to its disk",
                                                      target->path)
                               : 0;
}

static int nbd_type_finish(RestoreTarget *target, Failure *failure)
{
        int r;

        r = do_request(target, 0, REQUEST_FLUSH, NULL, 0, 0, failure);
        if (r < 0)
                return r;
        if (target->kind == RESTORE_NBD)
                return 0;
        disconnect(target);
        r = server_end(&target->server, failure);
        return r < 0 ? r : sync_image(target, failure);
}

static void nbd_type_close(RestoreTarget *target)
{
        if (target->is_finished)
                disconnect(target);
        close_all(target);
        server_done(&target->server);
}

const RestoreTargetType restore_nbd_type = {
        .open = nbd_type_open,
        .write = nbd_type_write,
        .zero = nbd_type_zero,
        .finish = nbd_type_finish,
        .close = nbd_type_close,
};
