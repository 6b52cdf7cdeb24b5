/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Notes of who asked for which key: a line counts for the process that was there when it was written, and for no younger one of the
 * same number; and the processes that a sweep reads.
 */
#include "unit.h"

#include "clock.h"
#include "notes.h"
#include "process.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct Seen {
        unsigned n;
        char last[64];
        uint64_t usec;
} Seen;

static int on_line(const NoteLine *line, void *userdata)
{
        Seen *seen = userdata;

        seen->n++;
        seen->usec = line->usec;
        (void) snprintf(seen->last, sizeof(seen->last), "%s %s %s", line->user, line->type,
                        line->key);
        return strcmp(line->key, "stop") == 0 ? -ECANCELED : 0;
}

static void noted(void **state)
{
        char *folder = unit_folder();
        pid_t me = getpid();
        Seen seen = {};

        (void) state;
        assert_int_equal(note_read(folder, me, 0, on_line, &seen), -ENOENT);
        assert_int_equal(note_add(folder, me, "user", "type", "one"), 0);
        assert_int_equal(note_add(folder, me, "user", "type", "two"), 0);
        assert_int_equal(note_add(folder, me, "user", "type", "one"), 0); /* asked twice */
        assert_int_equal(note_read(folder, me, 0, on_line, &seen), 0);
        assert_int_equal(seen.n, 2);
        assert_string_equal(seen.last, "user type one");
        /* Another process had the number when this was written. */
        assert_int_equal(note_read(folder, me, seen.usec + 1, on_line, &seen), 0);
        assert_int_equal(seen.n, 2);
        assert_int_equal(note_drop(folder, me, "user", "type", "one"), 0);
        seen = (Seen){};
        assert_int_equal(note_read(folder, me, 0, on_line, &seen), 0);
        assert_int_equal(seen.n, 1);
        assert_string_equal(seen.last, "user type two");
        assert_int_equal(note_add(folder, me, "user", "type", "stop"), 0);
        assert_int_equal(note_read(folder, me, 0, on_line, &seen), -ECANCELED);
        note_remove(folder, me);
        assert_int_equal(note_read(folder, me, 0, on_line, &seen), -ENOENT);
        free(folder);
}

static void not_noted(void **state)
{
        char *folder = unit_folder(), key[16], *path = unit_path(folder, "1");
        Seen seen = {};
        int r = 0;

        (void) state;
        assert_int_equal(note_add(folder, 1, "us er", "type", "key"), -EINVAL);
        assert_int_equal(note_add(folder, 1, "user", "type", "key\n1 2 3 4"), -EINVAL);
        assert_int_equal(note_add("/nonexistent", 1, "user", "type", "key"), -ENOENT);
        for (unsigned i = 0; i <= NOTES_KEYS_MAX && r >= 0; i++) {
                (void) snprintf(key, sizeof(key), "k%u", i);
                r = note_add(folder, 1, "user", "type", key);
        }
        assert_int_equal(r, -E2BIG);
        unit_write(path, "5 user type\n", 12, 0640);
        assert_int_equal(note_read(folder, 1, 0, on_line, &seen), -EBADMSG);
        unit_write(path, "5 user type key", 15, 0640);
        assert_int_equal(note_read(folder, 1, 0, on_line, &seen), -EBADMSG);
        free(path);
        free(folder);
}

static void gone(void **state)
{
        char *folder = unit_folder(), *path;
        Seen seen = {};
        char name[16];
        pid_t child;

        (void) state;
        child = fork();
        if (child == 0)
                _exit(0);
        assert_true(child > 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        (void) snprintf(name, sizeof(name), "%i", (int) child);
        path = unit_path(folder, name);
        unit_write(path, "5 user type key\n", 16, 0640);
        assert_int_equal(note_add(folder, getpid(), "user", "type", "one"), 0);
        assert_int_equal(note_read(folder, child, 0, on_line, &seen), -ENOENT);
        assert_int_equal(note_read(folder, getpid(), 0, on_line, &seen), 0);
        free(path);
        free(folder);
}

/* The last name of our own cgroup, as for a unit. */
static void own_unit(char ret_unit[static 256])
{
        FILE *file = fopen("/proc/self/cgroup", "re");
        char line[512] = "";

        assert_non_null(file);
        assert_non_null(fgets(line, sizeof(line), file));
        (void) fclose(file);
        line[strcspn(line, "\n")] = '\0';
        (void) snprintf(ret_unit, 256, "%.255s", strrchr(line, '/') + 1);
}

static void processes(void **state)
{
        ProcessList list = {};
        Process found = {};
        char unit[256];
        pid_t child;
        int status;

        (void) state;
        own_unit(unit);
        child = fork();
        if (child == 0) {
                (void) setsid();
                for (;;)
                        (void) pause();
        }
        assert_true(child > 0);
        /* Until it leads its own session. */
        while (getsid(child) != child)
                (void) sched_yield();
        assert_int_equal(process_list_read(unit, &list), 0);
        for (size_t i = 0; i < list.n; i++)
                if (list.items[i].pid == child)
                        found = list.items[i];
        assert_int_equal(found.pid, child);
        assert_int_equal(found.parent, getpid());
        assert_int_equal(found.session, child);
        assert_int_equal(found.uid, getuid());
        assert_string_equal(found.name, "test-sshd-notes");
        assert_true(found.start_usec <= clock_boottime_usec());
        assert_true(process_is_below(&list, &found, &found));

        /* Another process of that number is left alone. */
        assert_int_equal(process_end(&(Process){ .pid = child, .start_ticks = 1 }), 0);
        assert_int_equal(waitpid(child, &status, WNOHANG), 0);
        assert_int_equal(process_end(&found), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(process_end(&found), 0);
        process_list_done(&list);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(noted), cmocka_unit_test(not_noted),
                                            cmocka_unit_test(gone), cmocka_unit_test(processes) };

        return RUN_TESTS(tests);
}
