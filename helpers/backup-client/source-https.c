/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A disk of a datastore over HTTPS: https://HOST/folder/… with the session's cookie. open() reads the VMDK
 * descriptor and one byte of the file that it names, so that what is no flat file of the right size is refused before
 * anything else. Each read is one request for one range on one of a few kept connections.
 *
 * What may pass (a cut-off answer, 5xx, a stall) is asked for again a few times, in which the other connections go on;
 * then the engine hears of it, closes and opens anew. A 401 waits for one new login.
 */
#include "source-vsphere.h"

#include "http-pool.h"
#include "session.h"

#include "clock.h"
#include "datastore-path.h"
#include "parse.h"
#include "vmdk-descriptor.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/eventfd.h>

enum {
        CONNECTIONS_MAX = 16,
        AHEAD = 1, /* a read that goes out as soon as a connection is free */
        TRIES_MAX = 6,
        LOGINS_MAX = 2, /* for one read: a login that is refused again at once is none */
        FIRST_PAUSE_MSEC = 100,
};

typedef enum SlotState {
        SLOT_FREE,
        SLOT_RUNNING, /* curl has it */
        SLOT_PAUSED, /* until slot->at_usec */
        SLOT_LOGIN, /* until there is a newer login than slot->generation */
} SlotState;

/* A request and what becomes of its answer. */
typedef struct Slot {
        HttpRequest request;
        SlotState state;
        HttpAsk ask;
        unsigned n_tries, n_logins;
        uint64_t at_usec, generation;
        SourceAnswer answer;
        void *userdata;
} Slot;

/* A read that waits for a slot: the engine may ask for more than we have. */
typedef struct Queued Queued;
struct Queued {
        Queued *next;
        HttpAsk ask;
        SourceAnswer answer;
        void *userdata;
};

typedef enum Phase {
        PHASE_CLOSED,
        PHASE_LOGIN, /* the handles cannot be made before */
        PHASE_DESCRIPTOR,
        PHASE_PROBE, /* of the flat file: is it there, how long is it */
        PHASE_OPEN,
} Phase;

typedef struct SourceHttps {
        Source source;
        SessionUser *session;
        DatastorePath path;
        const char *datacenter; /* borrowed */
        uint64_t capacity_bytes;
        unsigned n_slots;
        bool is_look;
        HttpTimeouts timeouts;
        char *url; /* of the descriptor */
        /* while it is not closed */
        Phase phase;
        unsigned n_opened; /* so that an answer that closes the source is noticed */
        HttpPool *pool;
        char *flat_url;
        char *descriptor;
        char probe;
        SourceAnswer open_answer;
        void *open_userdata;
        char *cookie;
        uint64_t generation;
        Slot slots[CONNECTIONS_MAX];
        Queued *first, *last; /* reads for which there is no slot yet */
        char tag[HTTP_TAG_SIZE]; /* of the flat file; kept when it is closed */
} SourceHttps;

static const HttpTimeouts usual = { .connect_msec = 15000, .stall_sec = 30 };

static void forget_cookie(SourceHttps *https)
{
        if (https->cookie)
                explicit_bzero(https->cookie, strlen(https->cookie));
        free(TAKE(https->cookie));
}

static int queue_add(SourceHttps *https, const HttpAsk *ask, SourceAnswer answer, void *userdata)
{
        Queued *queued = malloc(sizeof(*queued));

        if (!queued)
                return -ENOMEM;
        *queued = (Queued){ NULL, *ask, answer, userdata };
        if (https->last)
                https->last->next = queued;
        else
                https->first = queued;
        https->last = queued;
        return 0;
}

static Queued *queue_take(SourceHttps *https)
{
        Queued *queued = https->first;

        https->first = queued->next;
        if (!https->first)
                https->last = NULL;
        return queued;
}

static void https_close(Source *source)
{
        SourceHttps *https = (SourceHttps *) source;

        for (unsigned i = 0; i < https->n_slots; i++) {
                Slot *slot = https->slots + i;

                if (https->pool && slot->state == SLOT_RUNNING)
                        http_pool_remove(https->pool, &slot->request);
                http_request_close(&slot->request);
                *slot = (Slot){};
        }
        https->pool = http_pool_free(https->pool);
        while (https->first)
                free(queue_take(https));
        free(TAKE(https->flat_url));
        free(TAKE(https->descriptor));
        forget_cookie(https);
        https->generation = 0;
        https->phase = PHASE_CLOSED;
}

/* Nothing of the source may be touched after it, if it says false. */
static bool answer_to(SourceHttps *https, SourceAnswer answer, void *userdata, int error)
{
        unsigned n_opened = https->n_opened;

        answer(userdata, error);
        return https->phase != PHASE_CLOSED && https->n_opened == n_opened;
}

/* The way back to what waits for the slot: a read, or the opening. */
static bool slot_answer(SourceHttps *https, Slot *slot, int error)
{
        slot->state = SLOT_FREE;
        return answer_to(https, slot->answer, slot->userdata, error);
}

static bool slot_fail(SourceHttps *https, Slot *slot, int error, const char *text)
{
        (void) source_fail(&https->source, error, "%s: %.60s", text, https->path.file);
        return slot_answer(https, slot, error);
}

static int slot_run(SourceHttps *https, Slot *slot)
{
        int r;

        slot->generation = https->generation;
        r = http_request_prepare(&slot->request, &slot->ask, https->cookie);
        if (r >= 0)
                r = http_pool_add(https->pool, &slot->request);
        if (r >= 0)
                slot->state = SLOT_RUNNING;
        return r;
}

static bool is_final(int error)
{
        return error == -EACCES || error == -ENOENT || error == -EOPNOTSUPP || error == -ESTALE ||
               error == -ENOMEM;
}

static void slot_pause(Slot *slot)
{
        uint64_t msec = (uint64_t) FIRST_PAUSE_MSEC << (slot->n_tries - 1);

        slot->state = SLOT_PAUSED;
        slot->at_usec = clock_monotonic_usec() + msec * USEC_PER_MSEC;
}

/* false: the source was closed meanwhile. */
static bool slot_ended(SourceHttps *https, Slot *slot, CURLcode code)
{
        int r = http_request_judge(&slot->request, code);

        if (r == 0)
                return slot_answer(https, slot, 0);
        if (r == HTTP_WANTS_LOGIN) {
                if (slot->n_logins++ >= LOGINS_MAX)
                        return slot_fail(https, slot, -EACCES,
                                         "HTTP 401: refused, though the login is good");
                slot->state = SLOT_LOGIN;
                return true;
        }
        if (!is_final(r) && ++slot->n_tries < TRIES_MAX) {
                slot_pause(slot);
                return true;
        }
        return slot_fail(https, slot, r, slot->request.text);
}

/* 1: there is no free slot. */
static int slot_begin(SourceHttps *https, const HttpAsk *ask, SourceAnswer answer, void *userdata)
{
        for (unsigned i = 0; i < https->n_slots; i++) {
                Slot *slot = https->slots + i;
                int r;

                if (slot->state != SLOT_FREE)
                        continue;
                slot->ask = *ask;
                slot->n_tries = slot->n_logins = 0;
                slot->answer = answer;
                slot->userdata = userdata;
                r = slot_run(https, slot);
                return r < 0 ? source_fail(&https->source, r, "cannot ask for it: %s", strerror(-r))
                             : 0;
        }
        return 1;
}

/* Slots that became free. false: closed meanwhile. */
static bool go_on_queue(SourceHttps *https)
{
        while (https->first) {
                _cleanup_free_ Queued *queued = NULL;
                int r = slot_begin(https, &https->first->ask, https->first->answer,
                                   https->first->userdata);

                if (r > 0)
                        return true;
                queued = queue_take(https);
                if (r < 0 && !answer_to(https, queued->answer, queued->userdata, r))
                        return false;
        }
        return true;
}

static void open_end(SourceHttps *https, int error)
{
        if (error >= 0) {
                https->source.size_bytes = https->capacity_bytes;
                https->phase = PHASE_OPEN;
        }
        (void) answer_to(https, https->open_answer, https->open_userdata, error);
}

static void on_probe(void *userdata, int error)
{
        SourceHttps *https = userdata;

        if (error >= 0 && !https->tag[0])
                memcpy(https->tag, https->slots[0].request.tag, sizeof(https->tag));
        open_end(https, error);
}

/* The last byte: a file that is too long is told by the total. */
static int ask_probe(SourceHttps *https)
{
        HttpAsk ask = {
                .url = https->flat_url,
                .buffer = &https->probe,
                .length = 1,
                .offset = https->capacity_bytes - 1,
                .total = https->capacity_bytes,
                .tag = https->tag,
        };

        https->phase = PHASE_PROBE;
        return slot_begin(https, &ask, on_probe, https);
}

static int read_descriptor(SourceHttps *https, const HttpRequest *request)
{
        char error[VMDK_ERROR_SIZE] = "";
        CLEANUP(datastore_path_done) DatastorePath flat = {};
        VmdkDescriptor descriptor;
        int r;

        r = vmdk_descriptor_parse(https->descriptor, request->received + (request->is_more ? 1 : 0),
                                  https->capacity_bytes, &descriptor, error);
        if (r < 0)
                return source_fail(&https->source, r == -ENOMEM ? r : -EOPNOTSUPP,
                                   "cannot be read over HTTPS, only through VDDK: %s", error);
        r = datastore_path_beside(&https->path, descriptor.extent, &flat);
        if (r >= 0)
                r = datastore_path_url(&flat, session_host(https->session),
                                       session_port(https->session), https->datacenter,
                                       &https->flat_url);
        if (r < 0)
                return source_fail(&https->source, r, "the name of its data file is none");
        return 0;
}

static void on_descriptor(void *userdata, int error)
{
        SourceHttps *https = userdata;

        if (error >= 0)
                error = read_descriptor(https, &https->slots[0].request);
        if (error >= 0 && !https->is_look)
                error = ask_probe(https);
        if (error < 0 || https->is_look)
                open_end(https, error);
}

static int ask_descriptor(SourceHttps *https)
{
        HttpAsk ask = {
                .url = https->url,
                .length = VMDK_DESCRIPTOR_SIZE_MAX,
                .is_whole = true,
                .tag = "",
        };

        free(https->descriptor);
        /* One more, which says that there was more. */
        https->descriptor = ask.buffer = calloc(1, VMDK_DESCRIPTOR_SIZE_MAX + 1);
        if (!https->descriptor)
                return -ENOMEM;
        https->phase = PHASE_DESCRIPTOR;
        return slot_begin(https, &ask, on_descriptor, https);
}

/* With the first login there is a trust that the handles can take over. */
static int make_handles(SourceHttps *https)
{
        int r = http_pool_new(https->n_slots, &https->pool);

        for (unsigned i = 0; r >= 0 && i < https->n_slots; i++) {
                HttpRequest *request = &https->slots[i].request;

                r = http_request_open(request, &https->timeouts);
                if (r >= 0)
                        session_trust(https->session, request->curl);
        }
        if (r < 0)
                return source_fail(&https->source, r, "cannot prepare the connections: %s",
                                   strerror(-r));
        return ask_descriptor(https);
}

/* Who waits for a login, or could. 0: nobody any more, or it is still being made. */
static bool needs_login(const SourceHttps *https, uint64_t *ret_than)
{
        if (https->phase == PHASE_LOGIN) {
                *ret_than = 0;
                return true;
        }
        *ret_than = https->generation;
        for (unsigned i = 0; i < https->n_slots; i++)
                if (https->slots[i].state == SLOT_LOGIN &&
                    https->slots[i].generation == https->generation)
                        return true;
        return false;
}

/* false: closed meanwhile. */
static bool login_failed(SourceHttps *https, int error, const char *text)
{
        (void) source_fail(&https->source, error, "%s", text);
        https->source.error_name = session_error_name(https->session);
        if (https->phase == PHASE_LOGIN)
                return open_end(https, error), false;
        for (unsigned i = 0; i < https->n_slots; i++)
                if (https->slots[i].state == SLOT_LOGIN)
                        if (!slot_answer(https, https->slots + i, error))
                                return false;
        return true;
}

/* false: closed meanwhile. */
static bool go_on_login(SourceHttps *https)
{
        char text[SESSION_ERROR_SIZE] = "", *cookie = NULL;
        uint64_t than, generation;
        int r;

        if (!needs_login(https, &than))
                return true;
        r = session_login(https->session, than, &generation, &cookie, text);
        if (r == 0)
                return true;
        if (r < 0)
                return login_failed(https, r, text);
        forget_cookie(https);
        https->cookie = cookie;
        https->generation = generation;
        if (https->phase == PHASE_LOGIN) {
                r = make_handles(https);
                if (r < 0)
                        open_end(https, r);
                return https->phase != PHASE_CLOSED;
        }
        return true;
}

/* Slots whose time has come. false: closed meanwhile. */
static bool go_on_slots(SourceHttps *https)
{
        uint64_t now = clock_monotonic_usec();

        for (unsigned i = 0; i < https->n_slots; i++) {
                Slot *slot = https->slots + i;
                bool due = (slot->state == SLOT_PAUSED && slot->at_usec <= now) ||
                           (slot->state == SLOT_LOGIN && slot->generation != https->generation);
                int r = due ? slot_run(https, slot) : 0;

                if (r < 0 && !slot_fail(https, slot, r, "cannot ask for it"))
                        return false;
        }
        return true;
}

static Slot *slot_of(SourceHttps *https, const HttpRequest *request)
{
        for (unsigned i = 0; i < https->n_slots; i++)
                if (&https->slots[i].request == request)
                        return https->slots + i;
        return NULL;
}

/* false: closed meanwhile. */
static bool go_on_pool(SourceHttps *https)
{
        HttpRequest *request;
        CURLcode code;

        if (!https->pool)
                return true;
        http_pool_work(https->pool);
        while ((request = http_pool_next(https->pool, &code))) {
                Slot *slot = slot_of(https, request);

                if (slot && slot->state == SLOT_RUNNING && !slot_ended(https, slot, code))
                        return false;
        }
        return true;
}

static int https_open(Source *source, SourceAnswer answer, void *userdata)
{
        SourceHttps *https = (SourceHttps *) source;

        https->n_opened++;
        https->phase = PHASE_LOGIN;
        https->open_answer = answer;
        https->open_userdata = userdata;
        (void) go_on_login(https);
        return 0;
}

static int https_read(Source *source, void *buffer, size_t length, uint64_t offset,
                      SourceAnswer answer, void *userdata)
{
        SourceHttps *https = (SourceHttps *) source;
        HttpAsk ask = {
                .url = https->flat_url,
                .buffer = buffer,
                .length = length,
                .offset = offset,
                .total = https->capacity_bytes,
                .tag = https->tag,
        };

        int r = https->first ? 1 : slot_begin(https, &ask, answer, userdata);

        return r > 0 ? queue_add(https, &ask, answer, userdata) : r;
}

static size_t https_poll(Source *source, struct pollfd fds[static SOURCE_FDS_MAX],
                         uint64_t *deadline_usec)
{
        SourceHttps *https = (SourceHttps *) source;
        uint64_t at = UINT64_MAX;
        size_t n = 0;

        if (https->phase == PHASE_CLOSED)
                return 0;
        fds[n++] = (struct pollfd){ .fd = session_fd(https->session), .events = POLLIN };
        if (https->pool) {
                fds[n++] = (struct pollfd){ .fd = http_pool_fd(https->pool), .events = POLLIN };
                at = http_pool_deadline(https->pool);
        }
        for (unsigned i = 0; i < https->n_slots; i++)
                if (https->slots[i].state == SLOT_PAUSED && https->slots[i].at_usec < at)
                        at = https->slots[i].at_usec;
        if (at < *deadline_usec)
                *deadline_usec = at;
        return n;
}

static void https_dispatch(Source *source, const struct pollfd *fds, size_t n_fds)
{
        SourceHttps *https = (SourceHttps *) source;
        eventfd_t n;

        if (https->phase == PHASE_CLOSED)
                return;
        if (n_fds > 0 && fds[0].revents)
                (void) eventfd_read(session_fd(https->session), &n);
        if (go_on_pool(https) && go_on_login(https) && go_on_slots(https))
                (void) go_on_queue(https);
}

static void https_free(Source *source)
{
        SourceHttps *https = (SourceHttps *) source;

        https_close(source);
        https->session = session_leave(https->session);
        datastore_path_done(&https->path);
        free(https->url);
        free(https);
}

static const SourceOps https_ops = {
        .kind = "https",
        .open = https_open,
        .read = https_read,
        .poll = https_poll,
        .dispatch = https_dispatch,
        .close = https_close,
        .free = https_free,
};

static int prepare(SourceHttps *https, const SourceVsphereSpec *spec, Failure *failure)
{
        int r;

        r = session_join(spec->vcenter, &https->session, failure);
        if (r < 0)
                return r;
        r = datastore_path_parse(spec->datastore_path, &https->path);
        if (r >= 0)
                r = datastore_path_url(&https->path, session_host(https->session),
                                       session_port(https->session), spec->datacenter ?: "",
                                       &https->url);
        if (r < 0)
                return failure_set(failure, r, FAILURE_INVALID, spec->disk_key,
                                   "disk %" PRIu32
                                   ": \"%.200s\" in the datacenter \"%.100s\" cannot "
                                   "be the path of a disk",
                                   spec->disk_key, spec->datastore_path, spec->datacenter ?: "");
        return 0;
}

int source_https_new(const SourceVsphereSpec *spec, Source **ret_source, Failure *failure)
{
        unsigned n = spec->n_connections > CONNECTIONS_MAX ? CONNECTIONS_MAX : spec->n_connections;
        SourceHttps *https = calloc(1, sizeof(*https));
        int r;

        if (!https)
                return -ENOMEM;
        https->n_slots = n > 0 ? n : 1;
        https->source = (Source){ .ops = &https_ops,
                                  .n_reads = https->n_slots + AHEAD,
                                  .read_bytes = SOURCE_READ_BYTES_MAX };
        https->is_look = spec->is_look;
        https->datacenter = spec->datacenter;
        https->capacity_bytes = spec->capacity_bytes;
        https->timeouts = spec->timeouts ? *spec->timeouts : usual;
        r = prepare(https, spec, failure);
        if (r < 0) {
                https_free(&https->source);
                return r;
        }
        *ret_source = &https->source;
        return 0;
}
