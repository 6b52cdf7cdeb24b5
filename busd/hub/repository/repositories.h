/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The health of the repositories, as units find it: the hub's loop itself never touches a repository,
 * because a network file system that hangs would take the loop with it. Called by the bus methods, and
 * by itself every few minutes.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Repositories Repositories;
typedef struct Store Store;
typedef struct Units Units;
typedef struct sd_event sd_event;

enum {
        REPOSITORIES_MAX = 64,
};

/* One row of the list with its health; NULL when the repository is not to be had, and then why. */
typedef void (*RepositoryAnswer)(const json_t *row, const char *name, const char *text,
                                 void *userdata);

/* Borrows all. */
int repositories_new(sd_event *event, Units *units, Store *store, Repositories **ret_repositories);
Repositories *repositories_free(Repositories *repositories);

/* The hub ends: what is given up from here on says nothing about a repository. */
void repositories_going_down(Repositories *repositories);

/* The database has come back, or one was found full: all are looked at soon. */
void repositories_look(Repositories *repositories);

/* Adds State, Error, SizeBytes, FreeBytes and CheckedUSec to a row of repository_list. */
void repositories_add_health(const Repositories *repositories, json_t *row);

/* Looks at one now; row is of repository_list. -EBUSY while it is being looked at already. */
int repositories_check(Repositories *repositories, const json_t *row, RepositoryAnswer answer,
                       void *userdata);

/* One scan at a time: a second one would end the unit of the first. false while there is one. */
bool repositories_begin_scan(Repositories *repositories, uint64_t id);
void repositories_end_scan(Repositories *repositories, uint64_t id);

/* No more of it. */
void repositories_forget(Repositories *repositories, uint64_t id);
