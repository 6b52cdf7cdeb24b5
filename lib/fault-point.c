/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a fault point does in a test build (see fault-point.h): writes its hit down, and obeys an
 * instruction from the environment or from a file. Linked into test builds only. It may be called in
 * any thread and in signal handlers, so it uses nothing but system calls and its own few bytes.
 */
#include "fault-point.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FAULT_POINT_DIR "/run/sendense-test"

enum {
        INSTRUCTION_SIZE = 256,
        HITS_MAX = 1000000,
        MESSAGE_SIZE = 512,
};

typedef struct Instruction {
        char text[INSTRUCTION_SIZE];
        unsigned long identity; /* tells one file from the next; 1 for the environment */
        bool from_file;

        const char *name;
        unsigned long n; /* obeyed at this hit */
        int signal;
} Instruction;

typedef struct Line {
        char text[MESSAGE_SIZE];
        size_t length;
} Line;

static void line_add(Line *line, const char *text)
{
        while (*text && line->length < sizeof(line->text) - 1)
                line->text[line->length++] = *text++;
        line->text[line->length] = 0;
}

static void line_add_number(Line *line, unsigned long number)
{
        char digits[24];
        size_t at = sizeof(digits) - 1;

        digits[at] = 0;
        do {
                digits[--at] = (char) ('0' + number % 10);
                number /= 10;
        } while (number > 0);
        line_add(line, digits + at);
}

static void complain(const char *what, const char *about)
{
        Line line = {};

        line_add(&line, "fault point: ");
        line_add(&line, what);
        line_add(&line, ": ");
        line_add(&line, about);
        line_add(&line, "\n");
        if (write(STDERR_FILENO, line.text, line.length) < 0)
                return; /* Nobody is left to be told. */
}

/* A test whose instruction is not obeyed would pass without having tested anything. */
static _Noreturn void refuse(const char *what, const char *about)
{
        complain(what, about);
        abort();
}

static void path_of(Line *path, const char *file)
{
        const char *dir = getenv("SENDENSE_FAULT_POINT_DIR");

        *path = (Line){};
        line_add(path, dir && *dir ? dir : FAULT_POINT_DIR);
        line_add(path, "/");
        line_add(path, file);
}

/* The file is put in place by rename; its inode and times are its identity. */
static bool instruction_read_file(Instruction *i)
{
        Line path;
        struct stat st;
        ssize_t n;
        int fd;

        path_of(&path, "fault-point");
        fd = open(path.text, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd < 0) {
                if (errno != ENOENT)
                        refuse("cannot open the instruction", path.text);
                return false;
        }
        n = fstat(fd, &st) < 0 ? -1 : read(fd, i->text, sizeof(i->text) - 1);
        (void) close(fd);
        if (n < 0)
                refuse("cannot read the instruction", path.text);
        i->text[n] = 0;
        i->text[strcspn(i->text, "\n")] = 0;
        i->identity = ((unsigned long) st.st_ino << 20) ^ (unsigned long) st.st_mtim.tv_nsec ^
                      ((unsigned long) st.st_mtim.tv_sec << 30);
        i->identity |= 2; /* neither "none" nor "the environment" */
        i->from_file = true;
        return true;
}

static bool instruction_read(Instruction *i)
{
        const char *text = getenv("SENDENSE_FAULT_POINT");
        size_t length;

        if (!text || !*text)
                return instruction_read_file(i);
        length = strlen(text);
        if (length >= sizeof(i->text))
                refuse("SENDENSE_FAULT_POINT is too long", text);
        memcpy(i->text, text, length + 1);
        i->identity = 1;
        i->from_file = false;
        return true;
}

static bool parse_number(const char *text, unsigned long *ret)
{
        unsigned long number = 0;

        for (const char *c = text; *c; c++) {
                if (*c < '0' || *c > '9' || number > HITS_MAX)
                        return false;
                number = number * 10 + (unsigned long) (*c - '0');
        }
        if (number == 0 || number > HITS_MAX)
                return false;
        *ret = number;
        return true;
}

static bool parse_action(const char *text, int *ret)
{
        if (strcmp(text, "kill") == 0)
                *ret = SIGKILL;
        else if (strcmp(text, "stop") == 0)
                *ret = SIGSTOP;
        else
                return false;
        return true;
}

/* NAME[:N][:ACTION], by default the first hit and "kill". */
static void instruction_parse(Instruction *i)
{
        char whole[INSTRUCTION_SIZE];
        char *second, *third = NULL;
        bool good = true;

        memcpy(whole, i->text, sizeof(whole));
        i->name = i->text;
        i->n = 1;
        i->signal = SIGKILL;

        second = strchr(i->text, ':');
        if (second) {
                *second++ = 0;
                third = strchr(second, ':');
                if (third)
                        *third++ = 0;
                good = third ? parse_number(second, &i->n) && parse_action(third, &i->signal)
                             : parse_number(second, &i->n) || parse_action(second, &i->signal);
        }
        if (!good || !*i->name)
                refuse("not NAME[:N][:kill|stop]", whole);
}

/* One process in all obeys an instruction file: the one whose rename finds it still there. */
static bool instruction_claim(const Instruction *i)
{
        Line from, to;

        if (!i->from_file)
                return true;
        path_of(&from, "fault-point");
        path_of(&to, "fault-point.fired");
        if (rename(from.text, to.text) == 0)
                return true;
        if (errno == ENOENT)
                return false;
        refuse("cannot rename the instruction, the folder must be writable", from.text);
}

/* "NAME HIT PID PROGRAM", in one write to a file that the test has made. */
static void hit_write_down(const char *name, unsigned long hit)
{
        Line line;
        int fd;

        path_of(&line, "hits");
        fd = open(line.text, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd < 0) {
                if (errno != ENOENT)
                        refuse("cannot open the list of hits", line.text);
                return;
        }
        line = (Line){};
        line_add(&line, name);
        line_add(&line, " ");
        line_add_number(&line, hit);
        line_add(&line, " ");
        line_add_number(&line, (unsigned long) getpid());
        line_add(&line, " ");
        line_add(&line, program_invocation_short_name);
        line_add(&line, "\n");
        if (write(fd, line.text, line.length) != (ssize_t) line.length)
                refuse("cannot write the list of hits", name);
        (void) close(fd);
}

/* Held with all signals blocked, by one thread of one process: after a fork the value is foreign. */
static int lock_owner;

static void lock(void)
{
        int me = getpid();
        int seen = 0;

        while (!__atomic_compare_exchange_n(&lock_owner, &seen, me, false, __ATOMIC_ACQUIRE,
                                            __ATOMIC_RELAXED))
                if (seen == me)
                        seen = 0;
}

static void unlock(void)
{
        __atomic_store_n(&lock_owner, 0, __ATOMIC_RELEASE);
}

/* Returns the signal to send to oneself, 0 for none. */
static int point_decide(FaultPoint *point)
{
        Instruction i;

        point->n_hits++;
        hit_write_down(point->name, point->n_hits);
        if (!instruction_read(&i))
                return 0;
        instruction_parse(&i);
        if (strcmp(i.name, point->name) != 0)
                return 0;

        /* A daemon is older than the instruction that is meant for it. */
        if (point->instruction != i.identity) {
                point->instruction = i.identity;
                point->n_obeyed = 0;
        }
        point->n_obeyed++;
        return point->n_obeyed == i.n && instruction_claim(&i) ? i.signal : 0;
}

void fault_point_hit(FaultPoint *point)
{
        int saved_errno = errno;
        sigset_t all, before;
        int sig;

        (void) sigfillset(&all);
        (void) pthread_sigmask(SIG_SETMASK, &all, &before);
        lock();
        sig = point_decide(point);
        unlock();
        if (sig > 0) {
                /* Sent to this thread, so that it does not run one instruction further. */
                (void) tgkill(getpid(), gettid(), sig);
                if (sig == SIGKILL)
                        for (;;)
                                (void) pause();
        }
        (void) pthread_sigmask(SIG_SETMASK, &before, NULL);
        errno = saved_errno;
}
