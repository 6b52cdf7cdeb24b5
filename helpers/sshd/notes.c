/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Notes (see notes.h). They live in /run and need no sync; a reader meets an old file or a new one, never half of one.
 */
#include "notes.h"

#include "cleanup.h"
#include "clock.h"
#include "parse.h"
#include "text.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static char *note_path(const char *folder, pid_t pid, const char *suffix)
{
        return text_format("%s/%i%s", folder, (int) pid, suffix);
}

static int read_line(char *text, NoteLine *ret_line)
{
        const char *usec = strsep(&text, " ");

        ret_line->user = strsep(&text, " ");
        ret_line->type = strsep(&text, " ");
        ret_line->key = strsep(&text, " ");
        return ret_line->key && !text && parse_uint64(usec, 0, UINT64_MAX, &ret_line->usec) >= 0
                               ? 0
                               : -EBADMSG;
}

int note_read(const char *folder, pid_t pid, uint64_t since_usec, NoteSeen seen, void *userdata)
{
        _cleanup_free_ char *path = note_path(folder, pid, "");
        _cleanup_fclose_ FILE *file = NULL;
        char text[NOTE_LINE_MAX];
        int r = 0;

        if (!path)
                return -ENOMEM;
        file = fopen(path, "re");
        if (!file)
                return -errno;
        while (r >= 0 && fgets(text, sizeof(text), file)) {
                char *end = strchr(text, '\n');
                NoteLine line;

                if (!end)
                        return -EBADMSG;
                *end = '\0';
                r = read_line(text, &line);
                if (r >= 0 && line.usec >= since_usec)
                        r = seen(&line, userdata);
        }
        return r < 0 ? r : (ferror(file) ? -EIO : 0);
}

/* ── Writing ── */

typedef struct Copy {
        FILE *to;
        const char *user, *type, *key;
        unsigned n;
} Copy;

/* All lines but those of this key. */
static int copy_line(const NoteLine *line, void *userdata)
{
        Copy *copy = userdata;

        if (strcmp(line->user, copy->user) == 0 && strcmp(line->type, copy->type) == 0 &&
            strcmp(line->key, copy->key) == 0)
                return 0;
        if (++copy->n >= NOTES_KEYS_MAX)
                return -E2BIG;
        return fprintf(copy->to, "%" PRIu64 " %s %s %s\n", line->usec, line->user, line->type,
                       line->key) < 0
                               ? -EIO
                               : 0;
}

static int write_note(const char *folder, pid_t pid, const char *user, const char *type,
                      const char *key, bool add)
{
        _cleanup_free_ char *path = note_path(folder, pid, ""),
                            *partial = note_path(folder, pid, ".new");
        _cleanup_fclose_ FILE *file = NULL;
        Copy copy = { .user = user, .type = type, .key = key };
        int r;

        if (!path || !partial)
                return -ENOMEM;
        file = fopen(partial, "we");
        if (!file)
                return -errno;
        /* The group reads it: whoever sweeps. */
        if (fchmod(fileno(file), 0640) < 0)
                return -errno;
        copy.to = file;
        r = note_read(folder, pid, 0, copy_line, &copy);
        if (r < 0 && r != -ENOENT)
                return r;
        if (add &&
            fprintf(file, "%" PRIu64 " %s %s %s\n", clock_boottime_usec(), user, type, key) < 0)
                return -EIO;
        if (fclose(TAKE(file)) != 0 || rename(partial, path) < 0)
                return -errno;
        return 0;
}

int note_add(const char *folder, pid_t pid, const char *user, const char *type, const char *key)
{
        if (strlen(user) > NOTE_USER_MAX || strpbrk(user, " \n") || strpbrk(type, " \n") ||
            strpbrk(key, " \n") ||
            strlen(user) + strlen(type) + strlen(key) + NOTE_USER_MAX >= NOTE_LINE_MAX)
                return -EINVAL;
        notes_clean(folder);
        return write_note(folder, pid, user, type, key, true);
}

int note_drop(const char *folder, pid_t pid, const char *user, const char *type, const char *key)
{
        return write_note(folder, pid, user, type, key, false);
}

void note_remove(const char *folder, pid_t pid)
{
        _cleanup_free_ char *path = note_path(folder, pid, "");

        if (path)
                (void) unlink(path);
}

void notes_clean(const char *folder)
{
        DIR *notes = opendir(folder);
        const struct dirent *entry;

        if (!notes)
                return;
        while ((entry = readdir(notes))) {
                _cleanup_free_ char *name = strndup(entry->d_name, strcspn(entry->d_name, "."));
                uint64_t pid;

                if (name && parse_uint64(name, 1, INT32_MAX, &pid) >= 0 &&
                    kill((pid_t) pid, 0) < 0 && errno == ESRCH)
                        (void) unlinkat(dirfd(notes), entry->d_name, 0);
        }
        (void) closedir(notes);
}
