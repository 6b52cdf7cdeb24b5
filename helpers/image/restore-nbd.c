/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Targets that are written by NBD: somebody's export, and a new QCOW2 or VMDK, which a private qemu-nbd knows how to
 * write. A connection for each writer where the server allows that, else all share one.
 */
#include "block-digest.h"
#include "bus/bus-error.h"
#include "cleanup.h"
#include "fault-point.h"
#include "restore-target.h"
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libnbd.h>
#include <string.h>

#define ZERO_BYTES (UINT64_C(256) * 1024 * 1024) /* of one request */

static int fail(const RestoreTarget *target, const char *what, Failure *failure)
{
        int error = nbd_get_errno();

        if (error == ENOSPC || error == EDQUOT)
                return restore_target_errno(failure, -error, what, target->path);
        return failure_set(failure, BUS_ERROR_TARGET_FAILED, "Cannot %s %s: %s", what, target->path,
                           nbd_get_error());
}

static int connect_one(RestoreTarget *target, unsigned i, Failure *failure)
{
        struct nbd_handle *nbd = nbd_create();
        const NbdUri *uri = &target->uri;
        int r;

        target->writers[i] = nbd;
        target->n_handles = i + 1;
        if (!nbd || nbd_set_export_name(nbd, uri->export_name) < 0)
                return fail(target, "prepare a connection to", failure);
        if (target->server.socket)
                r = nbd_connect_unix(nbd, target->server.socket);
        else
                r = *uri->socket ? nbd_connect_unix(nbd, uri->socket)
                                 : nbd_connect_tcp(nbd, uri->host, uri->port);
        return r < 0 ? fail(target, "connect to", failure) : 0;
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

static int connect_all(RestoreTarget *target, Failure *failure)
{
        unsigned n = target->n_writers + 1;
        int r;

        r = connect_one(target, 0, failure);
        if (r >= 0)
                r = check_export(target, target->writers[0], failure);
        if (r >= 0 && nbd_can_multi_conn(target->writers[0]) <= 0)
                n = 1;
        for (unsigned i = 1; i < n && r >= 0; i++)
                r = connect_one(target, i, failure);
        return r;
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
        return server_start_for(&target->server, &target->image, &use, failure);
}

static int nbd_type_open(RestoreTarget *target, Failure *failure)
{
        int r = target->kind == RESTORE_FILE ? open_image(target, failure) : 0;

        return r < 0 ? r : connect_all(target, failure);
}

static int nbd_type_write(RestoreTarget *target, unsigned writer, const void *data, size_t length,
                          uint64_t offset, Failure *failure)
{
        struct nbd_handle *nbd = target->writers[writer < target->n_handles ? writer : 0];

        return nbd_pwrite(nbd, data, length, offset, 0) < 0 ? fail(target, "write", failure) : 0;
}

static int nbd_type_zero(RestoreTarget *target, uint64_t offset, uint64_t length, Failure *failure)
{
        struct nbd_handle *nbd = target->writers[target->n_handles - 1];
        _cleanup_free_ void *zeroes = NULL;
        bool can_zero = nbd_can_zero(nbd) > 0;
        int r;

        if (!can_zero) {
                zeroes = calloc(1, LEAF_BYTES);
                if (!zeroes)
                        return failure_errno(failure, -ENOMEM, "%s", target->path);
        }
        while (length > 0) {
                uint64_t n = can_zero ? ZERO_BYTES : LEAF_BYTES;

                if (n > length)
                        n = length;
                r = can_zero ? nbd_zero(nbd, n, offset, 0)
                             : nbd_pwrite(nbd, zeroes, (size_t) n, offset, 0);
                if (r < 0)
                        return fail(target, "write zeroes to", failure);
                offset += n;
                length -= n;
        }
        return 0;
}

static void disconnect(RestoreTarget *target)
{
        for (unsigned i = 0; i < target->n_handles; i++) {
                (void) nbd_shutdown(target->writers[i], 0);
                nbd_close(target->writers[i]);
        }
        target->n_handles = 0;
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

        if (nbd_flush(target->writers[0], 0) < 0)
                return fail(target, "make durable", failure);
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
        for (unsigned i = 0; i < target->n_handles; i++)
                nbd_close(target->writers[i]);
        target->n_handles = 0;
        server_done(&target->server);
}

const RestoreTargetType restore_nbd_type = {
        .open = nbd_type_open,
        .write = nbd_type_write,
        .zero = nbd_type_zero,
        .finish = nbd_type_finish,
        .close = nbd_type_close,
};
