/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lines of fstab (see fstab.h).
 */
#include "fstab.h"

#include "cleanup.h"

#include <string.h>

static bool is_octal(char c)
{
        return c >= '0' && c <= '7';
}

void fstab_unescape(char *field)
{
        const char *in = field;
        char *out = field;

        while (*in) {
                /* A NUL would end the name: it stays as it is written. */
                if (in[0] == '\\' && in[1] >= '0' && in[1] <= '3' && is_octal(in[2]) &&
                    is_octal(in[3]) && strncmp(in + 1, "000", 3) != 0) {
                        *out++ = (char) ((in[1] - '0') * 64 + (in[2] - '0') * 8 + in[3] - '0');
                        in += 4;
                } else
                        *out++ = *in++;
        }
        while (out > field + 1 && out[-1] == '/')
                out--;
        *out = '\0';
}

bool fstab_next(char **text, FstabLine *ret_line)
{
        char *line;

        while ((line = strsep(text, "\n"))) {
                char *fields[4] = {}, *word;
                size_t n = 0;

                while (n < ELEMENTSOF(fields) && (word = strsep(&line, " \t\r")))
                        if (*word)
                                fields[n++] = word;
                if (n < 2 || fields[0][0] == '#')
                        continue;
                for (size_t i = 0; i < n; i++)
                        fstab_unescape(fields[i]);
                *ret_line = (FstabLine){ .device = fields[0],
                                         .place = fields[1],
                                         .type = fields[2] ? fields[2] : "auto",
                                         .options = fields[3] ? fields[3] : "defaults" };
                return true;
        }
        return false;
}

bool fstab_line_has_option(const FstabLine *line, const char *option)
{
        size_t length = strlen(option);
        const char *at = line->options;

        for (;; at++) {
                size_t n = strcspn(at, ",");

                if (n == length && strncmp(at, option, n) == 0)
                        return true;
                at += n;
                if (!*at)
                        return false;
        }
}

bool fstab_line_is_disk(const FstabLine *line)
{
        static const char *const disks[] = { "/dev/",
                                             "UUID=", "LABEL=", "PARTUUID=", "PARTLABEL=" };
        static const char *const others[] = { "/dev/fd", "/dev/sr", "/dev/cdrom", "/dev/loop" };
        bool is_disk = false;

        for (size_t i = 0; i < ELEMENTSOF(disks); i++)
                is_disk = is_disk || strncmp(line->device, disks[i], strlen(disks[i])) == 0;
        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                is_disk = is_disk && strncmp(line->device, others[i], strlen(others[i])) != 0;
        return is_disk && line->place[0] == '/' && line->place[1] &&
               strcmp(line->type, "swap") != 0 && !fstab_line_has_option(line, "noauto");
}
