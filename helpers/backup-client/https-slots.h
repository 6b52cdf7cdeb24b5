/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What source-https.c (opening, logins) and https-slots.c (requests) know of each other. Functions that answer somebody say
 * false when the source was closed by whoever was answered: then nothing of it may be touched.
 */
#pragma once

#include "http-pool.h"
#include "session.h"
#include "source-vsphere.h"

#include "datastore-path.h"

enum {
        HTTPS_SLOTS_MAX = 16,
};

typedef enum HttpsSlotState {
        HTTPS_SLOT_FREE,
        HTTPS_SLOT_RUNNING, /* curl has it */
        HTTPS_SLOT_PAUSED, /* until slot->at_usec */
        HTTPS_SLOT_LOGIN, /* until there is a newer login than slot->generation */
} HttpsSlotState;

/* A request and what becomes of its answer. */
typedef struct HttpsSlot {
        HttpRequest request;
        HttpsSlotState state;
        HttpAsk ask;
        unsigned n_tries, n_logins;
        uint64_t at_usec, generation;
        SourceAnswer answer;
        void *userdata;
} HttpsSlot;

/* A read that waits for a slot: the engine may ask for more than we have. */
typedef struct HttpsQueued HttpsQueued;
struct HttpsQueued {
        HttpsQueued *next;
        HttpAsk ask;
        SourceAnswer answer;
        void *userdata;
};

typedef enum HttpsPhase {
        HTTPS_PHASE_CLOSED,
        HTTPS_PHASE_LOGIN, /* the handles cannot be made before */
        HTTPS_PHASE_DESCRIPTOR,
        HTTPS_PHASE_PROBE, /* of the flat file: is it there, how long is it */
        HTTPS_PHASE_OPEN,
} HttpsPhase;

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
        HttpsPhase phase;
        unsigned n_opened; /* so that an answer that closes the source is noticed */
        HttpPool *pool;
        char *flat_url;
        char *descriptor;
        char probe;
        SourceAnswer open_answer;
        void *open_userdata;
        char *cookie;
        uint64_t generation;
        HttpsSlot slots[HTTPS_SLOTS_MAX];
        HttpsQueued *first, *last; /* reads for which there is no slot yet */
        char tag[HTTP_TAG_SIZE]; /* of the flat file; kept when it is closed */
} SourceHttps;

/* Begins a request in a free slot. 1: there is none. */
int https_slots_begin(SourceHttps *https, const HttpAsk *ask, SourceAnswer answer, void *userdata);

/* The same, or in its turn as soon as there is a free one. */
int https_slots_read(SourceHttps *https, const HttpAsk *ask, SourceAnswer answer, void *userdata);

/* Drops all requests, without answers. */
void https_slots_close(SourceHttps *https);

/* What curl has ended; slots whose time or login has come; reads that wait for a slot. */
bool https_slots_finish(SourceHttps *https);
bool https_slots_go_on(SourceHttps *https);
bool https_slots_take_queue(SourceHttps *https);

/* Answers whoever waits for the slot, or for anything else. */
bool https_slots_answer(SourceHttps *https, HttpsSlot *slot, int error);
bool https_answer(SourceHttps *https, SourceAnswer answer, void *userdata, int error);
