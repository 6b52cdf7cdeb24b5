/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files and sessions of nodes (see nodes.h). The store's worker writes the files, one writing after the other, each with the rows
 * as they are then. A sweep that runs may have read the files already, so who comes meanwhile waits for the next one.
 */
#include "node/nodes.h"

#include "cleanup.h"
#include "clock.h"
#include "log.h"
#include "node-keys.h"
#include "node/node-links.h"
#include "parse.h"
#include "seal.h"
#include "store/store-call.h"
#include "store/store-node-files.h"
#include "unit/unit-job.h"

#include <errno.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <time.h>

#define RETRY_USEC (5 * USEC_PER_SEC)

/* One call of nodes_follow(). */
typedef struct Follow {
        Nodes *nodes;
        struct Follow *next;
        bool cut;
        NodesDone done;
        void *userdata;
} Follow;

struct Nodes {
        sd_event *event;
        Store *store;
        Units *units;
        const char *folder;
        Secret *key;
        char key_error[256];
        NodeLinks *links;
        sd_event_source *expiry, *retry;
        bool wants_cut; /* a sweep is owed */
        bool has_failed; /* said so */
        unsigned n_taken_back; /* sweeps, one after the other */
        bool is_going_down;
        Follow *sweeping; /* whom the sweep that runs is for */
        Follow *waiting; /* for the next one */
};

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata);

static const char *key_trouble(int error)
{
        switch (error) {
        case -ENXIO:
        case -ENOENT:
        case -ENODATA:
                return "there is none";
        case -EBADMSG:
                return "it has not 32 random bytes";
        default:
                return strerror(-error);
        }
}

static void read_key(Nodes *nodes)
{
        int r = seal_key_read(SEAL_KEY_CREDENTIAL, &nodes->key);

        if (r >= 0)
                return;
        (void) snprintf(nodes->key_error, sizeof(nodes->key_error),
                        "The hub cannot use its master key (%s), so that it cannot keep the "
                        "secrets "
                        "of nodes; 'systemctl status sendense-key' says more",
                        key_trouble(r));
        (void) log_event(LOG_WARNING, 0, NULL, MESSAGE_MASTER_KEY_UNUSABLE, "%s", nodes->key_error);
}

DEFINE_CLEANUP(Nodes *, nodes_free)

static int add_timer(Nodes *nodes, clockid_t clock, sd_event_source **ret_source)
{
        int r = sd_event_add_time(nodes->event, ret_source, clock, 0, USEC_PER_SEC, on_timer,
                                  nodes);

        return r < 0 ? r : sd_event_source_set_enabled(*ret_source, SD_EVENT_OFF);
}

int nodes_new(sd_event *event, Store *store, Units *units, uint64_t health_usec, Nodes **ret_nodes)
{
        CLEANUP(nodes_free_p) Nodes *nodes = malloc(sizeof(Nodes));
        int r;

        if (!nodes)
                return -ENOMEM;
        *nodes = (Nodes){
                .event = event,
                .store = store,
                .units = units,
                .folder = secure_getenv("SENDENSE_NODES_FOLDER") ?: NODE_KEYS_FOLDER,
        };
        r = add_timer(nodes, CLOCK_REALTIME, &nodes->expiry);
        if (r >= 0)
                r = add_timer(nodes, CLOCK_MONOTONIC, &nodes->retry);
        if (r < 0)
                return r;
        read_key(nodes);
        r = node_links_new(event, store, nodes->key, health_usec, &nodes->links);
        if (r < 0)
                return r;
        *ret_nodes = TAKE(nodes);
        return 0;
}

void nodes_going_down(Nodes *nodes)
{
        if (nodes)
                nodes->is_going_down = true;
}

Nodes *nodes_free(Nodes *nodes)
{
        if (!nodes)
                return NULL;
        sd_event_source_disable_unref(nodes->expiry);
        sd_event_source_disable_unref(nodes->retry);
        node_links_free(nodes->links);
        secret_free(nodes->key);
        free(nodes);
        return NULL;
}

const Secret *nodes_key(const Nodes *nodes)
{
        return nodes->key;
}

const char *nodes_key_error(const Nodes *nodes)
{
        return nodes->key_error;
}

NodeLinks *nodes_links(const Nodes *nodes)
{
        return nodes->links;
}

static void follow_end(Follow *follow, int error, const char *text)
{
        if (follow->done)
                follow->done(error, text, follow->userdata);
        free(follow);
}

static void follow_ok(Follow *follow)
{
        Nodes *nodes = follow->nodes;

        if (nodes->has_failed)
                log_notice("The files and sessions of the nodes are as the database has them "
                           "again");
        nodes->has_failed = false;
        follow_end(follow, 0, NULL);
}

/* Without the database there is nothing to try: nodes_database_ready() comes. */
static void try_later(Nodes *nodes, int error)
{
        if (error == -ENOTCONN || nodes->is_going_down)
                return;
        (void) sd_event_source_set_time_relative(nodes->retry, RETRY_USEC);
        (void) sd_event_source_set_enabled(nodes->retry, SD_EVENT_ONESHOT);
}

/* When the machine goes down, systemd takes back what it has begun and refuses to begin more, before it ends the hub: that is a
 * complaint only when it happens again. */
static bool is_taken_back(int error)
{
        return error == -ECANCELED || error == -EBUSY;
}

static void follow_fail(Follow *follow, int error, const char *what, const char *why)
{
        Nodes *nodes = follow->nodes;
        char text[1024];

        nodes->wants_cut = nodes->wants_cut || follow->cut;
        (void) snprintf(text, sizeof(text), "%s: %s. The hub tries again by itself", what, why);
        if (!nodes->has_failed && !nodes->is_going_down &&
            !(is_taken_back(error) && nodes->n_taken_back == 1)) {
                (void) log_event(LOG_ERR, 0, NULL, MESSAGE_NODE_FILES_FAILED, "%s", text);
                nodes->has_failed = true;
        }
        try_later(nodes, error);
        follow_end(follow, error, text);
}

static void sweep(Nodes *nodes);

static void sweep_fail(Follow *follow, int error, const char *text)
{
        follow_fail(follow, error, "The tunnel of a node that may have none cannot be cut", text);
}

/* A hub whose sshd was never set up has no such unit, and no session. */
static void on_swept(int error, const char *text, void *userdata)
{
        Nodes *nodes = userdata;

        nodes->n_taken_back = is_taken_back(error) ? nodes->n_taken_back + 1 : 0;
        while (nodes->sweeping) {
                Follow *follow = nodes->sweeping;

                nodes->sweeping = follow->next;
                if (error < 0 && error != -ENOENT)
                        sweep_fail(follow, error, text ?: strerror(-error));
                else
                        follow_ok(follow);
        }
        sweep(nodes);
}

/* Those who wait, unless one runs, whose end comes back here. */
static void sweep(Nodes *nodes)
{
        int r;

        if (nodes->sweeping || !nodes->waiting)
                return;
        nodes->sweeping = TAKE(nodes->waiting);
        r = unit_job_restart(nodes->units, UNIT_SSHD_SWEEP, on_swept, nodes);
        while (r < 0 && nodes->sweeping) {
                Follow *follow = nodes->sweeping;

                nodes->sweeping = follow->next;
                sweep_fail(follow, r, strerror(-r));
        }
}

static void watch_expiry(Nodes *nodes, uint64_t next_usec)
{
        if (next_usec == 0) {
                (void) sd_event_source_set_enabled(nodes->expiry, SD_EVENT_OFF);
                return;
        }
        (void) sd_event_source_set_time(nodes->expiry, next_usec);
        (void) sd_event_source_set_enabled(nodes->expiry, SD_EVENT_ONESHOT);
}

/* Who asked finds its object on the bus, or finds it gone. */
static void on_read(void *userdata)
{
        Follow *follow = userdata;
        Nodes *nodes = follow->nodes;

        if (!follow->cut) {
                follow_ok(follow);
                return;
        }
        follow->next = nodes->waiting;
        nodes->waiting = follow;
        sweep(nodes);
}

static void on_written(int error, const json_t *out, const char *name, const char *text,
                       void *userdata)
{
        Follow *follow = userdata;
        Nodes *nodes = follow->nodes;

        (void) name;
        if (error < 0) {
                follow_fail(follow, error, "The files of the nodes do not follow the database yet",
                            text);
                return;
        }
        watch_expiry(nodes, (uint64_t) json_integer_value(json_object_get(out, "NextExpiryUSec")));
        node_links_reload(nodes->links, on_read, follow);
}

int nodes_follow(Nodes *nodes, bool cut, NodesDone done, void *userdata)
{
        Follow *follow = malloc(sizeof(Follow));
        int r;

        if (!follow)
                return -ENOMEM;
        *follow = (Follow){
                .nodes = nodes,
                .cut = cut || nodes->wants_cut,
                .done = done,
                .userdata = userdata,
        };
        r = store_call(nodes->store, store_node_files_write,
                       json_pack("{s:s, s:I}", "Folder", nodes->folder, "NowUSec",
                                 (json_int_t) clock_realtime_usec()),
                       on_written, follow);
        if (r < 0) {
                nodes->wants_cut = follow->cut;
                free(follow);
                try_later(nodes, r);
                return r;
        }
        nodes->wants_cut = false; /* it does it, or wants it again */
        return 0;
}

/* A token has expired, or something failed a while ago. */
static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        Nodes *nodes = userdata;
        int r = nodes_follow(nodes, false, NULL, NULL);

        (void) source, (void) usec;
        if (r < 0 && r != -ENOTCONN)
                (void) log_warning(r, "Cannot have the files of the nodes written: %m");
        return 0;
}

void nodes_database_ready(Nodes *nodes)
{
        int r;

        /* Jobs ask their nodes at once, whether or not the files can be written. */
        node_links_reload(nodes->links, NULL, NULL);
        r = nodes_follow(nodes, true, NULL, NULL);

        if (r < 0)
                (void) log_warning(r, "Cannot have the files of the nodes written: %m");
}
