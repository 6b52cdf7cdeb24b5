/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Links to nodes (see node-links.h).
 */
#include "node/node-links.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "clock.h"
#include "json-cleanup.h"
#include "log.h"
#include "node/node-health.h"
#include "parse.h"
#include "seal.h"
#include "secret.h"
#include "store/store-call.h"
#include "store/store-node.h"
#include "utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#define LOOK_LIMIT_USEC (10 * USEC_PER_SEC)

enum {
        PROTOCOL = 1, /* of the node's API that this hub speaks */
        NAME_SIZE = 80,
        WHY_SIZE = 512,
        TOKEN_SIZE = 128,
};

typedef struct Link {
        NodeLinks *links;
        struct Link *next;
        uint64_t id;
        char name[NAME_SIZE];
        bool is_local, is_listed, is_enrolled;
        uint16_t port;
        Secret *token; /* NULL: it cannot be read */
        HttpCall *look; /* at its health, under way */
        bool is_known, is_reachable; /* as last told */
        unsigned n_failed; /* looks, one after the other */
        uint64_t seen_usec;
        json_t *health; /* as it last said itself; NULL: never */
        char why[WHY_SIZE]; /* it is not reachable */
} Link;

/* One question of somebody; it outlives the link it was asked through. */
typedef struct Asked {
        NodeLinks *links;
        struct Asked *next;
        HttpCall *call;
        char name[NAME_SIZE];
        bool is_local;
        uint16_t port;
        HttpAnswered done;
        void *userdata;
} Asked;

struct NodeLinks {
        sd_event *event;
        Store *store;
        const Secret *key;
        uint64_t health_usec;
        HttpClient *client;
        sd_event_source *timer;
        Link *all;
        NodeLinksChanged changed; /* NULL: nobody wants to know */
        void *userdata;
        bool is_loaded; /* what is not in all is no node */
        Asked *asked;
        NodeAnswers answers; /* NULL: nobody */
        void *answers_userdata;
};

static Link *link_free(Link *link)
{
        http_call_cancel(link->look);
        secret_free(link->token);
        json_decref(link->health);
        free(link);
        return NULL;
}

static Link *find(const NodeLinks *links, uint64_t id)
{
        for (Link *link = links->all; link; link = link->next)
                if (link->id == id)
                        return link;
        return NULL;
}

/* What an operator can do about an answer that did not come, or says no. */
static void explain(char ret_why[static WHY_SIZE], const char *name, bool is_local, uint16_t port,
                    const HttpAnswer *answer)
{
        const char *said = json_string_value(json_object_get(answer->body, "message"));

        if (answer->error == -ECONNREFUSED)
                (void) snprintf(ret_why, WHY_SIZE,
                                is_local ? "Node %s: nobody listens on 127.0.0.1:%u; systemctl "
                                           "status sendense-node-api.socket"
                                         : "Node %s has no tunnel: nobody listens on 127.0.0.1:%u; "
                                           "at the node: systemctl status sendense-tunnel",
                                name, port);
        else if (answer->error < 0)
                (void) snprintf(ret_why, WHY_SIZE,
                                "Node %s does not answer on 127.0.0.1:%u: %s; at the node: "
                                "systemctl status sendense-node-api sendense-node",
                                name, port, answer->why);
        else if (answer->status == 401)
                (void) snprintf(ret_why, WHY_SIZE,
                                "Node %s does not take the hub's token; sendensectl node rotate %s "
                                "makes another enrolment",
                                name, name);
        else
                (void) snprintf(ret_why, WHY_SIZE, "Node %s answers %u: %s", name, answer->status,
                                said ?: "without a reason");
        utf8_make_line(ret_why);
}

/* Told once for each change. */
static void tell(Link *link, bool is_reachable)
{
        const LogContext context = { .node = link->name };

        if (link->is_known && link->is_reachable == is_reachable)
                return;
        link->is_known = true;
        link->is_reachable = is_reachable;
        if (is_reachable)
                (void) log_event(LOG_NOTICE, 0, &context, MESSAGE_NODE_REACHABLE, "Node %s answers",
                                 link->name);
        else
                (void) log_event(LOG_WARNING, 0, &context, MESSAGE_NODE_UNREACHABLE, "%s",
                                 link->why);
        if (is_reachable && link->links->answers)
                link->links->answers(link->id, link->links->answers_userdata);
}

void node_links_watch_answers(NodeLinks *links, NodeAnswers answers, void *userdata)
{
        links->answers = answers;
        links->answers_userdata = userdata;
}

static bool speaks_our_protocol(Link *link, const json_t *health)
{
        const json_t *protocol = json_object_get(health, "protocol");

        if (json_integer_value(protocol) == PROTOCOL)
                return true;
        (void) snprintf(link->why, sizeof(link->why),
                        json_is_integer(protocol)
                                        ? "Node %s speaks protocol %" JSON_INTEGER_FORMAT
                                          ", this hub speaks %d; install the same version at both"
                                        : "Node %s does not say its protocol",
                        link->name, json_integer_value(protocol), PROTOCOL);
        return false;
}

static void changed(const NodeLinks *links)
{
        if (links->changed)
                links->changed(links->userdata);
}

static void on_health(const HttpAnswer *answer, void *userdata)
{
        Link *link = userdata;
        bool is_good = answer->error >= 0 && answer->status == 200;

        link->look = NULL;
        if (!is_good)
                explain(link->why, link->name, link->is_local, link->port, answer);
        else {
                json_decref(link->health);
                link->health = json_deep_copy(answer->body);
                link->seen_usec = clock_realtime_usec();
                is_good = speaks_our_protocol(link, link->health);
        }
        if (is_good)
                link->why[0] = '\0';
        link->n_failed = is_good ? 0 : link->n_failed + 1;
        /* The tunnel of one that was just enrolled is on its way. */
        if (is_good || link->seen_usec > 0 || link->n_failed > 1)
                tell(link, is_good);
        changed(link->links);
}

/* The token as a string, wiped by the caller. */
static int token_text(const Link *link, char ret_text[static TOKEN_SIZE])
{
        size_t size = link->token ? secret_size(link->token) : 0;

        if (size == 0 || size >= TOKEN_SIZE)
                return -ENOKEY;
        memcpy(ret_text, secret_data(link->token), size);
        ret_text[size] = '\0';
        return 0;
}

static int ask(Link *link, const HttpAsked *asked, HttpCall **ret_call)
{
        char token[TOKEN_SIZE];
        HttpAsked mine = *asked;
        int r = token_text(link, token);

        if (r < 0)
                return r;
        mine.port = link->port;
        mine.token = token;
        r = http_client_ask(link->links->client, &mine, ret_call);
        explicit_bzero(token, sizeof(token));
        return r;
}

static void look(Link *link)
{
        int r;

        if (link->look || !link->is_enrolled)
                return;
        r = ask(link,
                &(HttpAsked){ .method = "GET",
                              .path = "/api/v1/health",
                              .timeout_usec = LOOK_LIMIT_USEC,
                              .done = on_health,
                              .userdata = link },
                &link->look);
        if (r >= 0)
                return;
        if (r == -ENOKEY)
                (void) snprintf(link->why, sizeof(link->why),
                                "The token for node %s cannot be read with the hub's master key; "
                                "sendensectl node rotate %s makes another enrolment",
                                link->name, link->name);
        else
                (void) snprintf(link->why, sizeof(link->why), "Node %s cannot be asked: %s",
                                link->name, strerror(-r));
        tell(link, false);
        changed(link->links);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        NodeLinks *links = userdata;

        (void) usec;
        for (Link *link = links->all; link; link = link->next)
                look(link);
        (void) sd_event_source_set_time_relative(source, links->health_usec);
        (void) sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        return 0;
}

int node_links_new(sd_event *event, Store *store, const Secret *key, uint64_t health_usec,
                   NodeLinks **ret_links)
{
        CLEANUP(node_links_free_p) NodeLinks *links = malloc(sizeof(*links));
        int r;

        if (!links)
                return -ENOMEM;
        *links = (NodeLinks){
                .event = event,
                .store = store,
                .key = key,
                .health_usec = health_usec,
        };
        r = http_client_new(event, &links->client);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &links->timer, CLOCK_MONOTONIC, health_usec,
                                               USEC_PER_SEC / 10, on_timer, links);
        if (r < 0)
                return r;
        *ret_links = TAKE(links);
        return 0;
}

/* It is in no list. */
static Asked *asked_drop(Asked *asked)
{
        http_call_cancel(asked->call);
        free(asked);
        return NULL;
}

DEFINE_CLEANUP(Asked *, asked_drop)

static Asked *asked_free(Asked *asked)
{
        for (Asked **place = &asked->links->asked; *place; place = &(*place)->next)
                if (*place == asked) {
                        *place = asked->next;
                        break;
                }
        return asked_drop(asked);
}

NodeLinks *node_links_free(NodeLinks *links)
{
        if (!links)
                return NULL;
        while (links->asked) {
                Asked *asked = links->asked;

                links->asked = asked->next;
                asked->done(&(HttpAnswer){ .error = -ECANCELED, .why = "The hub ends" },
                            asked->userdata);
                asked_drop(asked);
        }
        while (links->all) {
                Link *link = links->all;

                links->all = link->next;
                link_free(link);
        }
        http_client_free(links->client);
        sd_event_source_disable_unref(links->timer);
        free(links);
        return NULL;
}

static const char *text_of(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key)) ?: "";
}

/* What the database says of one; what is known of its health stays. */
static int take_row(NodeLinks *links, const json_t *row)
{
        uint64_t id = (uint64_t) json_integer_value(json_object_get(row, "Id"));
        Link *link = find(links, id);

        if (!link) {
                link = malloc(sizeof(*link));
                if (!link)
                        return -ENOMEM;
                *link = (Link){ .links = links, .next = links->all, .id = id };
                links->all = link;
        }
        (void) snprintf(link->name, sizeof(link->name), "%s", text_of(row, "Name"));
        link->is_local = json_integer_value(json_object_get(row, "IsLocal")) > 0;
        link->port = (uint16_t) json_integer_value(json_object_get(row, "ReversePort"));
        link->is_listed = true;
        link->look = http_call_cancel(link->look);
        link->token = secret_free(link->token);
        link->is_enrolled = *text_of(row, "TokenSealed") != '\0';
        if (!link->is_enrolled)
                return 0;
        return links->key ? unseal(links->key, text_of(row, "TokenSealed"), &link->token) : 0;
}

static void drop_unlisted(NodeLinks *links)
{
        Link **place = &links->all;

        while (*place) {
                Link *link = *place;

                if (link->is_listed) {
                        place = &link->next;
                        continue;
                }
                *place = link->next;
                link_free(link);
        }
}

/* One reading of the rows. */
typedef struct Reading {
        NodeLinks *links;
        NodeLinksRead done;
        void *userdata;
} Reading;

static void take_rows(NodeLinks *links, const json_t *rows)
{
        const json_t *row;
        size_t i;

        links->is_loaded = true;
        for (Link *link = links->all; link; link = link->next)
                link->is_listed = false;
        json_array_foreach (rows, i, row)
                if (take_row(links, row) == -ENOMEM)
                        (void) log_error(-ENOMEM, "Cannot follow the nodes: %m");
        drop_unlisted(links);
        changed(links);
        for (Link *link = links->all; link; link = link->next)
                look(link);
}

static void on_rows(int error, const json_t *out, const char *name, const char *text,
                    void *userdata)
{
        _cleanup_free_ Reading *reading = userdata;

        (void) name;
        if (error >= 0)
                take_rows(reading->links, json_object_get(out, "Nodes"));
        else if (error != -ENOTCONN && error != -ECANCELED)
                (void) log_warning(error, "Cannot read the nodes: %s", text);
        if (reading->done)
                reading->done(reading->userdata);
}

void node_links_reload(NodeLinks *links, NodeLinksRead done, void *userdata)
{
        Reading *reading = malloc(sizeof(*reading));
        int r = -ENOMEM;

        if (reading) {
                *reading = (Reading){ links, done, userdata };
                r = store_call(links->store, store_node_links, json_object(), on_rows, reading);
        }
        if (r >= 0)
                return;
        free(reading);
        if (r != -ENOTCONN)
                (void) log_warning(r, "Cannot have the nodes read: %m");
        if (done)
                done(userdata);
}

int node_links_add_live(const NodeLinks *links, uint64_t id, json_t *dict)
{
        static const Link none; /* not enrolled */
        const Link *link = find(links, id) ?: &none;
        CLEANUP(json_decref_p)
        json_t *live = json_pack("{s:b, s:I, s:s, s:s, s:I, s:I, s:I, s:o, s:s}", "Reachable",
                                 link->is_reachable, "LastSeenUSec", (json_int_t) link->seen_usec,
                                 "Version", text_of(link->health, "version"), "NodeState",
                                 text_of(link->health, "state"), "NodeStartedUSec",
                                 node_health_number(link->health, "started_usec"), "Tasks",
                                 node_health_number(link->health, "tasks"), "Obligations",
                                 node_health_number(link->health, "obligations"), "Tunnel",
                                 node_health_tunnel(link->health), "Error", link->why);

        return live && json_object_update(dict, live) == 0 ? 0 : -ENOMEM;
}

int node_links_knows(const NodeLinks *links, uint64_t id, const char *feature)
{
        const Link *link = find(links, id);

        if (!link || !link->health)
                return -EAGAIN;
        return node_health_has(link->health, feature);
}

void node_links_watch(NodeLinks *links, NodeLinksChanged fn, void *userdata)
{
        links->changed = fn;
        links->userdata = userdata;
}

static json_t *describe(const NodeLinks *links, const Link *link)
{
        CLEANUP(json_decref_p)
        json_t *dict = json_pack("{s:I, s:s, s:b, s:s, s:i, s:I, s:o}", "Id", (json_int_t) link->id,
                                 "Name", link->name, "Local", link->is_local, "State",
                                 link->is_enrolled ? "enrolled" : "waiting", "ReversePort",
                                 (int) link->port, "Protocol",
                                 node_health_number(link->health, "protocol"), "Features",
                                 node_health_features(link->health));

        return dict && node_links_add_live(links, link->id, dict) >= 0 ? TAKE(dict) : NULL;
}

json_t *node_links_describe(const NodeLinks *links)
{
        CLEANUP(json_decref_p) json_t *list = json_array();

        for (const Link *link = links->all; link; link = link->next)
                if (json_array_append_new(list, describe(links, link)) < 0)
                        return NULL;
        return TAKE(list);
}

json_t *node_links_reachable(const NodeLinks *links)
{
        json_t *ids = json_array();

        for (const Link *link = links->all; link; link = link->next)
                if (link->is_reachable)
                        (void) json_array_append_new(ids, json_integer((json_int_t) link->id));
        return ids;
}

void node_links_each(const NodeLinks *links,
                     void (*each)(uint64_t id, const char *name, void *userdata), void *userdata)
{
        for (const Link *link = links->all; link; link = link->next)
                if (link->is_enrolled)
                        each(link->id, link->name, userdata);
}

bool node_answer_is_lost(const HttpAnswer *answer)
{
        return answer->error < 0 || answer->status == 401 || answer->status == 502 ||
               answer->status == 503 || answer->status == 504;
}

static void on_answer(const HttpAnswer *answer, void *userdata)
{
        Asked *asked = userdata;
        HttpAnswer mine = *answer;
        char why[WHY_SIZE] = "";

        asked->call = NULL;
        if (answer->error < 0 || answer->status >= 400)
                explain(why, asked->name, asked->is_local, asked->port, answer);
        mine.why = why;
        asked->done(&mine, asked->userdata);
        asked_free(asked);
}

int node_links_ask(NodeLinks *links, uint64_t id, const NodeQuestion *question)
{
        CLEANUP(asked_drop_p) Asked *asked = NULL;
        Link *link = find(links, id);
        int r;

        if (!link || !link->is_enrolled)
                return links->is_loaded ? -ENOENT : -EAGAIN;
        asked = malloc(sizeof(*asked));
        if (!asked)
                return -ENOMEM;
        *asked = (Asked){
                .links = links,
                .is_local = link->is_local,
                .port = link->port,
                .done = question->done,
                .userdata = question->userdata,
        };
        (void) snprintf(asked->name, sizeof(asked->name), "%s", link->name);
        r = ask(link,
                &(HttpAsked){ .method = question->method,
                              .path = question->path,
                              .body = question->body,
                              .timeout_usec = question->timeout_usec,
                              .done = on_answer,
                              .userdata = asked },
                &asked->call);
        if (r < 0)
                return r;
        asked->next = links->asked;
        links->asked = asked;
        (void) TAKE(asked);
        return 0;
}
