/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The way to PID 1 (see systemd-link.h).
 */
#include "unit/systemd-link.h"

#include "cleanup.h"
#include "parse.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define BUS_DRIVER "org.freedesktop.DBus"

struct LinkCall {
        SystemdLink *link;
        LinkCall *next;
        LinkCall **handle; /* the caller's */
        sd_bus_message *message;
        sd_bus_slot *slot; /* while it is under way */
        sd_event_source *deadline; /* NULL: it waits as long as it takes */
        LinkDone done;
        void *userdata;
        unsigned n_sent, n_here; /* in all, and to the PID 1 that is there now */
};

struct SystemdLink {
        sd_bus *bus;
        LinkBack back;
        void *userdata;
        char owner[64]; /* PID 1's unique name, empty while it has none */
        sd_bus_slot *changed, *asked;
        LinkCall *calls;
        unsigned n_underway; /* of them: sent, and not answered */
        sd_event_source *kick; /* looks at those that wait for their turn */
};

static void call_stop_waiting(LinkCall *call)
{
        if (!call->slot)
                return;
        call->slot = sd_bus_slot_unref(call->slot);
        call->link->n_underway--;
        (void) sd_event_source_set_enabled(call->link->kick, SD_EVENT_ONESHOT);
}

static void call_free(LinkCall *call)
{
        LinkCall **at = &call->link->calls;

        while (*at != call)
                at = &(*at)->next;
        *at = call->next;
        *call->handle = NULL;
        sd_event_source_disable_unref(call->deadline);
        call_stop_waiting(call);
        sd_bus_message_unref(call->message);
        free(call);
}

void link_call_drop(LinkCall **call)
{
        if (*call)
                call_free(*call);
}

/* The call is gone before its end is told. */
static void call_finish(LinkCall *call, int error, const char *text, sd_bus_message *reply)
{
        LinkDone done = call->done;
        void *userdata = call->userdata;
        unsigned n_sent = call->n_sent;

        call_free(call);
        done(error, text, reply, n_sent, userdata);
}

/* PID 1 was not there to answer. */
static bool error_is_absence(const sd_bus_error *error)
{
        static const char *const names[] = {
                SD_BUS_ERROR_NO_REPLY,
                SD_BUS_ERROR_NAME_HAS_NO_OWNER,
                SD_BUS_ERROR_SERVICE_UNKNOWN,
        };
        static const char spawn[] = "org.freedesktop.DBus.Error.Spawn.";

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (sd_bus_error_has_name(error, names[i]))
                        return true;
        return strncmp(error->name, spawn, strlen(spawn)) == 0;
}

static int error_to_errno(const sd_bus_error *error)
{
        static const struct {
                const char *name;
                int error;
        } known[] = {
                { "org.freedesktop.systemd1.NoSuchUnit", -ENOENT },
                { "org.freedesktop.systemd1.UnitExists", -EEXIST },
                { "org.freedesktop.systemd1.AlreadySubscribed", -EALREADY },
                { "org.freedesktop.systemd1.TransactionIsDestructive", -EBUSY },
                { SD_BUS_ERROR_ACCESS_DENIED, -EACCES },
                { SD_BUS_ERROR_AUTH_FAILED, -EACCES },
                { SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED, -EACCES },
        };
        int r;

        /* A polkit that is masked or not installed is told as a unit's error. */
        if (error->message && strstr(error->message, "polkit"))
                return -EACCES;
        for (size_t i = 0; i < ELEMENTSOF(known); i++)
                if (sd_bus_error_has_name(error, known[i].name))
                        return known[i].error;
        r = sd_bus_error_get_errno(error);
        return r > 0 ? -r : -EIO;
}

static void call_fail(LinkCall *call, const sd_bus_error *error)
{
        const char *member = sd_bus_message_get_member(call->message);
        char text[LINK_TEXT_SIZE];
        int r = error_to_errno(error);

        if (r == -EACCES)
                (void) snprintf(text, sizeof(text),
                                "systemd refuses %s to this user (%s); is polkit running, and is "
                                "its rule 60-sendense-hub.rules installed?",
                                member, error->message ?: error->name);
        else
                (void) snprintf(text, sizeof(text), "%s: %s", member,
                                error->message ?: error->name);
        call_finish(call, r, text, NULL);
}

static void call_fail_errno(LinkCall *call, int error)
{
        char text[LINK_TEXT_SIZE];

        (void) snprintf(text, sizeof(text), "cannot call systemd's %s: %s",
                        sd_bus_message_get_member(call->message), strerrordesc_np(-error));
        call_finish(call, error, text, NULL);
}

static bool may_send(const SystemdLink *link)
{
        return link->owner[0] && link->n_underway < LINK_UNDERWAY_MAX;
}

static int call_send(LinkCall *call);

static int on_reply(sd_bus_message *reply, void *userdata, sd_bus_error *unused)
{
        LinkCall *call = userdata;
        const sd_bus_error *error = sd_bus_message_get_error(reply);
        int r;

        (void) unused;
        call_stop_waiting(call);
        if (!error)
                call_finish(call, 0, NULL, reply);
        else if (!error_is_absence(error) || call->n_here >= LINK_SENT_MAX)
                call_fail(call, error);
        else if (sd_bus_is_open(call->link->bus) <= 0)
                return 0; /* the bus itself is gone, which is told next, and PID 1 has refused nothing */
        else if (may_send(call->link)) {
                r = call_send(call);
                if (r < 0)
                        call_fail_errno(call, r);
        }
        return 0;
}

/* The time limit is for an answer, not for the turn. */
static int call_send(LinkCall *call)
{
        int r = 0;

        call->n_sent++;
        call->n_here++;
        if (call->deadline)
                r = sd_event_source_set_time_relative(call->deadline,
                                                      LINK_REPLY_SEC * USEC_PER_SEC);
        if (r >= 0)
                r = sd_bus_call_async(call->link->bus, &call->slot, call->message, on_reply, call,
                                      UINT64_MAX);
        if (r >= 0)
                call->link->n_underway++;
        return r;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
        LinkCall *call = userdata;
        char text[LINK_TEXT_SIZE];

        (void) source, (void) usec;
        (void) snprintf(text, sizeof(text),
                        "systemd did not answer %s within %i s; it waits for polkit, if that "
                        "hangs",
                        sd_bus_message_get_member(call->message), LINK_REPLY_SEC);
        call_finish(call, -ETIME, text, NULL);
        return 0;
}

/* Each end may make further calls and drop others, so the search begins anew. */
static void send_held(SystemdLink *link)
{
        LinkCall *call = link->calls;
        int r;

        while (call && may_send(link)) {
                if (call->slot) {
                        call = call->next;
                        continue;
                }
                r = call_send(call);
                if (r < 0)
                        call_fail_errno(call, r);
                call = r < 0 ? link->calls : call->next;
        }
}

static int on_kick(sd_event_source *source, void *userdata)
{
        (void) source;
        send_held(userdata);
        return 0;
}

static void owner_is(SystemdLink *link, const char *owner)
{
        (void) snprintf(link->owner, sizeof(link->owner), "%s", owner);
        if (!link->owner[0])
                return;
        for (LinkCall *call = link->calls; call; call = call->next)
                call->n_here = 0;
        link->back(link->userdata);
        send_held(link);
}

/* Only the bus driver itself has this name as a sender. */
static bool is_from_driver(sd_bus_message *m)
{
        const char *sender = sd_bus_message_get_sender(m);

        return sender && strcmp(sender, BUS_DRIVER) == 0;
}

static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        const char *name, *old_owner, *new_owner;
        SystemdLink *link = userdata;

        (void) error;
        if (is_from_driver(m) && sd_bus_message_read(m, "sss", &name, &old_owner, &new_owner) > 0 &&
            strcmp(name, SYSTEMD_NAME) == 0)
                owner_is(link, new_owner);
        return 0;
}

/* An error says that nobody has the name: NameOwnerChanged will tell. */
static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        SystemdLink *link = userdata;
        const char *owner;

        (void) error;
        link->asked = sd_bus_slot_unref(link->asked);
        if (!link->owner[0] && !sd_bus_message_is_method_error(m, NULL) &&
            sd_bus_message_read(m, "s", &owner) > 0)
                owner_is(link, owner);
        return 0;
}

DEFINE_CLEANUP(SystemdLink *, systemd_link_free)

int systemd_link_new(sd_bus *bus, LinkBack back, void *userdata, SystemdLink **ret_link)
{
        CLEANUP(systemd_link_free_p) SystemdLink *link = NULL;
        int r;

        if (!sd_bus_get_event(bus))
                return -EINVAL;
        link = malloc(sizeof(SystemdLink));
        if (!link)
                return -ENOMEM;
        *link = (SystemdLink){ .bus = sd_bus_ref(bus), .back = back, .userdata = userdata };

        r = sd_event_add_defer(sd_bus_get_event(bus), &link->kick, on_kick, link);
        if (r >= 0)
                r = sd_event_source_set_enabled(link->kick, SD_EVENT_OFF);
        if (r < 0)
                return r;
        r = sd_bus_add_match_async(bus, &link->changed,
                                   "type='signal',sender='" BUS_DRIVER
                                   "',member='NameOwnerChanged',arg0='" SYSTEMD_NAME "'",
                                   on_owner_changed, NULL, link);
        if (r >= 0)
                r = sd_bus_call_method_async(bus, &link->asked, BUS_DRIVER, "/org/freedesktop/DBus",
                                             BUS_DRIVER, "GetNameOwner", on_owner, link, "s",
                                             SYSTEMD_NAME);
        if (r < 0)
                return r;
        *ret_link = TAKE(link);
        return 0;
}

SystemdLink *systemd_link_free(SystemdLink *link)
{
        if (!link)
                return NULL;
        for (LinkCall *call = link->calls, *next; call; call = next) {
                next = call->next;
                call_free(call);
        }
        sd_bus_slot_unref(link->changed);
        sd_bus_slot_unref(link->asked);
        sd_event_source_disable_unref(link->kick);
        sd_bus_unref(link->bus);
        free(link);
        return NULL;
}

sd_bus *systemd_link_bus(const SystemdLink *link)
{
        return link->bus;
}

bool systemd_link_sent(const SystemdLink *link, sd_bus_message *signal)
{
        const char *sender = sd_bus_message_get_sender(signal);

        return sender && link->owner[0] && strcmp(sender, link->owner) == 0;
}

int systemd_link_message(const SystemdLink *link, const char *path, const char *interface,
                         const char *member, sd_bus_message **ret_message)
{
        return sd_bus_message_new_method_call(link->bus, ret_message, SYSTEMD_NAME, path, interface,
                                              member);
}

static LinkCall *call_new(SystemdLink *link, sd_bus_message *message, LinkDone done, void *userdata,
                          LinkCall **handle)
{
        LinkCall **end = &link->calls, *new;

        new = malloc(sizeof(LinkCall));
        if (!new)
                return NULL;
        *new = (LinkCall){
                .link = link,
                .handle = handle,
                .message = sd_bus_message_ref(message),
                .done = done,
                .userdata = userdata,
        };
        while (*end)
                end = &(*end)->next;
        return *end = *handle = new;
}

/* Now, if it is its turn. */
static int call_begin(LinkCall *call)
{
        int r = may_send(call->link) ? call_send(call) : 0;

        if (r < 0)
                call_free(call);
        return r < 0 ? r : 0;
}

int systemd_link_ask(SystemdLink *link, sd_bus_message *message, LinkDone done, void *userdata,
                     LinkCall **call)
{
        LinkCall *new = call_new(link, message, done, userdata, call);

        return new ? call_begin(new) : -ENOMEM;
}

int systemd_link_send(SystemdLink *link, sd_bus_message *message, LinkDone done, void *userdata,
                      LinkCall **call)
{
        LinkCall *new = call_new(link, message, done, userdata, call);
        int r;

        if (!new)
                return -ENOMEM;
        r = sd_event_add_time_relative(sd_bus_get_event(link->bus), &new->deadline, CLOCK_MONOTONIC,
                                       LINK_REPLY_SEC * USEC_PER_SEC, 0, on_deadline, new);
        if (r < 0) {
                call_free(new);
                return r;
        }
        return call_begin(new);
}
