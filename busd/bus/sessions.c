/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of sessions (see sessions.h). Nothing ends them with their connection but their being of no use then.
 */
#include "bus/sessions.h"

#include "bus/bus-dict.h"
#include "bus/bus-error.h"
#include "cleanup.h"
#include "clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-id128.h>

typedef struct Entry {
        char id[SESSION_ID_SIZE]; /* "": free */
        char owner[SESSION_OWNER_SIZE];
        Session who;
        uint64_t used; /* the number of its last use */
} Entry;

struct Sessions {
        uint64_t n_uses;
        Entry entries[SESSIONS_MAX];
};

int sessions_new(Sessions **ret_sessions)
{
        Sessions *sessions = calloc(1, sizeof(*sessions));

        if (!sessions)
                return -ENOMEM;
        *ret_sessions = sessions;
        return 0;
}

Sessions *sessions_free(Sessions *sessions)
{
        free(sessions);
        return NULL;
}

static bool is_same(const Entry *entry, const char *owner, const Session *who)
{
        return *entry->id && strcmp(entry->owner, owner) == 0 && entry->who.token == who->token &&
               entry->who.peer.pid == who->peer.pid && entry->who.peer.uid == who->peer.uid &&
               strcmp(entry->who.roles, who->roles) == 0 &&
               entry->who.expires_usec == who->expires_usec;
}

/* The entry that says the same already, or else a free one, or else the one that was not used for longest. */
static Entry *find_place(Sessions *sessions, const char *owner, const Session *who)
{
        Entry *place = sessions->entries;

        for (size_t i = 0; i < SESSIONS_MAX; i++) {
                Entry *entry = sessions->entries + i;

                if (is_same(entry, owner, who))
                        return entry;
                if (*place->id && (!*entry->id || entry->used < place->used))
                        place = entry;
        }
        *place->id = '\0';
        return place;
}

int sessions_open(Sessions *sessions, const char *owner, const Session *who, const char **ret_id)
{
        Entry *entry;
        sd_id128_t id;
        int r;

        if (strlen(owner) >= SESSION_OWNER_SIZE)
                return -EINVAL;
        entry = find_place(sessions, owner, who);
        if (!*entry->id) {
                r = sd_id128_randomize(&id);
                if (r < 0)
                        return r;
                *entry = (Entry){ .who = *who };
                (void) sd_id128_to_string(id, entry->id);
                (void) snprintf(entry->owner, sizeof(entry->owner), "%s", owner);
        }
        entry->used = ++sessions->n_uses;
        *ret_id = entry->id;
        return 0;
}

const Session *sessions_find(Sessions *sessions, const char *owner, const char *id)
{
        for (size_t i = 0; i < SESSIONS_MAX; i++) {
                Entry *entry = sessions->entries + i;

                if (!*entry->id || strcmp(entry->id, id) != 0 || strcmp(entry->owner, owner) != 0)
                        continue;
                if (entry->who.expires_usec > 0 &&
                    entry->who.expires_usec <= clock_realtime_usec()) {
                        *entry->id = '\0';
                        return NULL;
                }
                entry->used = ++sessions->n_uses;
                return &entry->who;
        }
        return NULL;
}

void sessions_end_token(Sessions *sessions, uint64_t token)
{
        for (size_t i = 0; i < SESSIONS_MAX; i++)
                if (sessions->entries[i].who.token == token)
                        *sessions->entries[i].id = '\0';
}

int sessions_of_call(Sessions *sessions, sd_bus_message *call, const Session **ret_session,
                     sd_bus_error *error)
{
        const char *id;
        int r;

        *ret_session = NULL;
        r = bus_options_passed(call, &id);
        if (r < 0 || !id)
                return r;
        *ret_session = sessions_find(sessions, sd_bus_message_get_sender(call) ?: "", id);
        if (*ret_session)
                return 0;
        return bus_error_setf(error, BUS_ERROR_UNAUTHORIZED,
                              "This connection has no such session, or its token has ended; "
                              "authenticate again");
}

bool session_allows(const Session *session, const char *action)
{
        const char *dot = strrchr(action, '.'), *role = dot ? dot + 1 : action;
        size_t size = strlen(role);

        for (const char *p = session->roles; *p;) {
                size_t n = strcspn(p, ",");

                if (n == size && strncmp(p, role, size) == 0)
                        return true;
                p += n + (p[n] == ',' ? 1 : 0);
        }
        return false;
}
