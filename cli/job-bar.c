/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bars (see job-bar.h). Nothing that the hub says is printed here but numbers.
 */
#include "job-bar.h"

#include "cleanup.h"
#include "columns.h"
#include "format.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
        BAR_MIN = 10,
        BAR_MAX = 40,
        DISKS_MAX = 16, /* that get a bar of their own */
        TERMINAL_WIDTH = 80, /* of one that does not say */
        LINE_SIZE = 512,
};

#define LINE_UP    "\x1b[A"
#define LINE_ERASE "\r\x1b[K"

int job_bar_percent(const json_t *object)
{
        json_int_t done = number_of(object, "BytesDone"), total = number_of(object, "BytesTotal");

        if (total <= 0)
                return -1;
        return done >= total ? 100 : (int) ((double) done / (double) total * 100);
}

static struct winsize terminal(void)
{
        struct winsize size;

        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
                size = (struct winsize){ .ws_col = TERMINAL_WIDTH };
        return size;
}

void job_bar_clear(JobBar *bar)
{
        if (bar->lines > 0) {
                (void) fputs(LINE_ERASE, stdout);
                while (bar->lines-- > 0)
                        (void) fputs(LINE_UP LINE_ERASE, stdout);
        } else if (bar->letters > 0)
                (void) printf("\r%*s\r", (int) bar->letters, "");
        *bar = (JobBar){};
        (void) fflush(stdout);
}

/* "2000  [####----]  45 %  text"; the bar of a narrow terminal is left out. A line that wraps could not be taken back. */
static void make_line(char ret_line[static LINE_SIZE], size_t width, const char *name, int percent,
                      const char *text)
{
        size_t used = strlen(name) + strlen(text) + sizeof(" [] 100 %  "), n_marks = 0;
        char marks[BAR_MAX + 1] = "";

        if (width > used + BAR_MIN)
                n_marks = width - used > BAR_MAX ? BAR_MAX : width - used;
        for (size_t i = 0; i < n_marks; i++)
                marks[i] = i * 100 < n_marks * (size_t) percent ? '#' : '-';
        (void) snprintf(ret_line, LINE_SIZE, "%s%s%s%s%3d %%  %s", name, n_marks > 0 ? "[" : "",
                        marks, n_marks > 0 ? "] " : "", percent, text);
        if (width < LINE_SIZE && strlen(ret_line) >= width)
                ret_line[width - 1] = '\0';
}

static bool has_bar(const json_t *disk)
{
        return job_bar_percent(disk) >= 0 && strcmp(text_of(disk, "State"), "excluded") != 0;
}

static size_t count_disks(const json_t *disks)
{
        const json_t *disk;
        size_t i, n = 0;

        json_array_foreach (disks, i, disk)
                n += has_bar(disk);
        return n;
}

static size_t draw_disks(const json_t *disks, size_t width)
{
        char line[LINE_SIZE], text[3 * FORMAT_SIZE], name[24], done[FORMAT_SIZE],
                        total[FORMAT_SIZE];
        const json_t *disk;
        size_t i, n = 0;

        json_array_foreach (disks, i, disk) {
                if (!has_bar(disk))
                        continue;
                (void) snprintf(name, sizeof(name), "%5" JSON_INTEGER_FORMAT "  ",
                                number_of(disk, "Key"));
                (void) snprintf(text, sizeof(text), "%s of %s",
                                format_bytes((uint64_t) number_of(disk, "BytesDone"), done),
                                format_bytes((uint64_t) number_of(disk, "BytesTotal"), total));
                make_line(line, width, name, job_bar_percent(disk), text);
                (void) puts(line);
                n++;
        }
        return n;
}

void job_bar_draw(JobBar *bar, const json_t *job, const char *text)
{
        const json_t *disks = json_object_get(job, "Disks");
        const struct winsize size = terminal();
        const char *term = getenv("TERM");
        size_t n = count_disks(disks);
        bool has_disks = n > 1 && n <= DISKS_MAX && term && strcmp(term, "dumb") != 0 &&
                         size.ws_row > n + 1;
        char line[LINE_SIZE];

        job_bar_clear(bar);
        if (has_disks)
                bar->lines = draw_disks(disks, size.ws_col);
        make_line(line, size.ws_col, has_disks ? "  all  " : "", job_bar_percent(job), text);
        bar->letters = strlen(line);
        (void) fputs(line, stdout);
        (void) fflush(stdout);
}
