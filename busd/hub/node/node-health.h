/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a node says of itself when its health is asked for, as far as it is believable: nothing of it is trusted to have a type or a
 * bound. Pure; read by node-links.c.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

/* 0: none, or one that cannot be. */
json_int_t node_health_number(const json_t *health, const char *key);

/* Whether it names the feature. */
bool node_health_has(const json_t *health, const char *feature);

/* The words for what it can do; the caller's. */
json_t *node_health_features(const json_t *health);

/* What its tunnel counts, in the words of the bus; empty of a node that has none. The caller's. */
json_t *node_health_tunnel(const json_t *health);
