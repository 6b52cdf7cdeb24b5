/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asynchronous authorisation (see authorise.h). A decision is a place in a table of fixed size that
 * holds the call until two answers are in: whose connection it is (the bus daemon) and, unless that
 * is root, whether he may (polkit). Must not block, and must not look up user names: NSS may.
 */
#include "authorise.h"

#include "bus/bus-error.h"
#include "bus/polkit-outcome.h"
#include "cleanup.h"
#include "log.h"
#include "parse.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#define POLKIT_NAME      "org.freedesktop.PolicyKit1"
#define POLKIT_PATH      "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"

enum {
        POLKIT_ALLOW_INTERACTION = 1,
        DENIALS_LOGGED_MAX = 20, /* in each period */
        DENIALS_PERIOD_SEC = 10,
        POLKIT_LOSSES_PERIOD_SEC = 10, /* at most one is logged in each */
};

typedef struct Pending {
        Authority *authority;
        sd_bus_message *call;
        const char *action;
        void *request;
        AuthorisedAct act;
        void *userdata;
        uint64_t number; /* names the question to polkit, so that it can be withdrawn */
        bool identified;
        uint32_t uid; /* once identified */
        bool interactive;
        uint64_t asked_usec; /* when polkit was, CLOCK_MONOTONIC */
        sd_bus_slot *question; /* to the bus daemon, then to polkit */
        sd_bus_slot *vanished;
} Pending;

struct Authority {
        sd_bus *bus;
        Pending *pending[AUTHORISE_PENDING_MAX];
        uint64_t n_asked;
        bool polkit_lost; /* said so already */
        uint64_t next_loss_usec; /* not to be said again before */
        uint64_t denials_since_usec;
        unsigned n_denials, n_unlogged;
};

static Pending *pending_free(Pending *p)
{
        if (!p)
                return NULL;

        for (size_t i = 0; i < ELEMENTSOF(p->authority->pending); i++)
                if (p->authority->pending[i] == p)
                        p->authority->pending[i] = NULL;
        sd_bus_slot_unref(p->question);
        sd_bus_slot_unref(p->vanished);
        sd_bus_message_unref(p->call);
        free(p->request);
        free(p);
        return NULL;
}
DEFINE_CLEANUP(Pending *, pending_free)

int authority_new(sd_bus *bus, Authority **ret_authority)
{
        Authority *authority = malloc(sizeof(Authority));

        if (!authority)
                return -ENOMEM;
        *authority = (Authority){ .bus = bus };
        *ret_authority = authority;
        return 0;
}

Authority *authority_free(Authority *authority)
{
        if (!authority)
                return NULL;
        for (size_t i = 0; i < ELEMENTSOF(authority->pending); i++)
                pending_free(authority->pending[i]);
        free(authority);
        return NULL;
}

static uint64_t now_usec(void)
{
        struct timespec now;

        (void) clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t) now.tv_sec * USEC_PER_SEC + (uint64_t) now.tv_nsec / 1000;
}

/* A user who is refused in a loop must not fill the journal. */
static bool may_log_denial(Authority *authority)
{
        uint64_t now = now_usec();

        if (now - authority->denials_since_usec >= DENIALS_PERIOD_SEC * USEC_PER_SEC) {
                if (authority->n_unlogged > 0)
                        log_notice("%u further refused calls were not logged one by one",
                                   authority->n_unlogged);
                authority->denials_since_usec = now;
                authority->n_denials = authority->n_unlogged = 0;
        }
        if (authority->n_denials >= DENIALS_LOGGED_MAX) {
                authority->n_unlogged++;
                return false;
        }
        authority->n_denials++;
        return true;
}

static void pending_principal(const Pending *p, char *ret_text, size_t size)
{
        (void) snprintf(ret_text, size, "uid:%" PRIu32, p->uid);
}

/* Ends the decision with a refusal; why is the last part of the caller's message. */
static int pending_deny(Pending *p, const char *why)
{
        CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        char principal[32];
        int r;

        pending_principal(p, principal, sizeof(principal));
        (void) sd_bus_error_setf(&error, SD_BUS_ERROR_ACCESS_DENIED,
                                 "%s may not call %s.%s (polkit action %s): %s", principal,
                                 sd_bus_message_get_interface(p->call) ?: "?",
                                 sd_bus_message_get_member(p->call) ?: "?", p->action, why);
        if (may_log_denial(p->authority)) {
                const LogContext context = { .principal = principal };

                (void) log_event(LOG_NOTICE, 0, &context, MESSAGE_ACCESS_DENIED, "%s",
                                 error.message);
        }
        r = sd_bus_reply_method_error(p->call, &error);
        pending_free(p);
        return r;
}

/* Ends the decision: the act may begin. */
static int pending_grant(Pending *p)
{
        CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        char principal[32];
        int r;

        pending_principal(p, principal, sizeof(principal));
        r = p->act(p->call, principal, p->request, p->userdata, &error);
        if (r < 0 || sd_bus_error_is_set(&error))
                r = sd_bus_reply_method_errno(p->call, r, &error);
        pending_free(p);
        return r;
}

/* Polkit would go on asking for a password that nobody waits for. */
static void pending_withdraw_question(const Pending *p)
{
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        char number[32];
        int r;

        (void) snprintf(number, sizeof(number), "%" PRIu64, p->number);
        r = sd_bus_message_new_method_call(p->authority->bus, &m, POLKIT_NAME, POLKIT_PATH,
                                           POLKIT_INTERFACE, "CancelCheckAuthorization");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", number);
        if (r >= 0)
                r = sd_bus_message_set_expect_reply(m, false);
        if (r >= 0)
                r = sd_bus_send(p->authority->bus, m, NULL);
        if (r < 0)
                (void) log_full(LOG_DEBUG, r, NULL, MESSAGE_NONE,
                                "Cannot withdraw a question to polkit: %m, ignoring");
}

static int on_caller_vanished(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Pending *p = userdata;
        const char *name, *old_owner, *new_owner;
        int r;

        (void) error;
        r = sd_bus_message_read(m, "sss", &name, &old_owner, &new_owner);
        if (r < 0)
                return log_warning(r, "Cannot read NameOwnerChanged: %m");
        if (*new_owner)
                return 0;

        log_debug("%s vanished before polkit answered", name);
        pending_withdraw_question(p);
        pending_free(p);
        return 0;
}

/* Without this callback sd-bus would close the connection when the bus refuses the match. */
static int on_match_installed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        (void) userdata, (void) error;
        if (sd_bus_message_is_method_error(m, NULL))
                (void) log_warning(0, "Cannot watch for a vanishing caller: %s, ignoring",
                                   sd_bus_message_get_error(m)->message);
        return 0;
}

static int watch_caller(Pending *p)
{
        _cleanup_free_ char *match = NULL;

        if (asprintf(&match,
                     "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                     "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='%s'",
                     sd_bus_message_get_sender(p->call)) < 0) {
                match = NULL;
                return -ENOMEM;
        }
        return sd_bus_add_match_async(p->authority->bus, &p->vanished, match, on_caller_vanished,
                                      on_match_installed, p);
}

/* Polkit did not answer: it is absent, hangs, or does not know the action. */
static int pending_deny_without_polkit(Pending *p, const sd_bus_error *error)
{
        Authority *authority = p->authority;
        _cleanup_free_ char *why = NULL;

        /* A polkit that comes and goes must not fill the journal. A loss that was not said stays
         * unsaid until the period is over; then the next refusal says it. */
        if (!authority->polkit_lost && now_usec() >= authority->next_loss_usec) {
                (void) log_event(LOG_WARNING, 0, NULL, MESSAGE_AUTHORITY_UNAVAILABLE,
                                 "Cannot ask polkit (%s): all users but root are refused until it "
                                 "answers",
                                 error->message ?: error->name);
                authority->polkit_lost = true;
                authority->next_loss_usec = now_usec() + POLKIT_LOSSES_PERIOD_SEC * USEC_PER_SEC;
        }

        if (asprintf(&why, "polkit did not answer (%s) and only root needs no polkit",
                     error->message ?: error->name) < 0)
                why = NULL;
        return pending_deny(p, why ?: "polkit did not answer and only root needs no polkit");
}

static int pending_end_vanished(Pending *p)
{
        int r;

        log_debug("%s vanished before polkit was asked", sd_bus_message_get_sender(p->call));
        /* The bus drops this answer, unless polkit is wrong and somebody waits. */
        r = sd_bus_reply_method_errorf(p->call, SD_BUS_ERROR_ACCESS_DENIED,
                                       "Polkit says that the caller left the bus");
        pending_free(p);
        return r;
}

static int on_polkit_error(Pending *p, const sd_bus_error *error)
{
        PolkitOutcome outcome = polkit_outcome(error, sd_bus_message_get_sender(p->call),
                                               p->interactive, now_usec() - p->asked_usec);
        char why[64];

        if (sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY) ||
            sd_bus_error_has_name(error, SD_BUS_ERROR_TIMEOUT))
                pending_withdraw_question(p);

        switch (outcome) {
        case POLKIT_UNANSWERED:
                (void) snprintf(why, sizeof(why),
                                "nobody answered polkit's question in %" PRIu64 " s",
                                polkit_timeout_usec(true) / USEC_PER_SEC);
                return pending_deny(p, why);
        case POLKIT_CALLER_VANISHED:
                return pending_end_vanished(p);
        case POLKIT_UNAVAILABLE:
                break;
        }
        return pending_deny_without_polkit(p, error);
}

static int on_polkit_answer(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Pending *p = userdata;
        const sd_bus_error *error = sd_bus_message_get_error(m);
        int r, authorised, challenge;

        (void) ret_error;
        if (error)
                return on_polkit_error(p, error);

        r = sd_bus_message_enter_container(m, 'r', "bba{ss}");
        if (r >= 0)
                r = sd_bus_message_read(m, "bb", &authorised, &challenge);
        if (r < 0) {
                (void) log_warning(r, "Cannot read polkit's answer: %m");
                return pending_deny(p, "polkit's answer is malformed");
        }
        if (p->authority->polkit_lost)
                log_notice("Polkit answers again");
        p->authority->polkit_lost = false;

        if (authorised)
                return pending_grant(p);
        return pending_deny(p, challenge ? "polkit wants a password, and the caller did not allow "
                                           "to be asked or has no authentication agent"
                                         : "polkit says no");
}

static int ask_polkit(Pending *p)
{
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        sd_bus *bus = p->authority->bus;
        char number[32];
        int r;

        p->number = ++p->authority->n_asked;
        p->interactive = sd_bus_message_get_allow_interactive_authorization(p->call) > 0;
        (void) snprintf(number, sizeof(number), "%" PRIu64, p->number);

        r = sd_bus_message_new_method_call(bus, &m, POLKIT_NAME, POLKIT_PATH, POLKIT_INTERFACE,
                                           "CheckAuthorization");
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "(sa{sv})sa{ss}us", "system-bus-name", 1, "name", "s",
                                  sd_bus_message_get_sender(p->call), p->action, 0,
                                  p->interactive ? POLKIT_ALLOW_INTERACTION : 0, number);
        if (r < 0)
                return r;

        log_debug("Asking polkit whether uid:%" PRIu32 " may do %s", p->uid, p->action);
        p->question = sd_bus_slot_unref(p->question);
        p->asked_usec = now_usec();
        return sd_bus_call_async(bus, &p->question, m, on_polkit_answer, p,
                                 polkit_timeout_usec(p->interactive));
}

static bool user_has_too_many(const Pending *p)
{
        unsigned n = 0;

        for (size_t i = 0; i < ELEMENTSOF(p->authority->pending); i++) {
                const Pending *other = p->authority->pending[i];

                if (other && other->identified && other->uid == p->uid)
                        n++;
        }
        return n > AUTHORISE_PENDING_PER_USER_MAX;
}

static int pending_fail(Pending *p, int error)
{
        int r = sd_bus_reply_method_errno(p->call, error, NULL);

        (void) log_warning(error, "Cannot decide about a call: %m");
        pending_free(p);
        return r;
}

static int on_user_answer(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Pending *p = userdata;
        int r;

        (void) ret_error;
        if (sd_bus_message_is_method_error(m, NULL) &&
            !sd_bus_message_is_method_error(m, SD_BUS_ERROR_NAME_HAS_NO_OWNER))
                return pending_fail(p, -sd_bus_message_get_errno(m));
        if (sd_bus_message_is_method_error(m, NULL)) {
                log_debug("%s vanished before it was identified",
                          sd_bus_message_get_sender(p->call));
                pending_free(p);
                return 0;
        }
        r = sd_bus_message_read(m, "u", &p->uid);
        if (r < 0)
                return pending_fail(p, r);
        p->identified = true;

        if (p->uid == 0)
                return pending_grant(p);
        if (user_has_too_many(p)) {
                r = sd_bus_reply_method_errorf(p->call, BUS_ERROR_BUSY,
                                               "User %" PRIu32
                                               " waits for %d permissions already, try again "
                                               "when they are decided",
                                               p->uid, AUTHORISE_PENDING_PER_USER_MAX);
                pending_free(p);
                return r;
        }

        r = watch_caller(p);
        if (r >= 0)
                r = ask_polkit(p);
        return r < 0 ? pending_fail(p, r) : 0;
}

/* A place for one more decision, NULL when there is none for this caller. */
static Pending **find_place(Authority *authority, const char *sender)
{
        Pending **place = NULL;
        unsigned n = 0;

        for (size_t i = 0; i < ELEMENTSOF(authority->pending); i++) {
                const Pending *p = authority->pending[i];

                if (!p)
                        place = authority->pending + i;
                else if (strcmp(sd_bus_message_get_sender(p->call), sender) == 0)
                        n++;
        }
        return n < AUTHORISE_PENDING_PER_CALLER_MAX ? place : NULL;
}

int authority_check(Authority *authority, sd_bus_message *call, const char *action, void *request,
                    AuthorisedAct act, void *userdata, sd_bus_error *error)
{
        _cleanup_free_ void *owned = request;
        const char *sender = sd_bus_message_get_sender(call);
        CLEANUP(pending_free_p) Pending *p = NULL;
        Pending **place;
        int r;

        if (!sender)
                return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED,
                                        "A call without a sender comes from no bus");
        place = find_place(authority, sender);
        if (!place)
                return bus_error_setf(error, BUS_ERROR_BUSY,
                                      "Too many calls wait for their permission, try again");

        p = malloc(sizeof(Pending));
        if (!p)
                return -ENOMEM;
        *p = (Pending){
                .authority = authority,
                .call = sd_bus_message_ref(call),
                .action = action,
                .request = TAKE(owned),
                .act = act,
                .userdata = userdata,
        };
        *place = p;

        r = sd_bus_call_method_async(authority->bus, &p->question, "org.freedesktop.DBus",
                                     "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                     "GetConnectionUnixUser", on_user_answer, p, "s", sender);
        if (r < 0)
                return r;
        p = NULL; /* the table owns it until an answer is in */
        return 1;
}
