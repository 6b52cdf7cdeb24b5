/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A disk of a datastore over HTTPS: https://HOST/folder/… with the session's cookie. open() reads the VMDK
 * descriptor and one byte of the file that it names, so that what is no flat file of the right size is refused before
 * anything else. Each read is one request for one range on one of a few kept connections.
 *
 * What may pass (a cut-off answer, 5xx, a stall) is asked for again a few times, in which the other connections go on;
 * then the engine hears of it, closes and opens anew. A 401 waits for one new login.
 */
#include "https-slots.h"

#include "clock.h"
#include "parse.h"
#include "vmdk-descriptor.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/eventfd.h>

enum {
        AHEAD = 1, /* a read that goes out as soon as a connection is free */
};

static const HttpTimeouts usual = { .connect_msec = 15000, .stall_sec = 30 };

static void forget_cookie(SourceHttps *https)
{
        if (https->cookie)
                explicit_bzero(https->cookie, strlen(https->cookie));
        free(TAKE(https->cookie));
}

static void https_close(Source *source)
{
        SourceHttps *https = (SourceHttps *) source;

        https_slots_close(https);
        https->pool = http_pool_free(https->pool);
        free(TAKE(https->flat_url));
        free(TAKE(https->descriptor));
        forget_cookie(https);
        https->generation = 0;
        https->phase = HTTPS_PHASE_CLOSED;
}

static void open_end(SourceHttps *https, int error)
{
        if (error >= 0) {
                https->source.size_bytes = https->capacity_bytes;
                https->phase = HTTPS_PHASE_OPEN;
        }
        (void) https_answer(https, https->open_answer, https->open_userdata, error);
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

        https->phase = HTTPS_PHASE_PROBE;
        return https_slots_begin(https, &ask, on_probe, https);
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
        https->phase = HTTPS_PHASE_DESCRIPTOR;
        return https_slots_begin(https, &ask, on_descriptor, https);
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
        if (https->phase == HTTPS_PHASE_LOGIN) {
                *ret_than = 0;
                return true;
        }
        *ret_than = https->generation;
        for (unsigned i = 0; i < https->n_slots; i++)
                if (https->slots[i].state == HTTPS_SLOT_LOGIN &&
                    https->slots[i].generation == https->generation)
                        return true;
        return false;
}

/* false: closed meanwhile. */
static bool login_failed(SourceHttps *https, int error, const char *text)
{
        (void) source_fail(&https->source, error, "%s", text);
        https->source.error_name = session_error_name(https->session);
        if (https->phase == HTTPS_PHASE_LOGIN)
                return open_end(https, error), false;
        for (unsigned i = 0; i < https->n_slots; i++)
                if (https->slots[i].state == HTTPS_SLOT_LOGIN)
                        if (!https_slots_answer(https, https->slots + i, error))
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
        if (https->phase == HTTPS_PHASE_LOGIN) {
                r = make_handles(https);
                if (r < 0)
                        open_end(https, r);
                return https->phase != HTTPS_PHASE_CLOSED;
        }
        return true;
}

static int https_open(Source *source, SourceAnswer answer, void *userdata)
{
        SourceHttps *https = (SourceHttps *) source;

        https->n_opened++;
        https->phase = HTTPS_PHASE_LOGIN;
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

        return https_slots_read(https, &ask, answer, userdata);
}

static size_t https_poll(Source *source, struct pollfd fds[static SOURCE_FDS_MAX],
                         uint64_t *deadline_usec)
{
        SourceHttps *https = (SourceHttps *) source;
        uint64_t at = UINT64_MAX;
        size_t n = 0;

        if (https->phase == HTTPS_PHASE_CLOSED)
                return 0;
        fds[n++] = (struct pollfd){ .fd = session_fd(https->session), .events = POLLIN };
        if (https->pool) {
                fds[n++] = (struct pollfd){ .fd = http_pool_fd(https->pool), .events = POLLIN };
                at = http_pool_deadline(https->pool);
        }
        for (unsigned i = 0; i < https->n_slots; i++)
                if (https->slots[i].state == HTTPS_SLOT_PAUSED && https->slots[i].at_usec < at)
                        at = https->slots[i].at_usec;
        if (at < *deadline_usec)
                *deadline_usec = at;
        return n;
}

static void https_dispatch(Source *source, const struct pollfd *fds, size_t n_fds)
{
        SourceHttps *https = (SourceHttps *) source;
        eventfd_t n;

        if (https->phase == HTTPS_PHASE_CLOSED)
                return;
        if (n_fds > 0 && fds[0].revents)
                (void) eventfd_read(session_fd(https->session), &n);
        if (https_slots_finish(https) && go_on_login(https) && https_slots_go_on(https))
                (void) https_slots_take_queue(https);
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
        unsigned n = spec->n_connections > HTTPS_SLOTS_MAX ? HTTPS_SLOTS_MAX : spec->n_connections;
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
