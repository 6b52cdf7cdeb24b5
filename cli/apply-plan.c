/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The plan of apply-plan.h.
 */
#include "apply-plan.h"

#include "cleanup.h"

#include <string.h>

/* What systemd's generators make units of. */
#define APPLY_GENERATED (APPLY_API | APPLY_API_SOCKETS | APPLY_TUNNEL_SOCKETS | APPLY_TUNNEL_HUB)

static const char *const unit_names[] = {
        [APPLY_UNIT_HUB] = "sendense-hub.service",
        [APPLY_UNIT_SSHD] = "sendense-sshd.service",
        [APPLY_UNIT_API] = "sendense-hub-api.service",
        [APPLY_UNIT_API_SOCKET] = "sendense-hub-api.socket",
        [APPLY_UNIT_API_TLS_SOCKET] = "sendense-hub-api-tls.socket",
        [APPLY_UNIT_NODE] = "sendense-node.service",
        [APPLY_UNIT_TUNNEL] = "sendense-tunnel.service",
        [APPLY_UNIT_TUNNEL_SOCKET] = "sendense-tunnel.socket",
        [APPLY_UNIT_FIREWALL] = "sendense-firewall@node.service",
};

const char *apply_unit_name(ApplyUnit unit)
{
        return unit < APPLY_UNIT_MAX ? unit_names[unit] : "systemd";
}

typedef struct Setting {
        const char *section, *key; /* NULL: any other */
        unsigned concerns;
} Setting;

static const Setting hub_settings[] = {
        { "Exports", "Ports", APPLY_HUB | APPLY_SSHD },
        { "Tunnel", "ReversePorts", APPLY_HUB | APPLY_SSHD },
        { "Tunnel", "SshPort", APPLY_SSHD_PORT },
        { "Tunnel", "PublicAddress", 0 }, /* "node add" reads it */
        { "Api", "Certificate", APPLY_API },
        { "Api", "Key", APPLY_API },
        { "Api", NULL, APPLY_API_SOCKETS },
        { NULL, NULL, APPLY_HUB },
};

static const Setting node_settings[] = {
        { "Tunnel", "Hub", APPLY_TUNNEL_HUB },
        { "Tunnel", "Ports", APPLY_TUNNEL_SOCKETS },
        { "Tunnel", NULL, APPLY_TUNNEL },
        { NULL, NULL, APPLY_NODE },
};

unsigned apply_concerns(bool is_node, const char *section, const char *key)
{
        const Setting *setting = is_node ? node_settings : hub_settings;

        while ((setting->section && strcmp(setting->section, section) != 0) ||
               (setting->key && strcmp(setting->key, key) != 0))
                setting++;
        return setting->concerns;
}

unsigned apply_all_concerns(bool is_node)
{
        /* sshd that reads its settings anew listens on another port, too, and its sessions stay. */
        return is_node ? APPLY_NODE | APPLY_TUNNEL_SOCKETS | APPLY_TUNNEL_UNKNOWN
                       : APPLY_HUB | APPLY_SSHD | APPLY_API_SOCKETS;
}

/* Whether the unit runs by what stood in the files before they changed; otherwise why not is noted. */
static bool is_behind(const ApplyNow *now, ApplyUnit unit, ApplyPlan *plan)
{
        uint64_t files = unit < APPLY_UNIT_NODE ? now->hub_usec : now->node_usec;

        if (!now->units[unit].is_wanted)
                plan->not_running |= 1U << unit;
        else if (now->units[unit].begun_usec > files)
                plan->has_read |= 1U << unit;
        else
                return true;
        return false;
}

static void add(ApplyPlan *plan, const char *method, ApplyUnit unit)
{
        plan->steps[plan->n_steps++] = (ApplyStep){ .method = method, .unit = unit };
}

static void add_stop(const ApplyNow *now, ApplyPlan *plan, ApplyUnit unit)
{
        if (now->units[unit].is_wanted)
                add(plan, "StopUnit", unit);
}

/* A tunnel that a hub's name calls for is started though there was none. Where nobody knows whether that name is new, it is when its
 * generator was not asked since; one that it has made and that does not run was stopped by somebody. */
static bool tunnel_is_new(const ApplyNow *now, unsigned concerns)
{
        const SystemdUnit *socket = now->units + APPLY_UNIT_TUNNEL_SOCKET;

        return now->has_hub && !socket->is_wanted &&
               ((concerns & APPLY_TUNNEL_HUB) ||
                ((concerns & APPLY_TUNNEL_UNKNOWN) && socket->is_missing));
}

static bool tunnel_moves(const ApplyNow *now, unsigned concerns, ApplyPlan *plan)
{
        if (!(concerns & (APPLY_TUNNEL_HUB | APPLY_TUNNEL_SOCKETS)))
                return false;
        return tunnel_is_new(now, concerns) || is_behind(now, APPLY_UNIT_TUNNEL_SOCKET, plan);
}

static void plan_sshd(const ApplyNow *now, unsigned concerns, ApplyPlan *plan)
{
        const SystemdUnit *sshd = now->units + APPLY_UNIT_SSHD;

        if (!(concerns & (APPLY_SSHD | APPLY_SSHD_PORT)) || !is_behind(now, APPLY_UNIT_SSHD, plan))
                return;
        if (concerns & APPLY_SSHD_PORT)
                add(plan, "RestartUnit", APPLY_UNIT_SSHD);
        else if (sshd->changed_usec > now->hub_usec)
                plan->has_read |= 1U << APPLY_UNIT_SSHD;
        else
                add(plan, "ReloadOrRestartUnit", APPLY_UNIT_SSHD);
}

/* What systemd listens on is made anew while nobody uses it: a socket cannot start beside its running service, and
 * one that the settings want no more is gone after the reload. */
void apply_plan(const ApplyNow *now, unsigned concerns, ApplyPlan *ret)
{
        bool tunnel, sockets, api;

        *ret = (ApplyPlan){};
        tunnel = tunnel_moves(now, concerns, ret);
        sockets = (concerns & APPLY_API_SOCKETS) && is_behind(now, APPLY_UNIT_API_SOCKET, ret);
        api = (concerns & APPLY_API) && !sockets && is_behind(now, APPLY_UNIT_API, ret);

        if (tunnel) {
                add_stop(now, ret, APPLY_UNIT_TUNNEL_SOCKET);
                add_stop(now, ret, APPLY_UNIT_TUNNEL);
        }
        if (sockets) {
                add_stop(now, ret, APPLY_UNIT_API_TLS_SOCKET);
                add_stop(now, ret, APPLY_UNIT_API_SOCKET);
                add_stop(now, ret, APPLY_UNIT_API);
        }
        /* Also of what does not run: its units are made of the settings. */
        if (concerns & APPLY_GENERATED)
                add(ret, "Reload", APPLY_UNIT_SYSTEMD);
        if (sockets) {
                add(ret, "StartUnit", APPLY_UNIT_API_SOCKET);
                if (now->has_tls)
                        add(ret, "StartUnit", APPLY_UNIT_API_TLS_SOCKET);
        }
        if (api)
                add(ret, "RestartUnit", APPLY_UNIT_API);
        /* Nodes may use new ports when the hub begins to. */
        plan_sshd(now, concerns, ret);
        if ((concerns & APPLY_HUB) && is_behind(now, APPLY_UNIT_HUB, ret))
                add(ret, "RestartUnit", APPLY_UNIT_HUB);
        if ((concerns & APPLY_NODE) && is_behind(now, APPLY_UNIT_NODE, ret))
                add(ret, "RestartUnit", APPLY_UNIT_NODE);
        if (tunnel && now->has_hub) {
                add(ret, "StartUnit", APPLY_UNIT_TUNNEL_SOCKET);
                add(ret, "StartUnit", APPLY_UNIT_TUNNEL);
        } else if (tunnel)
                add(ret, "ReloadOrTryRestartUnit", APPLY_UNIT_FIREWALL);
        else if ((concerns & APPLY_TUNNEL) && is_behind(now, APPLY_UNIT_TUNNEL, ret))
                add(ret, "RestartUnit", APPLY_UNIT_TUNNEL);
}
