/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of options (see options.h). What a value must be is the verb's business.
 */
#include "options.h"

#include "cleanup.h"

#include <getopt.h>
#include <string.h>

typedef struct OptionWords {
        const char *name;
        const char *value; /* what follows the '=', NULL when nothing does */
        const char *summary;
        bool repeats;
        char letter;
} OptionWords;

static const OptionWords words[OPTION_MAX] = {
        [OPTION_HELP] = { "help", NULL, "Show this help, or that of a verb", false, 'h' },
        [OPTION_VERSION] = { "version", NULL, "Show version, commit and build id of this program" },
        [OPTION_JSON] = { "json", NULL, "Print JSON, with the words of the bus" },
        [OPTION_ROOT] = { "root", "DIR", "Look at the programs below DIR" },
        [OPTION_REPOSITORY] = { "repository", "NAME", "The repository, by name or id" },
        [OPTION_TYPE] = { "type", "TYPE", "full or incremental (default: incremental)" },
        [OPTION_FULL] = { "full", NULL, "All of each disk" },
        [OPTION_INCREMENTAL] = { "incremental", NULL, "What has changed (the default)" },
        [OPTION_SOURCE] = { "source", "KEY=URI",
                            "Read the disk KEY from this NBD URI; one for each", true },
        [OPTION_EXCLUDE] = { "exclude", "KEY=REASON",
                             "Leave the disk KEY out, and say why; repeatable", true },
        [OPTION_WAIT] = { "wait", NULL, "Follow the job to its end" },
        [OPTION_STATE] = { "state", "STATE", "Only jobs in this state" },
        [OPTION_VM] = { "vm", "VM", "Only of this VM; of a policy: wildcards, repeatable", true },
        [OPTION_NODE] = { "node", NULL, "The node's settings, and not the hub's" },
        [OPTION_HUB] = { "hub", "ADDRESS", "How the node reaches this hub" },
        [OPTION_REVERSE_PORT] = { "reverse-port", "PORT",
                                  "Of the node (default: the lowest free)" },
        [OPTION_EXPIRES] = { "expires", "TIME",
                             "Of a token from 1min on, of a bundle (1d) or mount (8h) to 30d" },
        [OPTION_LOCAL] = { "local", NULL, "The node is on this very machine" },
        [OPTION_OUTPUT] = { "output", "FILE", "Write the bundle to FILE, for root alone" },
        [OPTION_FORCE] = { "force", NULL, "Also while something still needs it" },
        [OPTION_USER] = { "user", "USER", "Who logs in at the vCenter" },
        [OPTION_PORT] = { "port", "PORT", "Of the vCenter (default: 443)" },
        [OPTION_PIN] = { "pin", "SHA256", "Trust this certificate, and no other" },
        [OPTION_ACCEPT_CERTIFICATE] = { "accept-certificate", NULL,
                                        "Trust the one shown now, and no other" },
        [OPTION_PASSWORD_FILE] = { "password-file", "FILE", "Take the password from FILE" },
        [OPTION_PASSWORD_FD] = { "password-fd", "N", "Take it from this descriptor" },
        [OPTION_THROUGH] = { "through", "NODE", "By this node (default: one that answers)" },
        [OPTION_UNTESTED] = { "untested", NULL, "Store the login without trying it" },
        [OPTION_ENTER] = { "enter", NULL, "Tell the hub all that can be backed up" },
        [OPTION_WRITABLE] = { "writable", NULL, "Let it be written; that is thrown away" },
        [OPTION_TCP] = { "tcp", NULL, "On ports of 127.0.0.1, for all users of the hub" },
        [OPTION_ALL] = { "all", NULL, "All that are due" },
        [OPTION_OLDER_THAN] = { "older-than", "TIME", "Only what was not verified for so long" },
        [OPTION_NO_CHAIN] = { "no-chain", NULL, "Without the layers below" },
        [OPTION_FILESYSTEM] = { "filesystem", "NAME", "Its device, LABEL=… or UUID=…" },
        [OPTION_FILESYSTEMS] = { "filesystems", NULL, "The file systems, and no files" },
        [OPTION_RECURSIVE] = { "recursive", NULL, "And what is in the folders" },
        [OPTION_LONG] = { "long", NULL, "With mode, owner, size and time" },
        [OPTION_AT] = { "at", "DIR", "And as files of this folder, which takes root" },
        [OPTION_INTO] = { "into", "DIR", "Where to (default: the current folder)" },
        [OPTION_DEVICES] = { "devices", NULL, "Make device nodes, too, which takes root" },
        [OPTION_VCENTER] = { "vcenter", "VCENTER", "Into this one (default: where it was)" },
        [OPTION_NAME] = { "name", "NAME", "Of the new VM (default: as it was)" },
        [OPTION_FOLDER] = { "folder", "PATH", "Inventory path (default: where it was)" },
        [OPTION_POOL] = { "pool", "PATH", "Of a resource pool or a cluster" },
        [OPTION_HOST] = { "host", "PATH", "Of a host" },
        [OPTION_DATASTORE] = { "datastore", "NAME", "For its disks (default: the only one)" },
        [OPTION_NETWORK] = { "network", "OLD=NEW", "Plug cards of OLD into NEW; repeatable", true },
        [OPTION_POWER_ON] = { "power-on", NULL, "Switch it on when it is whole" },
        [OPTION_KEEP_MACS] = { "keep-macs", NULL, "With the addresses its cards had" },
        [OPTION_IN_PLACE] = { "in-place", NULL,
                              "Into the VM that is there: its disks are exchanged" },
        [OPTION_KEEP_DISKS] = { "keep-disks", NULL, "The disks it had stay on their datastores" },
        [OPTION_NO_VERIFY] = { "no-verify", NULL, "Without reading the backup back before" },
        [OPTION_ROLE] = { "role", "ROLE", "What a token may do; repeatable (default: inspect)",
                          true },
        [OPTION_FORMAT] = { "format", "FORMAT",
                            "raw, qcow2 or vmdk (default: by the name, or raw)" },
        [OPTION_DAMAGED_OK] = { "damaged-ok", NULL, "Get what can be had of a damaged backup" },
        [OPTION_CALENDAR] = { "calendar", "TIME", "When, as in systemd.time(7); \"\": when asked" },
        [OPTION_RANDOM_DELAY] = { "random-delay", "TIME", "Up to so much later" },
        [OPTION_EXCEPT] = { "except", "VM", "But not this VM; wildcards, repeatable", true },
        [OPTION_FULL_EVERY] = { "full-every", "TIME", "A full when the last is older; 0: never" },
        [OPTION_PERSISTENT] = { "persistent", "YES|NO", "Make up for a run that was missed" },
        [OPTION_ENABLED] = { "enabled", "YES|NO", "No: it runs when it is asked to alone" },
        [OPTION_KEEP_LAST] = { "keep-last", "N", "Keep the newest N backups of each VM" },
        [OPTION_KEEP_HOURLY] = { "keep-hourly", "N", "And the newest of each of N hours" },
        [OPTION_KEEP_DAILY] = { "keep-daily", "N", "Of each of N days" },
        [OPTION_KEEP_WEEKLY] = { "keep-weekly", "N", "Of each of N weeks" },
        [OPTION_KEEP_MONTHLY] = { "keep-monthly", "N", "Of each of N months" },
        [OPTION_KEEP_YEARLY] = { "keep-yearly", "N", "Of each of N years" },
        [OPTION_DRY_RUN] = { "dry-run", NULL, "Only show what would be done" },
        [OPTION_LIMIT] = { "limit", "N", "The newest N, at most 1000 (default: 100)" },
};

static struct {
        Option option;
        const char *value;
} given[OPTION_REPEATS_MAX + OPTION_MAX];
static size_t n_given;

static ExitStatus take(Option option, const char *value)
{
        if (option_is_given(option) && words[option].value && !words[option].repeats)
                return complain(CTL_USAGE, "--%s= can be given once only", words[option].name);
        if (n_given >= ELEMENTSOF(given))
                return complain(CTL_USAGE, "more than %zu options", ELEMENTSOF(given));
        given[n_given].option = option;
        given[n_given++].value = value;
        return CTL_OK;
}

ExitStatus options_parse(int argc, char *argv[], int *ret_first)
{
        enum {
                LONG_BASE = 256, /* beyond all letters */
        };
        struct option table[OPTION_MAX + 1] = {};
        ExitStatus s = CTL_OK;
        int c;

        for (int i = 0; i < OPTION_MAX; i++)
                table[i] = (struct option){
                        .name = words[i].name,
                        .has_arg = words[i].value ? required_argument : no_argument,
                        .val = words[i].letter ? words[i].letter : LONG_BASE + i,
                };
        while (s == CTL_OK && (c = getopt_long(argc, argv, "h", table, NULL)) >= 0)
                if (c == 'h')
                        s = take(OPTION_HELP, NULL);
                else if (c >= LONG_BASE)
                        s = take((Option) (c - LONG_BASE), optarg);
                else
                        s = CTL_USAGE; /* getopt has said what */
        *ret_first = optind;
        return s;
}

static bool verb_knows(const Verb *verb, Option option)
{
        if (option == OPTION_HELP || option == OPTION_JSON)
                return true;
        for (const Option *known = verb->options; known && *known != OPTION_MAX; known++)
                if (*known == option)
                        return true;
        return false;
}

/* Elsewhere a second VM would be left out in silence. */
static bool is_one_too_many(const Verb *verb)
{
        return !verb_knows(verb, OPTION_CALENDAR) && option_nth(OPTION_VM, 1) != NULL;
}

ExitStatus options_check(const Verb *verb)
{
        if (is_one_too_many(verb))
                return complain(CTL_USAGE, "--%s= can be given once only", words[OPTION_VM].name);
        for (size_t i = 0; i < n_given; i++)
                if (!verb_knows(verb, given[i].option))
                        return complain(CTL_USAGE,
                                        "%s does not know --%s; see sendensectl %s --help",
                                        verb->name, words[given[i].option].name, verb->name);
        return CTL_OK;
}

const char *option_nth(Option option, size_t i)
{
        for (size_t j = 0; j < n_given; j++)
                if (given[j].option == option && i-- == 0)
                        return given[j].value;
        return NULL;
}

const char *option_value(Option option)
{
        return option_nth(option, 0);
}

bool option_is_given(Option option)
{
        for (size_t i = 0; i < n_given; i++)
                if (given[i].option == option)
                        return true;
        return false;
}

void options_print(const Verb *verb)
{
        for (int i = 0; i < OPTION_MAX; i++) {
                const char *value = words[i].value ?: "", *equals = words[i].value ? "=" : "";
                int width = 22 - (int) strlen(words[i].name) - (int) strlen(value) - !!*equals;

                if (verb && !verb_knows(verb, (Option) i))
                        continue;
                (void) printf("  %s --%s%s%s%*s %s\n", words[i].letter ? "-h" : "  ", words[i].name,
                              equals, value, width, "", words[i].summary);
        }
}
