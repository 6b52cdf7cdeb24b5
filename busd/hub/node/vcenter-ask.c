/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Questions for a vCenter (see vcenter-ask.h).
 */
#include "node/vcenter-ask.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "json-cleanup.h"
#include "node/node-links.h"
#include "node/vcenter-login.h"
#include "parse.h"
#include "utf8.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Above what a node takes at most, which says itself that a vCenter is silent, or that too many wait. */
#define ANSWER_LIMIT_USEC (380 * USEC_PER_SEC)

typedef struct Ask {
        NodeLinks *links;
        json_t *nodes; /* ids, of which those from next on were not asked yet */
        size_t next;
        char path[64];
        json_t *body;
        VcenterAnswered done;
        void *userdata;
        int error; /* of the last one, or of the one that said most */
        char name[96], text[768];
} Ask;

static void finish(Ask *ask, const json_t *body)
{
        const VcenterAnswer answer = {
                .error = body ? 0 : ask->error,
                .name = ask->name,
                .text = ask->text,
                .body = body,
        };

        ask->done(&answer, ask->userdata);
        json_decref(ask->nodes);
        json_decref(ask->body);
        free(ask);
}

/* A node that says that the vCenter is not to be seen has said more than one that is not to be seen itself. */
static void set_failure(Ask *ask, const char *name, const char *text)
{
        if (strcmp(ask->name, BUS_ERROR_VCENTER_UNREACHABLE) == 0)
                return;
        (void) snprintf(ask->name, sizeof(ask->name), "%s", name);
        (void) snprintf(ask->text, sizeof(ask->text), "%s", text);
        utf8_make_line(ask->text);
        ask->error = bus_error_to_errno(ask->name);
}

static const char *text_of(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key)) ?: "";
}

/* Whether another node may have more luck. */
static bool take_failure(Ask *ask, const HttpAnswer *answer)
{
        const char *name = text_of(answer->body, "error");
        const char *text = text_of(answer->body, "message");
        bool is_away = answer->error < 0 || answer->status == 401 || answer->status == 503 ||
                       answer->status == 504;

        if (is_away) {
                bool is_busy = strcmp(name, BUS_ERROR_BUSY) == 0;

                set_failure(ask, is_busy ? BUS_ERROR_BUSY : BUS_ERROR_NODE_UNREACHABLE,
                            answer->why);
        } else if (strncmp(name, "com.sendense.Error.", 19) == 0 && *text)
                set_failure(ask, name, text);
        else if (answer->status == 404)
                set_failure(ask, BUS_ERROR_FAILED,
                            "The node does not know this question; install the same version at "
                            "both");
        else
                set_failure(ask, BUS_ERROR_FAILED,
                            answer->status == 200 ? "The node answers what is no answer"
                                                  : answer->why);
        return answer->error != -ECANCELED &&
               (is_away || strcmp(name, BUS_ERROR_VCENTER_UNREACHABLE) == 0);
}

static void ask_next(Ask *ask);

static void on_answer(const HttpAnswer *answer, void *userdata)
{
        Ask *ask = userdata;

        if (answer->error >= 0 && answer->status == 200 && json_is_object(answer->body))
                finish(ask, answer->body);
        else if (take_failure(ask, answer))
                ask_next(ask);
        else
                finish(ask, NULL);
}

static void ask_next(Ask *ask)
{
        while (ask->next < json_array_size(ask->nodes)) {
                const json_t *id = json_array_get(ask->nodes, ask->next++);
                char text[128];
                int r;

                r = node_links_ask(ask->links, (uint64_t) json_integer_value(id),
                                   &(NodeQuestion){ .method = "POST",
                                                    .path = ask->path,
                                                    .body = ask->body,
                                                    .timeout_usec = ANSWER_LIMIT_USEC,
                                                    .done = on_answer,
                                                    .userdata = ask });
                if (r >= 0)
                        return;
                (void) snprintf(text, sizeof(text), "The node cannot be asked: %s",
                                r == -ENOENT   ? "it is not enrolled"
                                : r == -ENOKEY ? "its token cannot be read"
                                               : strerror(-r));
                set_failure(ask, r == -EBUSY ? BUS_ERROR_BUSY : BUS_ERROR_NODE_UNREACHABLE, text);
        }
        finish(ask, NULL);
}

void vcenter_ask(NodeLinks *links, uint64_t node, const char *question, json_t *body,
                 VcenterAnswered done, void *userdata)
{
        CLEANUP(json_decref_p) json_t *owned = body;
        json_t *nodes = node > 0 ? json_pack("[I]", (json_int_t) node)
                                 : node_links_reachable(links);
        Ask *ask = nodes && body ? malloc(sizeof(*ask)) : NULL;

        if (!ask) {
                json_decref(nodes);
                done(&(VcenterAnswer){ .error = -ENOMEM,
                                       .name = BUS_ERROR_FAILED,
                                       .text = "Out of memory" },
                     userdata);
                return;
        }
        *ask = (Ask){
                .links = links,
                .nodes = nodes,
                .body = TAKE(owned),
                .done = done,
                .userdata = userdata,
        };
        (void) snprintf(ask->path, sizeof(ask->path), "/api/v1/vcenter/%s", question);
        set_failure(ask, BUS_ERROR_NODE_UNREACHABLE,
                    "No node answers that could ask the vCenter; sendensectl node list shows how "
                    "they stand");
        ask_next(ask);
}

int vcenter_ask_body(const Secret *key, const json_t *row, json_t **ret_body, const char **ret_name,
                     char ret_text[static 256])
{
        CLEANUP(json_decref_p) json_t *body = json_object();
        const char *vcenter = text_of(row, "Name");
        int r = body ? vcenter_login_add(key, row, body) : -ENOMEM;

        if (r >= 0) {
                *ret_body = TAKE(body);
                return 0;
        }
        *ret_name = r == -ENOMEM ? BUS_ERROR_FAILED : BUS_ERROR_MASTER_KEY_UNUSABLE;
        if (r == -ENOMEM)
                (void) snprintf(ret_text, 256, "Out of memory");
        else if (r == -ENOKEY)
                (void) snprintf(ret_text, 256,
                                "The hub has no master key, with which the password of vCenter "
                                "%.80s was sealed; 'systemctl status sendense-key' says more",
                                vcenter);
        else
                (void) snprintf(ret_text, 256,
                                "The password of vCenter %.60s was sealed with another master key; "
                                "sendensectl vcenter rotate %.60s takes it anew",
                                vcenter, vcenter);
        return r;
}
