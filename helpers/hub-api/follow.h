/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A job as it goes on: each signal of its object on the bus asks the hub for the whole job, in the name of who follows; while one
 * question is open, further signals are one question more. What fails in passing is asked again. So nothing is lost, and who may not
 * look any more is told so.
 */
#pragma once

#include "hub-task.h"

typedef struct Follow Follow;

/* The job (borrowed, with the names of JSON), or an error instead, which comes again as long as it lasts unless it is for good. false: it
 * has ended the task. */
typedef bool (*FollowNews)(HubTask *task, const json_t *job, const sd_bus_error *error);

/* Becomes the task's state, and calls news as soon as it knows how things stand. userdata is freed with it. */
int follow_start(HubTask *task, uint64_t job, FollowNews news, void *userdata,
                 void (*userdata_free)(void *userdata));

/* As if a signal had come. */
void follow_ask(HubTask *task);

/* Enough is known: news is not called any more, and the task may make other calls. */
void follow_stop(HubTask *task);

void *follow_userdata(const HubTask *task);
uint64_t follow_job(const HubTask *task);

bool follow_is_final(const json_t *job);

/* The hub may come back; who may not look, or asks for what is not there, may go. */
bool follow_is_for_good(const sd_bus_error *error);
