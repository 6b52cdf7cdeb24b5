/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendense-sshd-config sweep: ends the sessions of keys that let nobody in any more, as root, after the hub has written its files. A
 * session is one process of sshd that leads a session of the kernel, and what lives in that or descends from it: the one that asked
 * with `keys`, the one without rights that carries the forwards, a forced command. It is gone when this returns.
 *
 * A session that logged in and has no note, or whose leader is gone, is ended too: nobody can say whose it is. Nothing outside of sshd's cgroup is touched.
 */
#include "verbs.h"

#include "cleanup.h"
#include "log.h"
#include "node-keys.h"
#include "notes.h"
#include "process.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>

#define CGROUP "sendense-sshd.service"

enum {
        ROUNDS_MAX = 16, /* a session that is being ended makes no more processes than that */
};

typedef struct Sweep {
        const Files *files;
        uid_t uids[2]; /* of those who log in */
        unsigned n_ended;
        int error;
} Sweep;

/* 0: the key still lets him in; -EKEYREVOKED; others when that cannot be said. */
static int judge(const NoteLine *line, void *userdata)
{
        const Sweep *sweep = userdata;
        NodeToken token;
        NodeKey node;
        int r;

        if (strcmp(line->user, TUNNEL_USER) == 0)
                r = node_keys_find(sweep->files->keys, line->type, line->key, &node);
        else
                r = node_tokens_find(sweep->files->tokens, line->type, line->key, &token);
        /* A file that nobody understands lets nobody in. */
        return r == -ENOENT || r == -EBADMSG ? -EKEYREVOKED : r;
}

/* The child that is about to become `keys` is that user's already; nobody is logged in yet, and nothing noted. */
static bool is_login(const Sweep *sweep, const Process *p)
{
        return p->is_session && (p->uid == sweep->uids[0] || p->uid == sweep->uids[1]);
}

static bool has_login(const Sweep *sweep, const ProcessList *list, const Process *leader)
{
        for (size_t i = 0; i < list->n; i++)
                if (list->items[i].session == leader->pid && is_login(sweep, list->items + i))
                        return true;
        return false;
}

static bool has_leader(const ProcessList *list, const Process *p)
{
        for (size_t i = 0; i < list->n; i++)
                if (list->items[i].pid == p->session)
                        return true;
        return false;
}

/* Ends all that belongs to the leader, until a look finds nothing. */
static int end_session(const Process *leader)
{
        for (unsigned round = 0; round < ROUNDS_MAX; round++) {
                CLEANUP(process_list_done) ProcessList list = {};
                int r = process_list_read(CGROUP, &list);
                size_t n = 0;

                if (r < 0)
                        return r;
                for (size_t i = 0; i < list.n; i++) {
                        const Process *p = list.items + i;

                        if (!process_is_below(&list, p, leader))
                                continue;
                        n++;
                        r = process_end(p);
                        if (r < 0)
                                return r;
                }
                if (n == 0)
                        return 0;
        }
        return -EBUSY;
}

static int end(Sweep *sweep, const Process *leader, const char *why)
{
        int r;

        log_notice("Ending session %i: %s", (int) leader->pid, why);
        r = end_session(leader);
        if (r < 0)
                return log_error(r, "Cannot end session %i: %m", (int) leader->pid);
        note_remove(sweep->files->notes, leader->pid);
        sweep->n_ended++;
        return 0;
}

static int look_at(Sweep *sweep, const ProcessList *list, const Process *leader)
{
        int r;

        r = note_read(sweep->files->notes, leader->pid, leader->start_usec, judge, sweep);
        if (r == -ENOENT && !has_login(sweep, list, leader))
                return 0; /* not yet in */
        if (r >= 0)
                return 0;
        if (r != -ENOENT && r != -EKEYREVOKED && r != -EBADMSG)
                return log_error(r, "Cannot tell whether session %i may stay: %m",
                                 (int) leader->pid);
        return end(sweep, leader,
                   r == -EKEYREVOKED ? "its key lets nobody in any more"
                                     : "nobody knows whose it is");
}

/* Forwards outlive the process that led them, when that alone was killed; its number is nobody else's as long. */
static int look_at_orphan(Sweep *sweep, const Process *p)
{
        const Process leader = { .pid = p->session };

        return end(sweep, &leader, "the process that led it is gone");
}

static int find_users(Sweep *sweep)
{
        static const char *const names[] = { TUNNEL_USER, ENROLL_USER };

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                const struct passwd *user = getpwnam(names[i]);

                if (!user)
                        return log_error(-ENOENT, "There is no user %s", names[i]);
                sweep->uids[i] = user->pw_uid;
        }
        return 0;
}

int verb_sweep(const Files *files)
{
        CLEANUP(process_list_done) ProcessList list = {};
        Sweep sweep = { .files = files };
        int r;

        if (find_users(&sweep) < 0)
                return EXIT_FAILURE;
        r = process_list_read(CGROUP, &list);
        if (r < 0)
                return log_error(r, "Cannot read the processes of " CGROUP ": %m"), EXIT_FAILURE;
        for (size_t i = 0; i < list.n; i++) {
                const Process *p = list.items + i;

                r = 0;
                /* The one that listens is a leader too, and a child of PID 1. */
                if (p->pid == p->session && p->parent != 1)
                        r = look_at(&sweep, &list, p);
                else if (is_login(&sweep, p) && !has_leader(&list, p))
                        r = look_at_orphan(&sweep, p);
                if (r < 0)
                        sweep.error = r;
        }
        notes_clean(files->notes);
        if (sweep.n_ended > 0)
                log_notice("Ended %u sessions of keys that let nobody in any more", sweep.n_ended);
        return sweep.error < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
