/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The transient units of one side, hub or node, as PID 1 has them: who is told of their changes, stops them, asks for them.
 * What starts units of the hub and of the node goes through it. Everything is an
 * asynchronous call, and what changes something has a time limit: nothing here blocks. It outlives daemon-reload and daemon-reexec: a
 * call that PID 1 lost is sent again, and what happened while it was off the bus is looked up and told.
 * Signals count only when PID 1 sent them. Does not log.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#include "names.h"

typedef struct Units Units;

enum {
        UNITS_LOOK_ROUND_SEC = 20, /* what is awaited is asked for at least so often */
        UNITS_CALLS_MAX = 4096, /* starts, stops and questions not yet answered */
        UNITS_LIST_MAX = 20000, /* units in one answer of units_list() */
};

/* Members are empty or 0 where PID 1 has nothing to say: a socket has no process. */
typedef struct UnitState {
        bool exists; /* loaded, from a file or by a call */
        char active[16], sub[24], result[32]; /* systemd's words */
        uint32_t main_pid; /* 0 when none runs */
        int exec_status; /* of the last main process: exit status, or signal */
        int exec_code; /* CLD_EXITED, CLD_KILLED, CLD_DUMPED; 0 when none has ended */
        char invocation_id[33]; /* of this start, in hex */
        unsigned n_restarts; /* by systemd itself (Restart=) */
} UnitState;

/* Each change of one of our transient services and sockets; exists=false when it is gone. May start, stop
 * and ask; must not free. */
typedef void (*UnitsHandler)(const char *unit, const UnitState *state, void *userdata);

/* The end of a start or stop: 0, or a negative errno and one line with systemd's own words (NULL for 0).
 * -EACCES: polkit or its rule; -ETIMEDOUT: systemd did not do it in time; -ETIME: it did not even answer;
 * -ECANCELED: another call undid it, or the room was freed; others stand with the function. May call the room again, must not free. */
typedef void (*UnitDone)(int error, const char *text, void *userdata);

typedef void (*UnitsGot)(int error, const UnitState *state, void *userdata);
typedef void (*UnitsListed)(int error, const char *const *units, size_t n, void *userdata);

/* bus must be attached to an event loop, and is borrowed until units_free(). The calls below may be made
 * at once; they wait for the bus and for PID 1 on it. */
int units_new(sd_bus *bus, UnitSide side, UnitsHandler handler, void *userdata, Units **ret_units);

/* Every open call is answered with -ECANCELED before it returns. Stops no unit. NULL. */
Units *units_free(Units *units);

/* Stops a unit of ours (also a job's target or slice) and makes systemd forget that it failed. Done when
 * it is inactive: TERM, TimeoutStopSec=, KILL are systemd's. A unit that is not there is done. The socket of
 * an export or a mount takes its service along (BindsTo=), not the other way round; a slice all that is in it. */
int units_stop(Units *units, const char *unit, UnitDone done, void *userdata);

/* The state of one unit of ours; exists=false when it is not loaded. Its later changes are told. It waits as long as PID 1 takes. */
int units_get(Units *units, const char *unit, UnitsGot done, void *userdata);

/* All our transient units, job slices and job targets that are not inactive, by name. The list is
 * borrowed for the call. */
int units_list(Units *units, UnitsListed done, void *userdata);
