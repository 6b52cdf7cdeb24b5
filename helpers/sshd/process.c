/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Processes (see process.h). One is known by its number and its start, and is held by a pidfd before it is killed.
 */
#include "process.h"

#include "cleanup.h"
#include "parse.h"
#include "small-file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>

enum {
        PROC_FILE_MAX = 4096,
        END_MSEC = 5000,
};

void process_list_done(ProcessList *list)
{
        free(list->items);
        *list = (ProcessList){};
}

/* "0::/system.slice/UNIT" */
static bool is_of_unit(int folder, const char *unit)
{
        _cleanup_free_ char *text = NULL;
        const char *slash;
        size_t size;

        if (small_file_read_at(folder, "cgroup", PROC_FILE_MAX, &text, &size) < 0)
                return false;
        text[strcspn(text, "\n")] = '\0';
        slash = strrchr(text, '/');
        return slash && strcmp(slash + 1, unit) == 0;
}

/* The n-th word of text, counted from 0, as a number. */
static int word_number(char *text, unsigned n, uint64_t *ret_number)
{
        const char *word = NULL;

        for (unsigned i = 0; i <= n; i++) {
                text += strspn(text, " \t");
                word = strsep(&text, " \t\n");
                if (!text)
                        return -EBADMSG;
        }
        return parse_uint64(word, 0, UINT64_MAX, ret_number) < 0 ? -EBADMSG : 0;
}

/* A copy each time, because words are cut off. */
static int number_at(const char *text, unsigned n, uint64_t *ret_number)
{
        _cleanup_free_ char *copy = strdup(text);

        return copy ? word_number(copy, n, ret_number) : -ENOMEM;
}

/* "PID (NAME) STATE PPID PGRP SESSION ... START", the 22nd; a name may hold blanks and brackets. */
static int read_stat(int folder, Process *process)
{
        enum {
                PARENT = 1, /* after the name */
                SESSION = 3,
                START = 19,
        };
        uint64_t parent, session, ticks = (uint64_t) sysconf(_SC_CLK_TCK);
        _cleanup_free_ char *text = NULL;
        const char *open, *close;
        size_t size;
        int r;

        r = small_file_read_at(folder, "stat", PROC_FILE_MAX, &text, &size);
        if (r < 0)
                return r;
        open = strchr(text, '(');
        close = strrchr(text, ')');
        if (!open || !close || number_at(close + 1, PARENT, &parent) < 0 ||
            number_at(close + 1, SESSION, &session) < 0 ||
            number_at(close + 1, START, &process->start_ticks) < 0)
                return -EBADMSG;
        (void) snprintf(process->name, sizeof(process->name), "%.*s", (int) (close - open - 1),
                        open + 1);
        process->parent = (pid_t) parent;
        process->session = (pid_t) session;
        process->start_usec = process->start_ticks * USEC_PER_SEC / ticks;
        return 0;
}

/* Whose it is; the owner of the folder would be root for one that nobody may trace. */
static int read_status(int folder, Process *process)
{
        static const char key[] = "\nUid:";
        _cleanup_free_ char *text = NULL;
        const char *line;
        uint64_t uid;
        size_t size;
        int r;

        r = small_file_read_at(folder, "status", PROC_FILE_MAX, &text, &size);
        if (r < 0)
                return r;
        line = strstr(text, key);
        if (!line || number_at(line + sizeof(key) - 1, 0, &uid) < 0)
                return -EBADMSG;
        process->uid = (uid_t) uid;
        return 0;
}

/* "sshd: USER", as sshd calls what carries a session. Its process with rights is "sshd: USER [priv]", and so is a child of that until it
 * is another program; while it becomes that it has no command line at all. */
static bool is_session(int folder)
{
        static const char begin[] = "sshd: ", end[] = " [priv]";
        _cleanup_free_ char *text = NULL;
        size_t size, length;

        if (small_file_read_at(folder, "cmdline", PROC_FILE_MAX, &text, &size) < 0)
                return false;
        length = strlen(text);
        return strncmp(text, begin, sizeof(begin) - 1) == 0 &&
               (length < sizeof(end) || strcmp(text + length - (sizeof(end) - 1), end) != 0);
}

static int read_process(int folder, pid_t pid, Process *ret_process)
{
        Process process = { .pid = pid };
        int r;

        r = read_stat(folder, &process);
        if (r >= 0)
                r = read_status(folder, &process);
        if (r < 0)
                return r;
        process.is_session = is_session(folder);
        *ret_process = process;
        return 0;
}

static int add(ProcessList *list, const Process *process)
{
        Process *items = reallocarray(list->items, list->n + 1, sizeof(*items));

        if (!items)
                return -ENOMEM;
        list->items = items;
        items[list->n++] = *process;
        return 0;
}

static int look_at(int proc, const char *name, const char *unit, ProcessList *list)
{
        _cleanup_close_ int folder = -1;
        Process process;
        uint64_t pid;

        if (parse_uint64(name, 1, INT32_MAX, &pid) < 0)
                return 0;
        folder = openat(proc, name, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
        /* It may end at any time. */
        if (folder < 0 || !is_of_unit(folder, unit) ||
            read_process(folder, (pid_t) pid, &process) < 0)
                return 0;
        return add(list, &process);
}

int process_list_read(const char *unit, ProcessList *ret_list)
{
        CLEANUP(process_list_done) ProcessList list = {};
        DIR *proc = opendir("/proc");
        const struct dirent *entry;
        int r = 0;

        if (!proc)
                return -errno;
        while (r >= 0 && (entry = readdir(proc)))
                r = look_at(dirfd(proc), entry->d_name, unit, &list);
        (void) closedir(proc);
        if (r < 0)
                return r;
        *ret_list = list;
        list = (ProcessList){};
        return 0;
}

static const Process *find(const ProcessList *list, pid_t pid)
{
        for (size_t i = 0; i < list->n; i++)
                if (list->items[i].pid == pid)
                        return list->items + i;
        return NULL;
}

bool process_is_below(const ProcessList *list, const Process *p, const Process *leader)
{
        /* As many steps as there are processes: what was read while they came and went may hold a circle. */
        for (size_t i = 0; p && i <= list->n; i++) {
                if (p->session == leader->pid ||
                    (p->pid == leader->pid && p->start_ticks == leader->start_ticks))
                        return true;
                p = find(list, p->parent);
        }
        return false;
}

int process_end(const Process *p)
{
        _cleanup_close_ int fd = -1, folder = -1;
        struct pollfd ended = { .events = POLLIN };
        char path[32];
        Process now;

        fd = pidfd_open(p->pid, 0);
        if (fd < 0)
                return errno == ESRCH ? 0 : -errno;
        /* The number may be another's by now; the pidfd is that one's then. */
        (void) snprintf(path, sizeof(path), "/proc/%i", (int) p->pid);
        folder = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
        if (folder < 0 || read_process(folder, p->pid, &now) < 0 ||
            now.start_ticks != p->start_ticks)
                return 0;
        if (pidfd_send_signal(fd, SIGKILL, NULL, 0) < 0)
                return errno == ESRCH ? 0 : -errno;
        ended.fd = fd;
        return poll(&ended, 1, END_MSEC) > 0 ? 0 : -ETIMEDOUT;
}
