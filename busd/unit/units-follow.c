/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is known of our services and sockets, and who is told (see units-private.h). PID 1 sends a change in
 * two messages, first with the properties of the kind of unit, then with those all units have: the second
 * one is told. Two things PID 1 says are not so, and are looked up before they are told: at a daemon-reload
 * it says of every unit that it is removed, and a service that it is about to start again is failed or
 * inactive for a moment. After PID 1 was away everything known is looked up and what differs is told.
 */
#include "unit/unit-state.h"
#include "unit/units-private.h"

#include "cleanup.h"

#include <errno.h>
#include <string.h>

struct Followed {
        Units *units;
        Followed *next;
        UnitQuery *query; /* on its way, to look it up */
        char unit[UNIT_NAME_SIZE];
        UnitState is, told; /* told.exists: it was told, or answered, at all */
};

/* Ours, and of a kind whose changes are told. */
static bool is_followed_kind(const Units *units, const char *unit)
{
        UnitName name;

        return unit_name_from_string(unit, &name) == 0 &&
               unit_kind_side(name.kind) == units->side &&
               name.kind != unit_kind_target(name.kind) && name.kind != unit_kind_slice(name.kind);
}

static Followed *find(const Units *units, const char *unit)
{
        for (Followed *f = units->followed; f; f = f->next)
                if (strcmp(f->unit, unit) == 0)
                        return f;
        return NULL;
}

static Followed *find_or_add(Units *units, const char *unit)
{
        Followed *f = find(units, unit);

        if (f)
                return f;
        f = malloc(sizeof(Followed));
        if (!f)
                return NULL;
        *f = (Followed){ .units = units, .next = units->followed, .is.exists = true };
        (void) snprintf(f->unit, sizeof(f->unit), "%s", unit);
        return units->followed = f;
}

static void forget(Followed *f)
{
        Followed **at = &f->units->followed;

        while (*at != f)
                at = &(*at)->next;
        *at = f->next;
        unit_query_drop(&f->query);
        free(f);
}

/* A unit that somebody only named is loaded for a moment, inactive: nothing has happened. */
static bool is_news(const Followed *f)
{
        if (!f->told.exists && strcmp(f->is.active, "inactive") == 0)
                return false;
        return !unit_state_equal(&f->is, &f->told);
}

/* The handler may call the room, which may add to the list and take from it. */
static void tell(Followed *f)
{
        Units *units = f->units;
        char unit[UNIT_NAME_SIZE];
        UnitState state = f->is;

        if (!is_news(f))
                return;
        f->told = f->is;
        memcpy(unit, f->unit, sizeof(unit));
        if (units->handler)
                units->handler(unit, &state, units->userdata);
}

static void tell_gone(Followed *f)
{
        bool was_told = f->told.exists;
        const UnitState gone = {};
        Units *units = f->units;
        char unit[UNIT_NAME_SIZE];

        memcpy(unit, f->unit, sizeof(unit));
        forget(f);
        if (was_told && units->handler)
                units->handler(unit, &gone, units->userdata);
}

/* What cannot be looked up is told by the next signal. The answer is newer than all signals before it. */
static void on_looked_up(int error, const char *text, const UnitState *state, const char *job,
                         void *userdata)
{
        Followed *f = userdata;

        (void) text, (void) job;
        if (error < 0)
                return;
        if (!state->exists) {
                tell_gone(f);
                return;
        }
        f->is = *state;
        tell(f);
}

static void look_up(Followed *f)
{
        if (!f->query)
                (void) unit_query(f->units->link, f->unit, on_looked_up, f, &f->query);
}

/* It is down, and of the kind that systemd may start again. */
static bool is_perhaps_restarted(const Followed *f)
{
        UnitName name;

        return (strcmp(f->is.active, "failed") == 0 || strcmp(f->is.active, "inactive") == 0) &&
               unit_name_from_string(f->unit, &name) == 0 &&
               (name.kind == UNIT_EXPORT_SERVICE || name.kind == UNIT_MOUNT_SERVICE);
}

int units_on_changed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        _cleanup_free_ char *unit = NULL;
        Units *units = userdata;
        const char *interface;
        Followed *f;

        (void) error;
        if (!systemd_link_sent(units->link, m) ||
            sd_bus_path_decode(sd_bus_message_get_path(m), SYSTEMD_UNITS, &unit) <= 0 ||
            !is_followed_kind(units, unit) || sd_bus_message_read(m, "s", &interface) <= 0)
                return 0;
        f = find_or_add(units, unit);
        if (!f || unit_state_read(m, &f->is, NULL, 0) < 0 ||
            strcmp(interface, "org.freedesktop.systemd1.Unit") != 0)
                return 0;
        if (is_perhaps_restarted(f) && is_news(f))
                look_up(f);
        else
                tell(f);
        return 0;
}

int units_on_removed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Units *units = userdata;
        const char *unit;
        Followed *f;

        (void) error;
        if (!systemd_link_sent(units->link, m) || sd_bus_message_read(m, "s", &unit) <= 0)
                return 0;
        f = find(units, unit);
        if (f)
                look_up(f);
        return 0;
}

void units_follow_again(Units *units)
{
        for (Followed *f = units->followed; f; f = f->next)
                look_up(f);
}

void units_follow(Units *units, const char *unit, const UnitState *state)
{
        Followed *f;

        if (!is_followed_kind(units, unit))
                return;
        f = state->exists ? find_or_add(units, unit) : find(units, unit);
        if (!f)
                return;
        if (!state->exists)
                forget(f);
        else
                f->is = f->told = *state;
}

const UnitState *units_known(const Units *units, const char *unit)
{
        const Followed *f = find(units, unit);

        return f ? &f->is : NULL;
}

void units_follow_done(Units *units)
{
        while (units->followed)
                forget(units->followed);
}
