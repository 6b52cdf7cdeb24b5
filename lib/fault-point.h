/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fault points: named places before and after every durable step, where a test build can be told to
 * kill or stop itself (tests/lib/README.md says how). Everything that writes down, renames or undoes
 * something calls fault_point(). In a normal build it is nothing: no code, no string, no section.
 */
#pragma once

#include "build-config.h"

/* FAULT_POINTS_HERE turns them on for one program, so that their own test runs in every build. */
#if SENDENSE_FAULT_POINTS || defined(FAULT_POINTS_HERE)

/* One for each place in the source. The fields behind the name belong to fault-point.c. */
typedef struct FaultPoint {
        const char *name;
        unsigned long n_hits; /* in this process */
        unsigned long instruction; /* the one that n_obeyed counts for */
        unsigned long n_obeyed;
} FaultPoint;

/* Safe in threads and in signal handlers; keeps errno. May not return. */
void fault_point_hit(FaultPoint *point);

#define FAULT_POINT_TEXT_(x) #x
#define FAULT_POINT_TEXT(x)  FAULT_POINT_TEXT_(x)

/* name is a string literal of a-z, 0-9, '-' and '.', used at one place only: "room.step.before". The
 * section holds "name file:line" and is what tests/lib/fault-points lists, so that the list is what
 * was built. */
#define fault_point(literal)                                                            \
        do {                                                                            \
                static const char _fault_point_listed[] __attribute__((                 \
                                section("sendense_fault_points"), used, aligned(1))) =  \
                                "" literal " " __FILE__ ":" FAULT_POINT_TEXT(__LINE__); \
                static FaultPoint _fault_point = { .name = "" literal };                \
                fault_point_hit(&_fault_point);                                         \
        } while (0)

#else
#define fault_point(literal) ((void) sizeof("" literal))
#endif
