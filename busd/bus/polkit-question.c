/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asking polkit (see polkit-question.h). What its errors mean is decided in polkit-outcome.c.
 */
#include "bus/polkit-question.h"

#include "bus/polkit-outcome.h"
#include "cleanup.h"
#include "clock.h"
#include "log.h"
#include "parse.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define POLKIT_NAME      "org.freedesktop.PolicyKit1"
#define POLKIT_PATH      "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"

enum {
        POLKIT_ALLOW_INTERACTION = 1,
        LOSSES_PERIOD_SEC = 10, /* at most one is logged in each */
};

struct Polkit {
        sd_bus *bus;
        uint64_t n_asked;
        bool lost; /* said so already */
        uint64_t next_loss_usec; /* not to be said again before */
};

struct PolkitQuestion {
        Polkit *polkit;
        const char *sender;
        PolkitPeer peer; /* if it has a process */
        uint64_t number; /* names the question, so that it can be withdrawn */
        bool interactive;
        uint64_t asked_usec; /* CLOCK_MONOTONIC */
        PolkitAnswered answered;
        void *userdata;
        sd_bus_slot *slot;
};

int polkit_new(sd_bus *bus, Polkit **ret_polkit)
{
        Polkit *polkit = malloc(sizeof(Polkit));

        if (!polkit)
                return -ENOMEM;
        *polkit = (Polkit){ .bus = bus };
        *ret_polkit = polkit;
        return 0;
}

Polkit *polkit_free(Polkit *polkit)
{
        free(polkit);
        return NULL;
}

PolkitQuestion *polkit_question_free(PolkitQuestion *question)
{
        if (!question)
                return NULL;
        sd_bus_slot_unref(question->slot);
        free(question);
        return NULL;
}
DEFINE_CLEANUP(PolkitQuestion *, polkit_question_free)

void polkit_question_withdraw(const PolkitQuestion *question)
{
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        sd_bus *bus = question->polkit->bus;
        char number[32];
        int r;

        (void) snprintf(number, sizeof(number), "%" PRIu64, question->number);
        r = sd_bus_message_new_method_call(bus, &m, POLKIT_NAME, POLKIT_PATH, POLKIT_INTERFACE,
                                           "CancelCheckAuthorization");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", number);
        if (r >= 0)
                r = sd_bus_message_set_expect_reply(m, false);
        if (r >= 0)
                r = sd_bus_send(bus, m, NULL);
        if (r < 0)
                (void) log_full(LOG_DEBUG, r, NULL, MESSAGE_NONE,
                                "Cannot withdraw a question to polkit: %m, ignoring");
}

static int answer(const PolkitQuestion *question, PolkitVerdict verdict, const char *why)
{
        return question->answered(verdict, why, question->userdata);
}

/* Polkit did not answer: it is absent, hangs, or does not know the action. */
static int answer_without_polkit(const PolkitQuestion *question, const sd_bus_error *error)
{
        Polkit *polkit = question->polkit;
        _cleanup_free_ char *why = NULL;

        /* A polkit that comes and goes must not fill the journal. A loss that was not said stays
         * unsaid until the period is over; then the next refusal says it. */
        if (!polkit->lost && clock_monotonic_usec() >= polkit->next_loss_usec) {
                (void) log_event(LOG_WARNING, 0, NULL, MESSAGE_AUTHORITY_UNAVAILABLE,
                                 "Cannot ask polkit (%s): all users but root are refused until it "
                                 "answers",
                                 error->message ?: error->name);
                polkit->lost = true;
                polkit->next_loss_usec = clock_monotonic_usec() + LOSSES_PERIOD_SEC * USEC_PER_SEC;
        }

        why = text_format("polkit did not answer (%s) and only root needs no polkit",
                          error->message ?: error->name);
        return answer(question, POLKIT_REFUSED,
                      why ?: "polkit did not answer and only root needs no polkit");
}

/* It answered, though with an error. */
static bool is_of_polkit(const char *name)
{
        static const char *const prefixes[] = { "org.freedesktop.PolicyKit1.",
                                                "org.gtk.GDBus.UnmappedGError." };

        for (size_t i = 0; i < ELEMENTSOF(prefixes); i++)
                if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
                        return true;
        return false;
}

static int on_error(const PolkitQuestion *question, const sd_bus_error *error)
{
        PolkitOutcome outcome = polkit_outcome(error, question->sender, question->interactive,
                                               clock_monotonic_usec() - question->asked_usec);
        char why[64];

        /* A peer may be gone by now, and polkit has no name for that. */
        if (question->peer.pid > 0 && is_of_polkit(error->name))
                return answer(question, POLKIT_REFUSED, "polkit does not know who asks");
        if (sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY) ||
            sd_bus_error_has_name(error, SD_BUS_ERROR_TIMEOUT))
                polkit_question_withdraw(question);

        switch (outcome) {
        case POLKIT_UNANSWERED:
                (void) snprintf(why, sizeof(why),
                                "nobody answered polkit's question in %" PRIu64 " s",
                                polkit_timeout_usec(true) / USEC_PER_SEC);
                return answer(question, POLKIT_REFUSED, why);
        case POLKIT_CALLER_VANISHED:
                return answer(question, POLKIT_LEFT, NULL);
        case POLKIT_UNAVAILABLE:
                break;
        }
        return answer_without_polkit(question, error);
}

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        PolkitQuestion *question = userdata;
        const sd_bus_error *error = sd_bus_message_get_error(m);
        int r, authorised, challenge;

        (void) ret_error;
        if (error)
                return on_error(question, error);

        r = sd_bus_message_enter_container(m, 'r', "bba{ss}");
        if (r >= 0)
                r = sd_bus_message_read(m, "bb", &authorised, &challenge);
        if (r < 0) {
                (void) log_warning(r, "Cannot read polkit's answer: %m");
                return answer(question, POLKIT_REFUSED, "polkit's answer is malformed");
        }
        if (question->polkit->lost)
                log_notice("Polkit answers again");
        question->polkit->lost = false;

        if (authorised)
                return answer(question, POLKIT_ALLOWED, NULL);
        return answer(question, POLKIT_REFUSED,
                      challenge ? "polkit wants a password, and the caller did not allow to be "
                                  "asked or has no authentication agent"
                                : "polkit says no");
}

static int append_subject(sd_bus_message *m, const PolkitQuestion *question)
{
        const PolkitPeer *peer = &question->peer;

        if (peer->pid == 0)
                return sd_bus_message_append(m, "(sa{sv})", "system-bus-name", 1, "name", "s",
                                             question->sender);
        /* Whoever the number belongs to by now: the user is the one that was seen. */
        return sd_bus_message_append(m, "(sa{sv})", "unix-process", 3, "pid", "u", peer->pid,
                                     "start-time", "t", UINT64_C(0), "uid", "i",
                                     (int32_t) peer->uid);
}

static int send_question(PolkitQuestion *question, const char *action)
{
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        sd_bus *bus = question->polkit->bus;
        char number[32];
        int r;

        (void) snprintf(number, sizeof(number), "%" PRIu64, question->number);
        r = sd_bus_message_new_method_call(bus, &m, POLKIT_NAME, POLKIT_PATH, POLKIT_INTERFACE,
                                           "CheckAuthorization");
        if (r < 0)
                return r;
        r = append_subject(m, question);
        if (r >= 0)
                r = sd_bus_message_append(m, "sa{ss}us", action, 0,
                                          question->interactive ? POLKIT_ALLOW_INTERACTION : 0,
                                          number);
        if (r < 0)
                return r;
        return sd_bus_call_async(bus, &question->slot, m, on_answer, question,
                                 polkit_timeout_usec(question->interactive));
}

int polkit_ask(Polkit *polkit, const char *sender, const PolkitPeer *peer, const char *action,
               bool interactive, PolkitAnswered answered, void *userdata,
               PolkitQuestion **ret_question)
{
        CLEANUP(polkit_question_free_p)
        PolkitQuestion *question = malloc(sizeof(PolkitQuestion));
        int r;

        if (!question)
                return -ENOMEM;
        *question = (PolkitQuestion){
                .polkit = polkit,
                .sender = sender,
                .peer = peer ? *peer : (PolkitPeer){},
                .number = ++polkit->n_asked,
                .interactive = interactive,
                .asked_usec = clock_monotonic_usec(),
                .answered = answered,
                .userdata = userdata,
        };
        r = send_question(question, action);
        if (r < 0)
                return r;
        *ret_question = TAKE(question);
        return 0;
}
