/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The mount of a target (see target-mount.h).
 */
#include "job/target-mount.h"

#include "cleanup.h"

#include <string.h>

enum {
        FIELDS_BEFORE_POINT = 4, /* id, parent, device, root */
};

/* In place: the kernel writes blanks and backslashes as three digits. */
static void unescape(char *text)
{
        char *to = text;

        for (const char *from = text; *from; to++)
                if (from[0] == '\\' && strspn(from + 1, "01234567") >= 3) {
                        *to = (char) ((from[1] - '0') * 64 + (from[2] - '0') * 8 + from[3] - '0');
                        from += 4;
                } else
                        *to = *from++;
        *to = '\0';
}

/* ID PARENT DEVICE ROOT POINT OPTIONS [MORE...] - TYPE SOURCE ... */
static bool split(char *line, char **ret_point, char **ret_type, char **ret_source)
{
        char *end, *rest = strstr(line, " - ");

        if (!rest)
                return false;
        *rest = '\0';
        *ret_point = strtok_r(line, " ", &end);
        for (int i = 0; i < FIELDS_BEFORE_POINT && *ret_point; i++)
                *ret_point = strtok_r(NULL, " ", &end);
        *ret_type = strtok_r(rest + 3, " \n", &end);
        *ret_source = *ret_type ? strtok_r(NULL, " \n", &end) : NULL;
        if (!*ret_point || !*ret_source)
                return false;
        unescape(*ret_point);
        unescape(*ret_source);
        return true;
}

static bool is_below(const char *path, const char *point)
{
        size_t n = strlen(point);

        return strcmp(point, "/") == 0 ||
               (strncmp(path, point, n) == 0 && (path[n] == '/' || path[n] == '\0'));
}

json_t *target_mount_find(FILE *table, const char *path)
{
        _cleanup_free_ char *line = NULL;
        json_t *found = NULL;
        size_t size = 0, longest = 0;

        while (getline(&line, &size, table) > 0) {
                char *point, *type, *source;

                /* Of two at one place the later one is on top. */
                if (!split(line, &point, &type, &source) || !is_below(path, point) ||
                    strlen(point) < longest)
                        continue;
                longest = strlen(point);
                json_decref(found);
                found = strcmp(type, "autofs") == 0
                                        ? NULL
                                        : json_pack("{s:s, s:s, s:s*}", "point", point, "type",
                                                    type, "source",
                                                    strncmp(source, "/dev/", 5) == 0 ? NULL
                                                                                     : source);
        }
        return found;
}

json_t *target_mount_look(const char *path)
{
        FILE *table = fopen("/proc/self/mountinfo", "re");
        json_t *found = table ? target_mount_find(table, path) : NULL;

        if (table)
                (void) fclose(table);
        return found;
}

bool target_mount_is_away(const json_t *was, const char *path, char *text, size_t size)
{
        json_t *now = path ? target_mount_look(path) : NULL;
        bool away = was && now && !json_equal(was, now);
        const char *source = json_string_value(json_object_get(was, "source"));

        if (away)
                (void) snprintf(text, size,
                                "%s is not on the file system that it was on: %s (%s%s%s) is not "
                                "mounted; mount it again",
                                path, json_string_value(json_object_get(was, "point")),
                                json_string_value(json_object_get(was, "type")),
                                source ? " of " : "", source ?: "");
        json_decref(now);
        return away;
}
