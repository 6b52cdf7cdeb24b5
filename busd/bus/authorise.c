/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asynchronous authorisation (see authorise.h). A decision is a place in a table of fixed size that
 * holds the call until two answers are in: whose connection it is (the bus daemon) and, unless that
 * is root, whether he may (polkit-question.c). Must not block, and must not look up user names: NSS
 * may.
 */
#include "bus/authorise.h"

#include "bus/bus-dict.h"
#include "bus/bus-error.h"
#include "bus/polkit-question.h"
#include "bus/sessions.h"
#include "cleanup.h"
#include "clock.h"
#include "log.h"
#include "parse.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

enum {
        DENIALS_LOGGED_MAX = 20, /* in each period */
        DENIALS_PERIOD_SEC = 10,
};

typedef struct Pending {
        Authority *authority;
        sd_bus_message *call;
        const char *action; /* NULL: only_uid may, and root */
        const char *whom; /* then */
        uint32_t only_uid;
        void *request;
        AuthorisedAct act;
        void *userdata;
        bool identified;
        uint32_t uid; /* once identified */
        char principal[SESSION_PRINCIPAL_SIZE]; /* then */
        sd_bus_slot *whose; /* the question to the bus daemon */
        PolkitQuestion *question;
        sd_bus_slot *vanished;
} Pending;

struct Authority {
        sd_bus *bus;
        Polkit *polkit;
        Sessions *sessions; /* NULL: none are taken */
        bool (*speaks_for_others)(uint32_t uid);
        Pending *pending[AUTHORISE_PENDING_MAX];
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
        sd_bus_slot_unref(p->whose);
        polkit_question_free(p->question);
        sd_bus_slot_unref(p->vanished);
        sd_bus_message_unref(p->call);
        free(p->request);
        free(p);
        return NULL;
}
DEFINE_CLEANUP(Pending *, pending_free)
DEFINE_CLEANUP(Authority *, authority_free)

int authority_new(sd_bus *bus, Authority **ret_authority)
{
        CLEANUP(authority_free_p) Authority *authority = malloc(sizeof(Authority));
        int r;

        if (!authority)
                return -ENOMEM;
        *authority = (Authority){ .bus = bus };
        r = polkit_new(bus, &authority->polkit);
        if (r < 0)
                return r;
        *ret_authority = TAKE(authority);
        return 0;
}

void authority_use_sessions(Authority *authority, Sessions *sessions,
                            bool (*speaks_for_others)(uint32_t uid))
{
        authority->sessions = sessions;
        authority->speaks_for_others = speaks_for_others;
        bus_options_pass(SESSION_OPTION);
}

Authority *authority_free(Authority *authority)
{
        if (!authority)
                return NULL;
        for (size_t i = 0; i < ELEMENTSOF(authority->pending); i++)
                pending_free(authority->pending[i]);
        polkit_free(authority->polkit);
        free(authority);
        return NULL;
}

/* A user who is refused in a loop must not fill the journal. */
static bool may_log_denial(Authority *authority)
{
        uint64_t now = clock_monotonic_usec();

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

/* Ends the decision with a refusal; why is the last part of the caller's message. */
static int pending_deny(Pending *p, const char *why)
{
        CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        (void) sd_bus_error_setf(&error, SD_BUS_ERROR_ACCESS_DENIED,
                                 "%s may not call %s.%s (%s%s): %s", p->principal,
                                 sd_bus_message_get_interface(p->call) ?: "?",
                                 sd_bus_message_get_member(p->call) ?: "?",
                                 p->action ? "polkit action " : "", p->action ?: p->whom, why);
        if (may_log_denial(p->authority)) {
                const LogContext context = { .principal = p->principal };

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
        int r;

        r = p->act(p->call, p->principal, p->request, p->userdata, &error);
        if (r < 0 || sd_bus_error_is_set(&error))
                r = sd_bus_reply_method_errno(p->call, r, &error);
        pending_free(p);
        return r;
}

static int on_caller_vanished(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Pending *p = userdata;
        const char *name, *old_owner, *new_owner, *sender = sd_bus_message_get_sender(m);
        int r;

        (void) error;
        /* A signal sent straight to us passes every match rule; only the bus driver has this name. */
        if (!sender || strcmp(sender, "org.freedesktop.DBus") != 0)
                return 0;
        r = sd_bus_message_read(m, "sss", &name, &old_owner, &new_owner);
        if (r < 0)
                return log_warning(r, "Cannot read NameOwnerChanged: %m");
        if (*new_owner)
                return 0;

        log_debug("%s vanished before polkit answered", name);
        polkit_question_withdraw(p->question);
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
        _cleanup_free_ char *match = text_format(
                        "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                        "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='%s'",
                        sd_bus_message_get_sender(p->call));

        if (!match)
                return -ENOMEM;
        return sd_bus_add_match_async(p->authority->bus, &p->vanished, match, on_caller_vanished,
                                      on_match_installed, p);
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

static int on_polkit_verdict(PolkitVerdict verdict, const char *why, void *userdata)
{
        Pending *p = userdata;

        switch (verdict) {
        case POLKIT_ALLOWED:
                return pending_grant(p);
        case POLKIT_LEFT:
                return pending_end_vanished(p);
        case POLKIT_REFUSED:
                break;
        }
        return pending_deny(p, why);
}

__attribute__((format(printf, 2, 3))) static int pending_busy(Pending *p, const char *format, ...)
{
        va_list ap;
        int r;

        va_start(ap, format);
        r = sd_bus_reply_method_errorfv(p->call, BUS_ERROR_BUSY, format, ap);
        va_end(ap);
        pending_free(p);
        return r;
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

/* All users together may leave root without a place: what he waits for is only the bus daemon. */
static bool users_have_too_many(const Authority *authority)
{
        unsigned n = 0;

        for (size_t i = 0; i < ELEMENTSOF(authority->pending); i++)
                if (authority->pending[i] && authority->pending[i]->identified)
                        n++;
        return n > AUTHORISE_PENDING_USERS_MAX;
}

static int pending_fail(Pending *p, int error)
{
        int r = sd_bus_reply_method_errno(p->call, error, NULL);

        (void) log_warning(error, "Cannot decide about a call: %m");
        pending_free(p);
        return r;
}

/* Asks polkit, about peer or else the caller himself. */
static int pending_ask(Pending *p, const PolkitPeer *peer)
{
        int r;

        if (user_has_too_many(p))
                return pending_busy(p,
                                    "User %" PRIu32 " waits for %d permissions already, try again "
                                    "when they are decided",
                                    p->uid, AUTHORISE_PENDING_PER_USER_MAX);
        if (users_have_too_many(p->authority))
                return pending_busy(p,
                                    "Users wait for %d permissions already, try again when they "
                                    "are decided",
                                    AUTHORISE_PENDING_USERS_MAX);

        r = watch_caller(p);
        if (r >= 0) {
                log_debug("Asking polkit whether %s may do %s", p->principal, p->action);
                r = polkit_ask(p->authority->polkit, sd_bus_message_get_sender(p->call), peer,
                               p->action,
                               !peer && sd_bus_message_get_allow_interactive_authorization(
                                                        p->call) > 0,
                               on_polkit_verdict, p, &p->question);
        }
        return r < 0 ? pending_fail(p, r) : 0;
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

        (void) snprintf(p->principal, sizeof(p->principal), "uid:%" PRIu32, p->uid);

        if (p->uid == 0 || (!p->action && p->uid == p->only_uid))
                return pending_grant(p);
        if (!p->action)
                return pending_deny(p, "no right can be granted for it");
        if (p->authority->speaks_for_others && p->authority->speaks_for_others(p->uid))
                return pending_deny(p, "this user speaks for others only, by a session of theirs");
        return pending_ask(p, NULL);
}

/* Who asks stands in the session, which was looked up by the caller's own name. */
static int pending_decide(Pending *p, const Session *session)
{
        p->identified = true;
        p->uid = session->peer.uid;
        (void) snprintf(p->principal, sizeof(p->principal), "%s", session->principal);
        if (!p->action)
                return pending_deny(p, "no right can be granted for it");
        if (session->token > 0)
                return session_allows(session, p->action)
                                       ? pending_grant(p)
                                       : pending_deny(p, "the token has no such role");
        return p->uid == 0 ? pending_grant(p) : pending_ask(p, &session->peer);
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

/* values has what a decision is about; takes its request, on failure too. */
static int decide(const Pending *values, sd_bus_error *error)
{
        _cleanup_free_ void *owned = values->request;
        Authority *authority = values->authority;
        sd_bus_message *call = values->call;
        const char *sender = sd_bus_message_get_sender(call);
        CLEANUP(pending_free_p) Pending *p = NULL;
        const Session *session = NULL;
        Pending **place;
        int r;

        if (!sender)
                return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED,
                                        "A call without a sender comes from no bus");
        r = authority->sessions ? sessions_of_call(authority->sessions, call, &session, error) : 0;
        if (r < 0)
                return r;
        place = find_place(authority, sender);
        if (!place)
                return bus_error_setf(error, BUS_ERROR_BUSY,
                                      "Too many calls wait for their permission, try again");

        p = malloc(sizeof(Pending));
        if (!p)
                return -ENOMEM;
        *p = *values;
        p->call = sd_bus_message_ref(call);
        owned = NULL;
        *place = p;
        if (session) {
                r = pending_decide(TAKE(p), session);
                return r < 0 ? r : 1;
        }

        r = sd_bus_call_method_async(authority->bus, &p->whose, "org.freedesktop.DBus",
                                     "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                     "GetConnectionUnixUser", on_user_answer, p, "s", sender);
        if (r < 0)
                return r;
        p = NULL; /* the table owns it until an answer is in */
        return 1;
}

int authority_check(Authority *authority, sd_bus_message *call, const char *action, void *request,
                    AuthorisedAct act, void *userdata, sd_bus_error *error)
{
        const Pending values = {
                .authority = authority,
                .call = call,
                .action = action,
                .request = request,
                .act = act,
                .userdata = userdata,
        };

        return decide(&values, error);
}

int authority_check_user(Authority *authority, sd_bus_message *call, uint32_t uid, const char *whom,
                         void *request, AuthorisedAct act, void *userdata, sd_bus_error *error)
{
        const Pending values = {
                .authority = authority,
                .call = call,
                .whom = whom,
                .only_uid = uid,
                .request = request,
                .act = act,
                .userdata = userdata,
        };

        return decide(&values, error);
}
