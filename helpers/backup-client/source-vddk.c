/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A disk of a snapshot through VMware's VDDK: nbdkit with the plugin "vddk" as our child, and an NBD source that reads
 * from it. What this room adds to that source is the child: started with each open(), asked to end with
 * each close(), and its last words in the error.
 *
 * We log in ourselves first: a wrong password or certificate is told apart there, and VDDK wants the
 * thumbprint of a certificate that was verified.
 */
#include "source-vsphere.h"

#include "nbdkit.h"
#include "session.h"
#include "vddk-command.h"

#include "datastore-path.h"
#include "secret.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/eventfd.h>

enum {
        NBD_CONNECTIONS = 1, /* each one is a connection to the ESXi host, which has few of them */
        READS = 16,
        HANDSHAKE_SEC = 150, /* VDDK connects, logs in and opens the disk in it; a blocked port alone takes the kernel 127 s */
};

typedef enum Phase {
        PHASE_CLOSED,
        PHASE_LOGIN,
        PHASE_STARTING, /* nbdkit does not listen yet */
        PHASE_CONNECTING,
        PHASE_OPEN,
} Phase;

typedef struct SourceVddk SourceVddk;

/* Who waits for an answer of the NBD source. */
typedef struct Waiter Waiter;
struct Waiter {
        SourceVddk *vddk;
        Waiter *next, **at; /* of all; at is where the pointer to this one stands */
        SourceAnswer answer;
        void *userdata;
};

struct SourceVddk {
        Source source;
        SourceVsphereSpec spec; /* what it points to is borrowed */
        SessionUser *session;
        Phase phase;
        bool was_open; /* ever: from then on a failure may pass */
        Nbdkit *nbdkit, *ending; /* the latter was asked to end */
        SourceVddk *next; /* of all that there are */
        Source *nbd;
        SourceAnswer open_answer;
        void *open_userdata;
        Waiter *waiters;
};

/* A source that is closed is not polled, and its child ends all the same: whoever is polled looks at those of all. */
static SourceVddk *all;

static void reap_ended(void)
{
        for (SourceVddk *vddk = all; vddk; vddk = vddk->next)
                if (vddk->ending && nbdkit_dispatch(vddk->ending) == -ECHILD)
                        vddk->ending = nbdkit_free(vddk->ending);
}

static void answer_open(SourceVddk *vddk, int error)
{
        if (error >= 0) {
                vddk->phase = PHASE_OPEN;
                vddk->was_open = true;
        }
        vddk->open_answer(vddk->open_userdata, error);
}

/* What nbdkit says is worth more than "connection lost". */
static int explain(SourceVddk *vddk, int error, const char *what)
{
        const char *said = vddk->nbdkit ? nbdkit_said(vddk->nbdkit) : "";

        /* A child that is gone is no fault of the place that was read. */
        if (error == -ECHILD)
                error = -ENOTCONN;
        if (!vddk->was_open && (error == -EIO || error == -ENOTCONN))
                error = -ENOENT;
        return source_fail(&vddk->source, error, "VDDK: %s%s%s", *said ? said : what,
                           *said ? "; " : "", *said ? what : "");
}

static void on_nbd_open(void *userdata, int error)
{
        SourceVddk *vddk = userdata;

        if (error >= 0) {
                vddk->source.size_bytes = vddk->nbd->size_bytes;
                vddk->source.knows_extents = vddk->nbd->knows_extents;
        } else
                error = explain(vddk, vddk->was_open ? error : -ENOENT, vddk->nbd->error);
        answer_open(vddk, error);
}

static int connect_nbd(SourceVddk *vddk)
{
        int r;

        vddk->phase = PHASE_CONNECTING;
        r = source_nbd_new(nbdkit_uri(vddk->nbdkit), NBD_CONNECTIONS, vddk->spec.asks_extents,
                           HANDSHAKE_SEC, &vddk->nbd);
        if (r < 0)
                return source_fail(&vddk->source, r, "VDDK: %s", strerror(-r));
        r = vddk->nbd->ops->open(vddk->nbd, on_nbd_open, vddk);
        return r < 0 ? explain(vddk, r, vddk->nbd->error) : 0;
}

static int start_nbdkit(SourceVddk *vddk)
{
        CLEANUP(vddk_command_done) VddkCommand words = {};
        char error[NBDKIT_ERROR_SIZE] = "";
        VddkPlace place = {
                .host = session_host(vddk->session),
                .port = session_port(vddk->session),
                .user = session_name(vddk->session),
                .thumbprint = session_thumbprint(vddk->session),
                .datastore_path = vddk->spec.datastore_path,
        };
        int r;

        if (!*place.thumbprint)
                return source_fail(&vddk->source, -EPROTO,
                                   "VDDK: the thumbprint of vCenter's certificate is not known");
        r = vddk_command_make(vddk->spec.vm, vddk->spec.vddk, &place, &words);
        if (r >= 0)
                r = nbdkit_start(
                                &(NbdkitCommand){
                                                .program = words.program,
                                                .plugin = words.plugin,
                                                .parameters = (const char *const *)
                                                                              words.parameters,
                                                .password = session_password(vddk->session),
                                },
                                &vddk->nbdkit, error);
        if (r < 0)
                return source_fail(&vddk->source, r == -EINVAL ? -EOPNOTSUPP : r, "VDDK: %s",
                                   error[0] ? error : strerror(-r));
        vddk->phase = PHASE_STARTING;
        return 0;
}

static int go_on_login(SourceVddk *vddk)
{
        char error[SESSION_ERROR_SIZE] = "", *cookie = NULL;
        uint64_t generation;
        int r;

        r = session_login(vddk->session, 0, &generation, &cookie, error);
        if (r < 0) {
                (void) source_fail(&vddk->source, r, "%s", error);
                vddk->source.error_name = session_error_name(vddk->session);
                return r;
        }
        if (r == 0)
                return 0;
        explicit_bzero(cookie, strlen(cookie));
        free(cookie);
        return start_nbdkit(vddk);
}

static int vddk_open(Source *source, SourceAnswer answer, void *userdata)
{
        SourceVddk *vddk = (SourceVddk *) source;
        int r;

        reap_ended();
        source->error[0] = '\0';
        vddk->phase = PHASE_LOGIN;
        vddk->open_answer = answer;
        vddk->open_userdata = userdata;
        r = go_on_login(vddk);
        if (r < 0)
                answer_open(vddk, r);
        return 0;
}

static Waiter *waiter_new(SourceVddk *vddk, SourceAnswer answer, void *userdata)
{
        Waiter *waiter = malloc(sizeof(*waiter));

        if (!waiter)
                return NULL;
        *waiter = (Waiter){ vddk, vddk->waiters, &vddk->waiters, answer, userdata };
        if (waiter->next)
                waiter->next->at = &waiter->next;
        vddk->waiters = waiter;
        return waiter;
}

static void waiter_free(Waiter *waiter)
{
        *waiter->at = waiter->next;
        if (waiter->next)
                waiter->next->at = waiter->at;
        free(waiter);
}

static void on_answer(void *userdata, int error)
{
        Waiter waiter = *(Waiter *) userdata;

        waiter_free(userdata);
        if (error < 0)
                error = explain(waiter.vddk, error, waiter.vddk->nbd->error);
        waiter.answer(waiter.userdata, error);
}

static int vddk_read(Source *source, void *buffer, size_t length, uint64_t offset,
                     SourceAnswer answer, void *userdata)
{
        SourceVddk *vddk = (SourceVddk *) source;
        Waiter *waiter = waiter_new(vddk, answer, userdata);
        int r;

        if (!waiter)
                return -ENOMEM;
        r = vddk->nbd->ops->read(vddk->nbd, buffer, length, offset, on_answer, waiter);
        if (r < 0) {
                waiter_free(waiter);
                return explain(vddk, r, vddk->nbd->error);
        }
        return 0;
}

static int vddk_ask_extents(Source *source, uint64_t offset, uint64_t length, Extents *extents,
                            SourceAnswer answer, void *userdata)
{
        SourceVddk *vddk = (SourceVddk *) source;
        Waiter *waiter = waiter_new(vddk, answer, userdata);
        int r;

        if (!waiter)
                return -ENOMEM;
        r = vddk->nbd->ops->ask_extents(vddk->nbd, offset, length, extents, on_answer, waiter);
        if (r < 0) {
                waiter_free(waiter);
                return explain(vddk, r, vddk->nbd->error);
        }
        return 0;
}

static size_t vddk_poll(Source *source, struct pollfd fds[static SOURCE_FDS_MAX],
                        uint64_t *deadline_usec)
{
        SourceVddk *vddk = (SourceVddk *) source;
        struct pollfd inner[SOURCE_FDS_MAX];
        size_t n = 0, n_inner;

        reap_ended();
        if (vddk->phase == PHASE_LOGIN)
                fds[n++] = (struct pollfd){ .fd = session_fd(vddk->session), .events = POLLIN };
        if (vddk->nbdkit) {
                nbdkit_poll(vddk->nbdkit, fds + n);
                n += NBDKIT_FDS;
        }
        if (vddk->nbd) {
                n_inner = vddk->nbd->ops->poll(vddk->nbd, inner, deadline_usec);
                for (size_t i = 0; i < n_inner && n < SOURCE_FDS_MAX; i++)
                        fds[n++] = inner[i];
        }
        return n;
}

/* Of an ended child the NBD source hears by itself, when it has a connection. */
static int go_on_nbdkit(SourceVddk *vddk)
{
        int r = nbdkit_dispatch(vddk->nbdkit);

        /* For the engine, which may lose patience first. */
        if (vddk->phase != PHASE_OPEN && *nbdkit_said(vddk->nbdkit))
                (void) source_fail(&vddk->source, -ETIMEDOUT, "VDDK: %s",
                                   nbdkit_said(vddk->nbdkit));
        if (vddk->phase != PHASE_STARTING || r == 0)
                return 0;
        return r < 0 ? explain(vddk, r, "nbdkit ended before it listened") : connect_nbd(vddk);
}

static void vddk_dispatch(Source *source, const struct pollfd *fds, size_t n_fds)
{
        SourceVddk *vddk = (SourceVddk *) source;
        bool was_nbd = vddk->nbd;
        eventfd_t news;
        int r = 0;

        if (vddk->phase == PHASE_LOGIN) {
                (void) eventfd_read(session_fd(vddk->session), &news);
                r = go_on_login(vddk);
        } else if (vddk->nbdkit)
                r = go_on_nbdkit(vddk);
        if (r < 0) {
                answer_open(vddk, r);
                return;
        }
        if (was_nbd && n_fds >= NBDKIT_FDS)
                vddk->nbd->ops->dispatch(vddk->nbd, fds + NBDKIT_FDS, n_fds - NBDKIT_FDS);
}

/* The child may take its time to let go of the disk; the one before it has had it. */
static void vddk_close(Source *source)
{
        SourceVddk *vddk = (SourceVddk *) source;

        vddk->nbd = source_free(vddk->nbd);
        if (vddk->nbdkit) {
                nbdkit_stop(vddk->nbdkit);
                vddk->ending = nbdkit_free(vddk->ending);
                vddk->ending = TAKE(vddk->nbdkit);
        }
        while (vddk->waiters)
                waiter_free(vddk->waiters);
        vddk->phase = PHASE_CLOSED;
}

static void vddk_free(Source *source)
{
        SourceVddk *vddk = (SourceVddk *) source;

        vddk_close(source);
        vddk->ending = nbdkit_free(vddk->ending);
        for (SourceVddk **at = &all; *at; at = &(*at)->next)
                if (*at == vddk) {
                        *at = vddk->next;
                        break;
                }
        vddk->session = session_leave(vddk->session);
        free(vddk);
}

static const SourceOps vddk_ops = {
        .kind = "vddk",
        .open = vddk_open,
        .read = vddk_read,
        .ask_extents = vddk_ask_extents,
        .poll = vddk_poll,
        .dispatch = vddk_dispatch,
        .close = vddk_close,
        .free = vddk_free,
};

static int prepare(const SourceVsphereSpec *spec, SessionUser **ret_session, Failure *failure)
{
        CLEANUP(datastore_path_done) DatastorePath path = {};
        int r;

        r = vddk_command_check(spec->vm, spec->vddk, spec->disk_key, failure);
        if (r >= 0)
                r = session_join(spec->vcenter, ret_session, failure);
        if (r < 0)
                return r;
        r = datastore_path_parse(spec->datastore_path, &path);
        if (r < 0)
                return failure_set(failure, r, FAILURE_INVALID, spec->disk_key,
                                   "disk %" PRIu32 ": \"%.200s\" cannot be the path of a disk",
                                   spec->disk_key, spec->datastore_path);
        return 0;
}

int source_vddk_new(const SourceVsphereSpec *spec, Source **ret_source, Failure *failure)
{
        CLEANUP(session_leave_p) SessionUser *session = NULL;
        SourceVddk *vddk;
        int r;

        r = prepare(spec, &session, failure);
        if (r < 0)
                return r;
        vddk = malloc(sizeof(*vddk));
        if (!vddk)
                return -ENOMEM;
        *vddk = (SourceVddk){
                .source = { .ops = &vddk_ops,
                            .n_reads = READS,
                            .read_bytes = SOURCE_READ_BYTES_USUAL },
                .spec = *spec,
                .session = TAKE(session),
                .next = all,
        };
        all = vddk;
        *ret_source = (Source *) vddk;
        return 0;
}
