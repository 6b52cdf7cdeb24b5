/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The nft rules (see rules.h). Only the first packet of a connection is looked at: its socket has an owner, while what is still
 * sent for a closed one has none; and an answer to a client whose port happens to lie in a range is none of it.
 */
#include "rules.h"

#include <inttypes.h>

void rules_print_none(FILE *file, const char *role)
{
        /* nft 1.0 cannot remove what may be missing; this can. */
        fprintf(file, "table inet " FIREWALL_TABLE "%s\ndelete table inet " FIREWALL_TABLE "%s\n",
                role, role);
}

static void print_begin(FILE *file, const char *role, const char *config)
{
        fprintf(file,
                "# Made by sendense-firewall from %s; a change here is lost. To make it anew: "
                "systemctl "
                "reload sendense-firewall@%s\n",
                config, role);
        rules_print_none(file, role);
        /* After the translation of addresses, so that a detour ends here, too. */
        fprintf(file,
                "table inet " FIREWALL_TABLE "%s {\n"
                "        chain output {\n"
                "                type filter hook output priority filter; policy accept;\n"
                "                oifname != \"lo\" accept\n"
                "                tcp flags & (fin | syn | rst | ack) != syn accept\n",
                role);
}

/* users: as nft has them, "\"root\", \"sendense\"". */
static void print_guard(FILE *file, const char *what, PortRange ports, const char *users)
{
        char range[sizeof("65535-65535")];

        if (ports.first == ports.last)
                (void) snprintf(range, sizeof(range), "%" PRIu16, ports.first);
        else
                (void) snprintf(range, sizeof(range), "%" PRIu16 "-%" PRIu16, ports.first,
                                ports.last);
        fprintf(file,
                "                ip daddr 127.0.0.0/8 tcp dport %s meta skuid { %s } accept\n"
                "                ip daddr 127.0.0.0/8 tcp dport %s counter reject with tcp reset "
                "comment \"%s\"\n",
                range, users, range, what);
}

static void print_end(FILE *file)
{
        (void) fputs("        }\n}\n", file);
}

void rules_print_hub(FILE *file, const HubConfig *config)
{
        print_begin(file, "hub", "hub.conf");
        /* The hub looks whether an export answers; a tunnel's session and a copier on this machine copy. */
        print_guard(file, "exports", config->export_ports,
                    "\"root\", \"sendense\", \"sendense-tunnel\", \"sendense-copy\"");
        print_guard(file, "ways back to the nodes", config->reverse_ports,
                    "\"root\", \"sendense\"");
        print_end(file);
}

void rules_print_node(FILE *file, const NodeConfig *config)
{
        print_begin(file, "node", "node.conf");
        if (*config->tunnel_hub)
                print_guard(file, "the tunnel to the exports of the hub", config->tunnel_ports,
                            "\"root\", \"sendense-copy\"");
        /* Whom the hub reaches by the way back, or without one on its own machine. */
        print_guard(file, "the API of the node", (PortRange){ NODE_API_PORT, NODE_API_PORT },
                    "\"root\", \"sendense\", \"sendense-tunnel\"");
        print_end(file);
}
