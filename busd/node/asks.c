/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Questions about a vCenter (see asks.h). One waits for its turn and goes through: an older unit of its name is stopped, the files
 * are made, the unit is started, it ends or its time is up, its caller is answered, the unit is stopped and its files are
 * removed. Its slot is free then, and not before.
 */
#include "asks.h"

#include "ask-request.h"
#include "ask-unit.h"
#include "bus/bus-error.h"
#include "cleanup.h"
#include "json-cleanup.h"
#include "log.h"
#include "names.h"
#include "node.h"
#include "parse.h"
#include "unit/unit-files.h"
#include "unit/unit-job.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
        WAIT_LIMITS = 2, /* so often the time of one may be waited for a turn */
};

typedef struct Ask {
        Asks *asks;
        char unit[UNIT_NAME_SIZE];
        AskKind kind;
        AskRequest request;
        sd_bus_message *call; /* NULL: free, or answered */
        sd_event_source *timer;
        unsigned n_calls; /* to systemd, open */
        uint64_t turn; /* the lowest is next */
        bool is_used, is_waiting, is_started, is_closing, is_stopped;
} Ask;

struct Asks {
        Node *node;
        uint64_t n_turns;
        Ask slots[ASKS_MAX];
};

int asks_new(Node *node, Asks **ret_asks)
{
        Asks *asks = calloc(1, sizeof(*asks));

        if (!asks)
                return -ENOMEM;
        asks->node = node;
        *ret_asks = asks;
        return 0;
}

static void forget(Ask *ask)
{
        ask_request_done(&ask->request);
        sd_event_source_disable_unref(ask->timer);
        sd_bus_message_unref(ask->call);
        *ask = (Ask){};
}

Asks *asks_free(Asks *asks)
{
        if (!asks)
                return NULL;
        for (size_t i = 0; i < ASKS_MAX; i++)
                forget(&asks->slots[i]);
        free(asks);
        return NULL;
}

static Ask *find(const Asks *asks, const char *unit)
{
        for (size_t i = 0; asks && i < ASKS_MAX; i++)
                if (asks->slots[i].is_used && strcmp(asks->slots[i].unit, unit) == 0)
                        return (Ask *) &asks->slots[i];
        return NULL;
}

const Secret *asks_password(const Asks *asks, const char *unit)
{
        const Ask *ask = find(asks, unit);

        return ask && ask->call ? ask->request.password : NULL;
}

bool asks_has_unit(const Asks *asks, const char *unit)
{
        const Ask *ask = find(asks, unit);

        return ask && !ask->is_waiting;
}

/* ── The end ── */

static void begin_next(Asks *asks);

/* An answer of systemd that is still to come would be taken for one about the next question in this slot. */
static void settle(Ask *ask)
{
        Asks *asks = ask->asks;

        if (ask->n_calls > 0 || !ask->is_stopped || asks->node->is_stopping)
                return;
        unit_files_remove(ask->unit);
        forget(ask);
        begin_next(asks);
}

static void on_stopped(int error, const char *text, void *userdata)
{
        Ask *ask = userdata;

        ask->n_calls--;
        ask->is_stopped = true;
        if (error < 0 && error != -ECANCELED)
                (void) log_warning(error, "%s cannot be stopped: %s", ask->unit,
                                   text ?: strerror(-error));
        settle(ask);
}

static void close_ask(Ask *ask)
{
        int r;

        ask->call = sd_bus_message_unref(ask->call);
        if (ask->is_closing)
                return;
        ask->is_closing = true;
        ask->n_calls++;
        r = units_stop(ask->asks->node->units, ask->unit, on_stopped, ask);
        if (r < 0)
                on_stopped(r, NULL, ask);
}

static void fail(Ask *ask, const char *name, const char *text)
{
        int r = sd_bus_reply_method_errorf(ask->call, name, "%s", text);

        if (r < 0)
                (void) log_warning(r, "Cannot answer a question about a vCenter: %m");
        close_ask(ask);
}

/* The answer as sealed memory: it may be larger than a message should be. */
static void succeed(Ask *ask, const json_t *result)
{
        _cleanup_free_ char *text = json_dumps(result, JSON_COMPACT);
        _cleanup_close_ int fd = -1;
        int r;

        if (text && strlen(text) > ASK_ANSWER_MAX) {
                fail(ask, BUS_ERROR_FAILED,
                     "This vCenter has more VMs than one answer holds; ask for one VM");
                return;
        }
        r = text ? secret_make_memfd(text, strlen(text), &fd) : -ENOMEM;
        if (r >= 0)
                r = sd_bus_reply_method_return(ask->call, "h", fd);
        if (r < 0) {
                fail(ask, BUS_ERROR_FAILED, strerror(-r));
                return;
        }
        close_ask(ask);
}

static void collect(Ask *ask, const UnitState *state)
{
        CLEANUP(json_decref_p) json_t *result = NULL;
        const char *name, *text;
        int r = unit_files_read_result(ask->unit, &result);

        name = json_string_value(json_object_get(result, "error_name"));
        text = json_string_value(json_object_get(result, "error_text"));
        if (r >= 0 && strcmp(state->active, "active") == 0 &&
            strcmp(json_string_value(json_object_get(result, "result")) ?: "", "ok") == 0)
                succeed(ask, result);
        else if (name && text && strncmp(name, "com.sendense.Error.", 19) == 0)
                fail(ask, name, text);
        else {
                char line[192];

                (void) snprintf(line, sizeof(line),
                                "%.60s ended without a result (%.20s); the node's journal says "
                                "more: "
                                "journalctl -u it",
                                ask->unit, state->exists ? state->result : "it vanished");
                fail(ask, r == -EFBIG ? BUS_ERROR_INVALID_ARGUMENT : BUS_ERROR_FAILED,
                     r == -EFBIG ? "The answer is too large; ask for one VM" : line);
        }
}

static bool has_ended(const UnitState *state)
{
        return !state->exists || strcmp(state->active, "failed") == 0 ||
               strcmp(state->active, "inactive") == 0 ||
               (strcmp(state->active, "active") == 0 && strcmp(state->sub, "exited") == 0);
}

void asks_on_unit(Asks *asks, const char *unit, const UnitState *state)
{
        Ask *ask = find(asks, unit);

        /* Before the start was answered, "inactive" is what was there before. */
        if (ask && ask->is_started && !ask->is_closing && has_ended(state))
                collect(ask, state);
}

static int on_time_up(sd_event_source *source, uint64_t usec, void *userdata)
{
        Ask *ask = userdata;
        char text[160];

        (void) source, (void) usec;
        if (ask->is_closing)
                return 0;
        if (ask->is_waiting) {
                (void) sd_bus_reply_method_errorf(ask->call, BUS_ERROR_BUSY,
                                                  "The node has too many questions for vCenters; "
                                                  "try again");
                forget(ask);
                return 0;
        }
        (void) snprintf(text, sizeof(text),
                        "The vCenter did not answer within %" PRIu64
                        " s ([Vsphere] AskSec= in the node's node.conf)",
                        ask->asks->node->config->vsphere_ask_usec / USEC_PER_SEC);
        fail(ask, BUS_ERROR_VCENTER_UNREACHABLE, text);
        return 0;
}

/* ── The beginning ── */

/* Counts an answer of systemd. Whether it still matters. */
static bool take_answer(Ask *ask)
{
        ask->n_calls--;
        if (!ask->is_closing && !ask->asks->node->is_stopping)
                return true;
        settle(ask);
        return false;
}

static void on_state(int error, const UnitState *state, void *userdata)
{
        Ask *ask = userdata;

        if (!take_answer(ask))
                return;
        if (error < 0)
                fail(ask, BUS_ERROR_FAILED, "Systemd does not tell how the question ended");
        else if (has_ended(state))
                collect(ask, state);
}

static void on_started(int error, const char *text, void *userdata)
{
        Ask *ask = userdata;
        int r;

        if (!take_answer(ask))
                return;
        if (error < 0) {
                fail(ask, bus_error_from_errno(error) ?: BUS_ERROR_FAILED,
                     text ?: "Systemd does not start the question's unit");
                return;
        }
        ask->is_started = true;
        ask->n_calls++;
        r = units_get(ask->asks->node->units, ask->unit, on_state, ask);
        if (r < 0)
                on_state(r, NULL, ask);
}

/* A unit of a node that was killed may still be there. */
static void on_old_gone(int error, const char *text, void *userdata)
{
        CLEANUP(json_decref_p) json_t *unit = NULL;
        Ask *ask = userdata;
        int r;

        if (!take_answer(ask))
                return;
        if (error < 0) {
                fail(ask, BUS_ERROR_FAILED, text ?: "An earlier question cannot be stopped");
                return;
        }
        r = unit_files_make(ask->unit, ask->request.spec);
        if (r >= 0)
                r = ask_unit_spec(ask->unit, ask->kind, ask->request.password != NULL, &unit);
        ask->n_calls++;
        if (r >= 0)
                r = unit_job_create(ask->asks->node->units, unit, UNIT_START_SEC * USEC_PER_SEC,
                                    on_started, ask);
        if (r < 0)
                on_started(r,
                           "The unit cannot be put together, or its files in /run cannot be made",
                           ask);
}

/* A slot with its unit's name. */
static Ask *find_free(Asks *asks)
{
        for (size_t i = 0; i < ASKS_MAX; i++) {
                Ask *ask = &asks->slots[i];

                if (ask->is_used)
                        continue;
                *ask = (Ask){ .asks = asks };
                return ask_unit_name(i + 1, ask->unit) < 0 ? NULL : ask;
        }
        return NULL;
}

static int set_limit(Ask *ask, unsigned factor)
{
        const Node *node = ask->asks->node;

        ask->timer = sd_event_source_disable_unref(ask->timer);
        return sd_event_add_time_relative(node->event, &ask->timer, CLOCK_MONOTONIC,
                                          factor * node->config->vsphere_ask_usec,
                                          USEC_PER_SEC / 10, on_time_up, ask);
}

static void begin(Ask *ask)
{
        int r = set_limit(ask, 1);

        ask->is_waiting = false;
        ask->n_calls++;
        if (r >= 0)
                r = units_stop(ask->asks->node->units, ask->unit, on_old_gone, ask);
        if (r < 0)
                on_old_gone(r, NULL, ask);
}

/* Those that wait, by their turn, as long as there is room. */
static void begin_next(Asks *asks)
{
        unsigned n_running = 0;
        Ask *next = NULL;

        for (size_t i = 0; i < ASKS_MAX; i++) {
                Ask *ask = &asks->slots[i];

                if (ask->is_used && !ask->is_waiting)
                        n_running++;
                else if (ask->is_used && (!next || ask->turn < next->turn))
                        next = ask;
        }
        if (next && n_running < ASKS_RUNNING_MAX)
                begin(next);
}

static int read_request(const Node *node, AskKind kind, int fd, AskRequest *ret_request,
                        sd_bus_error *error)
{
        CLEANUP(secret_free_p) Secret *memory = NULL;
        char why[REQUEST_ERROR_SIZE];
        int r;

        r = secret_read_memfd(fd, REQUEST_SIZE_MAX, &memory);
        if (r < 0)
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "The request must be a memfd of at most %d bytes, sealed "
                                      "against every change",
                                      REQUEST_SIZE_MAX);
        r = ask_request_read(kind, secret_data(memory), secret_size(memory),
                             node->config->copy_transport, ret_request, why);
        return r == -EBADMSG ? bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT, "%s", why) : r;
}

int asks_begin(Asks *asks, sd_bus_message *call, const char *question, int fd,
               const char *principal, sd_bus_error *error)
{
        CLEANUP(ask_request_done) AskRequest request = {};
        const LogContext context = { .principal = principal };
        AskKind kind = ask_kind_from_string(question);
        Ask *ask;
        int r;

        if (kind < 0)
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "The question must be certificate, test or discover");
        r = read_request(asks->node, kind, fd, &request, error);
        if (r < 0)
                return r;
        if (request.password && !asks->node->credentials)
                return bus_error_setf(
                                error, BUS_ERROR_NOT_ALLOWED,
                                "The node has no socket to give passwords through. Start it: "
                                "systemctl enable --now sendense-node-credentials.socket, then "
                                "restart sendense-node");
        ask = find_free(asks);
        if (!ask)
                return bus_error_setf(error, BUS_ERROR_BUSY,
                                      "The node has %d questions for vCenters already; try again",
                                      ASKS_MAX);
        r = set_limit(ask, WAIT_LIMITS);
        if (r < 0)
                return r;
        ask->kind = kind;
        ask->turn = asks->n_turns++;
        ask->is_used = ask->is_waiting = true;
        ask->call = sd_bus_message_ref(call);
        ask->request = request;
        request = (AskRequest){};
        (void) log_event(LOG_INFO, 0, &context, MESSAGE_NONE, "A question for a vCenter (%s): %s",
                         question, ask->unit);
        begin_next(asks);
        return 0;
}
