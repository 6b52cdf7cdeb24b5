/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The looks of a job (see job-report.h).
 */
#include "job-report.h"

#include "cleanup.h"
#include "columns.h"
#include "format.h"
#include "job-types.h"
#include "output.h"
#include "parse.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
        PERCENT_STEP = 5, /* of a line, where there is no terminal */
        RATE_MIN_USEC = 200 * 1000, /* looks closer together say little */
};

#define RATE_WINDOW_SEC 5.0 /* how far back the rate remembers */

static uint64_t now_usec(void)
{
        struct timespec now = {};

        (void) clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t) now.tv_sec * USEC_PER_SEC + (uint64_t) now.tv_nsec / 1000;
}

static void measure(JobReport *report, uint64_t bytes)
{
        uint64_t now = now_usec(), usec = now - report->usec;
        double seconds, weight, rate;

        if (report->usec == 0 || bytes < report->bytes) { /* the first look, or begun anew */
                report->usec = now;
                report->bytes = bytes;
                report->rate = 0;
                return;
        }
        if (usec < RATE_MIN_USEC)
                return;
        seconds = (double) usec / (double) USEC_PER_SEC;
        rate = (double) (bytes - report->bytes) / seconds;
        weight = report->rate > 0 ? seconds / (seconds + RATE_WINDOW_SEC) : 1;
        report->rate += weight * (rate - report->rate);
        report->usec = now;
        report->bytes = bytes;
}

/* "2.1 GiB of 5.0 GiB, 210.0 MiB/s, 12 s left" */
static void describe_progress(const JobReport *report, const json_t *job, char *ret_text,
                              size_t size)
{
        uint64_t done = (uint64_t) number_of(job, "BytesDone");
        uint64_t total = (uint64_t) number_of(job, "BytesTotal");
        char done_text[FORMAT_SIZE], total_text[FORMAT_SIZE], rate_text[FORMAT_SIZE];
        char left_text[FORMAT_SIZE];
        double left;
        int n;

        n = snprintf(ret_text, size, "%s of %s", format_bytes(done, done_text),
                     format_bytes(total, total_text));
        if (n < 0 || (size_t) n >= size || report->rate < 1 || done > total)
                return;
        left = (double) (total - done) / report->rate;
        (void) snprintf(ret_text + n, size - (size_t) n, ", %s/s, %s left",
                        format_bytes((uint64_t) report->rate, rate_text),
                        left < 1e9 ? format_span((uint64_t) (left * (double) USEC_PER_SEC),
                                                 left_text)
                                   : "ages");
}

static void print_begin(const JobReport *report, const json_t *job)
{
        const char *repository = text_of(job, "Repository"), *backup = text_of(job, "BackupId");

        if (strcmp(text_of(job, "Type"), job_type_to_string(JOB_BACKUP)) != 0) {
                output_line("job %" PRIu64 ": %s of %s of %s", report->id, text_of(job, "Type"),
                            backup, text_of(job, "Vm"));
                return;
        }
        output_line("job %" PRIu64 ": %s of %s%s%s%s%s", report->id, text_of(job, "Type"),
                    text_of(job, "Vm"), *repository ? " into repository " : "", repository,
                    *backup ? " as " : "", backup);
}

/* A line when there is another step than before. */
static void print_step(JobReport *report, const json_t *job)
{
        const char *state = text_of(job, "State"), *phase = text_of(job, "Phase");
        const char *ending = text_of(job, "Ending");
        bool has_phase = *phase && strcmp(phase, state) != 0;
        char step[sizeof(report->step)];

        (void) snprintf(step, sizeof(step), "%.30s%s%.30s%s%.16s", state, has_phase ? ": " : "",
                        has_phase ? phase : "", *ending ? ", to be " : "", ending);
        if (strcmp(step, report->step) == 0)
                return;
        memcpy(report->step, step, sizeof(step));
        job_bar_clear(&report->bar);
        output_line("job %" PRIu64 ": %s", report->id, step);
}

static void print_percent(JobReport *report, const json_t *job, int percent)
{
        char text[4 * FORMAT_SIZE];

        if (percent < report->percent)
                report->percent = 0; /* begun anew */
        if (percent / PERCENT_STEP == report->percent / PERCENT_STEP)
                return;
        report->percent = percent;
        describe_progress(report, job, text, sizeof(text));
        (void) printf("job %" PRIu64 ": %d %%, %s\n", report->id, percent, text);
}

void job_report_update(JobReport *report, const json_t *job)
{
        JobState state = job_state_from_string(text_of(job, "State"));
        int percent = job_bar_percent(job);
        char text[4 * FORMAT_SIZE];

        if (arg_json) {
                if (output_json_line(job) < 0)
                        (void) complain(CTL_FAILED, "Out of memory");
                return;
        }
        if (!report->begun)
                print_begin(report, job);
        report->begun = true;
        if (!job_state_is_final(state)) /* how it ended is said with the whole record */
                print_step(report, job);
        if (state == JOB_COPYING && percent >= 0) {
                measure(report, (uint64_t) number_of(job, "BytesDone"));
                if (isatty(STDOUT_FILENO)) {
                        describe_progress(report, job, text, sizeof(text));
                        job_bar_draw(&report->bar, job, text);
                } else
                        print_percent(report, job, percent);
        } else
                job_bar_clear(&report->bar);
        (void) fflush(stdout);
}

void job_report_note(JobReport *report, const char *text)
{
        job_bar_clear(&report->bar);
        (void) complain(CTL_OK, "%s", text);
}

/* Why a disk was left out, or read in full though less was asked for. */
static void print_reasons(const JobReport *report, const json_t *job)
{
        const json_t *disk;
        size_t i;

        json_array_foreach (json_object_get(job, "Disks"), i, disk) {
                if (!*text_of(disk, "Reason"))
                        continue;
                output_line("job %" PRIu64 ": disk %" JSON_INTEGER_FORMAT " %s: %s", report->id,
                            number_of(disk, "Key"),
                            strcmp(text_of(disk, "State"), "excluded") == 0 ? "was left out"
                                                                            : "was read in full",
                            text_of(disk, "Reason"));
        }
}

ExitStatus job_report_end(JobReport *report, const json_t *job)
{
        JobState state = job_state_from_string(text_of(job, "State"));
        uint64_t started = (uint64_t) number_of(job, "StartedUSec");
        uint64_t finished = (uint64_t) number_of(job, "FinishedUSec");
        const char *why = text_of(job, "ErrorText");
        char span[FORMAT_SIZE] = "";

        job_bar_clear(&report->bar);
        if (state == JOB_FAILED)
                return complain(CTL_FAILED,
                                "job %" PRIu64 " failed: %s. All of it: sendensectl job show "
                                "%" PRIu64,
                                report->id, *why ? why : "the hub does not say why", report->id);
        if (arg_json)
                return state == JOB_COMPLETED ? CTL_OK : CTL_NOT_WELL;
        if (state == JOB_COMPLETED)
                print_reasons(report, job);
        if (started > 0 && finished >= started)
                (void) format_span(finished - started, span);
        output_line("job %" PRIu64 ": %s%s%s%s%s", report->id, job_state_to_string(state),
                    *span ? " after " : "", span, *why ? ": " : "", why);
        return state == JOB_COMPLETED ? CTL_OK : CTL_NOT_WELL;
}
