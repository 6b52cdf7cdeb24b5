/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Requests of a disk over HTTPS (see https-slots.h): what becomes of an answer, and what waits for a connection.
 */
#include "https-slots.h"

#include "cleanup.h"
#include "clock.h"
#include "parse.h"

#include <errno.h>
#include <string.h>

enum {
        TRIES_MAX = 6,
        LOGINS_MAX = 2, /* for one read: a login that is refused again at once is none */
        FIRST_PAUSE_MSEC = 100,
};

static int queue_add(SourceHttps *https, const HttpAsk *ask, SourceAnswer answer, void *userdata)
{
        HttpsQueued *queued = malloc(sizeof(*queued));

        if (!queued)
                return -ENOMEM;
        *queued = (HttpsQueued){ NULL, *ask, answer, userdata };
        if (https->last)
                https->last->next = queued;
        else
                https->first = queued;
        https->last = queued;
        return 0;
}

static HttpsQueued *queue_take(SourceHttps *https)
{
        HttpsQueued *queued = https->first;

        https->first = queued->next;
        if (!https->first)
                https->last = NULL;
        return queued;
}

/* Nothing of the source may be touched after it, if it says false. */
bool https_answer(SourceHttps *https, SourceAnswer answer, void *userdata, int error)
{
        unsigned n_opened = https->n_opened;

        answer(userdata, error);
        return https->phase != HTTPS_PHASE_CLOSED && https->n_opened == n_opened;
}

/* The way back to what waits for the slot: a read, or the opening. */
bool https_slots_answer(SourceHttps *https, HttpsSlot *slot, int error)
{
        slot->state = HTTPS_SLOT_FREE;
        return https_answer(https, slot->answer, slot->userdata, error);
}

static bool slot_fail(SourceHttps *https, HttpsSlot *slot, int error, const char *text)
{
        (void) source_fail(&https->source, error, "%s: %.60s", text, https->path.file);
        return https_slots_answer(https, slot, error);
}

static int slot_run(SourceHttps *https, HttpsSlot *slot)
{
        int r;

        slot->generation = https->generation;
        r = http_request_prepare(&slot->request, &slot->ask, https->cookie);
        if (r >= 0)
                r = http_pool_add(https->pool, &slot->request);
        if (r >= 0)
                slot->state = HTTPS_SLOT_RUNNING;
        return r;
}

static bool is_final(int error)
{
        return error == -EACCES || error == -ENOENT || error == -EOPNOTSUPP || error == -ESTALE ||
               error == -ENOMEM;
}

static void slot_pause(HttpsSlot *slot)
{
        uint64_t msec = (uint64_t) FIRST_PAUSE_MSEC << (slot->n_tries - 1);

        slot->state = HTTPS_SLOT_PAUSED;
        slot->at_usec = clock_monotonic_usec() + msec * USEC_PER_MSEC;
}

/* false: the source was closed meanwhile. */
static bool slot_ended(SourceHttps *https, HttpsSlot *slot, CURLcode code)
{
        int r = http_request_judge(&slot->request, code);

        if (r == 0)
                return https_slots_answer(https, slot, 0);
        if (r == HTTP_WANTS_LOGIN) {
                if (slot->n_logins++ >= LOGINS_MAX)
                        return slot_fail(https, slot, -EACCES,
                                         "HTTP 401: refused, though the login is good");
                slot->state = HTTPS_SLOT_LOGIN;
                return true;
        }
        if (!is_final(r) && ++slot->n_tries < TRIES_MAX) {
                slot_pause(slot);
                return true;
        }
        return slot_fail(https, slot, r, slot->request.text);
}

/* 1: there is no free slot. */
int https_slots_begin(SourceHttps *https, const HttpAsk *ask, SourceAnswer answer, void *userdata)
{
        for (unsigned i = 0; i < https->n_slots; i++) {
                HttpsSlot *slot = https->slots + i;
                int r;

                if (slot->state != HTTPS_SLOT_FREE)
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
bool https_slots_take_queue(SourceHttps *https)
{
        while (https->first) {
                _cleanup_free_ HttpsQueued *queued = NULL;
                int r = https_slots_begin(https, &https->first->ask, https->first->answer,
                                          https->first->userdata);

                if (r > 0)
                        return true;
                queued = queue_take(https);
                if (r < 0 && !https_answer(https, queued->answer, queued->userdata, r))
                        return false;
        }
        return true;
}

/* Slots whose time has come. false: closed meanwhile. */
bool https_slots_go_on(SourceHttps *https)
{
        uint64_t now = clock_monotonic_usec();

        for (unsigned i = 0; i < https->n_slots; i++) {
                HttpsSlot *slot = https->slots + i;
                bool due = (slot->state == HTTPS_SLOT_PAUSED && slot->at_usec <= now) ||
                           (slot->state == HTTPS_SLOT_LOGIN &&
                            slot->generation != https->generation);
                int r = due ? slot_run(https, slot) : 0;

                if (r < 0 && !slot_fail(https, slot, r, "cannot ask for it"))
                        return false;
        }
        return true;
}

static HttpsSlot *slot_of(SourceHttps *https, const HttpRequest *request)
{
        for (unsigned i = 0; i < https->n_slots; i++)
                if (&https->slots[i].request == request)
                        return https->slots + i;
        return NULL;
}

/* false: closed meanwhile. */
bool https_slots_finish(SourceHttps *https)
{
        HttpRequest *request;
        CURLcode code;

        if (!https->pool)
                return true;
        http_pool_work(https->pool);
        while ((request = http_pool_next(https->pool, &code))) {
                HttpsSlot *slot = slot_of(https, request);

                if (slot && slot->state == HTTPS_SLOT_RUNNING && !slot_ended(https, slot, code))
                        return false;
        }
        return true;
}

int https_slots_read(SourceHttps *https, const HttpAsk *ask, SourceAnswer answer, void *userdata)
{
        int r = https->first ? 1 : https_slots_begin(https, ask, answer, userdata);

        return r > 0 ? queue_add(https, ask, answer, userdata) : r;
}

void https_slots_close(SourceHttps *https)
{
        for (unsigned i = 0; i < https->n_slots; i++) {
                HttpsSlot *slot = https->slots + i;

                if (https->pool && slot->state == HTTPS_SLOT_RUNNING)
                        http_pool_remove(https->pool, &slot->request);
                http_request_close(&slot->request);
                *slot = (HttpsSlot){};
        }
        while (https->first)
                free(queue_take(https));
}
