/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What "config apply" does about settings that changed: which unit each concerns, which of these still run by the old
 * ones, and the calls to systemd in their order. Pure; verb-config-apply.c looks at the units and makes the calls.
 */
#pragma once

#include "bus/systemd-call.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum ApplyUnit {
        APPLY_UNIT_HUB,
        APPLY_UNIT_SSHD,
        APPLY_UNIT_API,
        APPLY_UNIT_API_SOCKET,
        APPLY_UNIT_API_TLS_SOCKET, /* made by the hub's generator, when the API listens beyond loopback */
        APPLY_UNIT_NODE,
        APPLY_UNIT_TUNNEL,
        APPLY_UNIT_TUNNEL_SOCKET, /* made by the tunnel's generator, when there is a hub */
        APPLY_UNIT_FIREWALL, /* the node's: the hub's follows the hub and its sshd */
        APPLY_UNIT_MAX,
        APPLY_UNIT_SYSTEMD = APPLY_UNIT_MAX, /* itself, which runs the generators anew */
} ApplyUnit;

/* What a setting concerns: bits. */
typedef enum ApplyConcern {
        APPLY_HUB = 1 << 0,
        APPLY_SSHD = 1 << 1, /* reads them anew, and its sessions stay */
        APPLY_SSHD_PORT = 1 << 2,
        APPLY_API = 1 << 3, /* what its service is given */
        APPLY_API_SOCKETS = 1 << 4,
        APPLY_NODE = 1 << 5,
        APPLY_TUNNEL = 1 << 6,
        APPLY_TUNNEL_SOCKETS = 1 << 7,
        APPLY_TUNNEL_HUB = 1 << 8, /* whether there is a tunnel at all */
        APPLY_TUNNEL_UNKNOWN = 1 << 9, /* the same, and nobody knows what was said of it before */
} ApplyConcern;

typedef struct ApplyNow {
        SystemdUnit units[APPLY_UNIT_MAX];
        uint64_t hub_usec, node_usec; /* when their files last changed */
        bool has_tls, has_hub; /* [Api] Listen= and [Tunnel] Hub= are set */
} ApplyNow;

enum {
        APPLY_STEPS_MAX = 20,
};

typedef struct ApplyStep {
        const char *method; /* of systemd's manager */
        ApplyUnit unit;
} ApplyStep;

typedef struct ApplyPlan {
        ApplyStep steps[APPLY_STEPS_MAX];
        size_t n_steps;
        unsigned not_running; /* units, as bits: they read the settings when they are started */
        unsigned has_read; /* the same: they have begun since */
} ApplyPlan;

const char *apply_unit_name(ApplyUnit unit);

/* The concerns of a setting of the hub, or of the node; 0: nothing that runs has read it. */
unsigned apply_concerns(bool is_node, const char *section, const char *key);

/* All there are, for one whose settings before are not known. Of two ways to bring a setting into force it is the one that ends less: it may
 * not have changed. */
unsigned apply_all_concerns(bool is_node);

void apply_plan(const ApplyNow *now, unsigned concerns, ApplyPlan *ret);
