/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Drives busd/hub/store for tests/sql/store*.sh: reads commands from stdin, one a line, and prints what
 * happens, one line for each event. A timer in the same loop measures whether the loop was ever held up.
 */
#include "cleanup.h"
#include "database.h"
#include "hub-config.h"
#include "parse.h"
#include "store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <systemd/sd-event.h>

#include <mysql.h>

enum {
        TICK_USEC = 10 * 1000,
        LINE_SIZE = 256,
};

typedef struct Driver {
        sd_event *event;
        Store *store;
        uint64_t last_tick_usec, gap_usec;
        char line[LINE_SIZE];
        size_t length;
        unsigned n_open, n_answered, n_disordered;
} Driver;

/* One submitted piece of work. */
typedef struct Job {
        Driver *driver;
        char what[LINE_SIZE];
        unsigned number, attempts;
} Job;

static const char *argument_of(const char *line)
{
        const char *space = strchr(line, ' ');

        return space ? space + 1 : "";
}

static int query(MYSQL *mysql, const char *text)
{
        MYSQL_RES *rows;

        if (mysql_query(mysql, text) != 0)
                return database_errno(mysql);
        rows = mysql_store_result(mysql);
        if (rows)
                mysql_free_result(rows);
        return mysql_errno(mysql) != 0 ? database_errno(mysql) : 0;
}

/* run SQL: as it says. */
static int work_run(MYSQL *mysql, void *userdata)
{
        Job *job = userdata;

        job->attempts++;
        return query(mysql, argument_of(job->what));
}

/* spoil SQL: the same, and then fails. */
static int work_spoil(MYSQL *mysql, void *userdata)
{
        int r = work_run(mysql, userdata);

        return r < 0 ? r : -EINVAL;
}

/* again: never succeeds. */
static int work_again(MYSQL *mysql, void *userdata)
{
        Job *job = userdata;

        (void) mysql;
        job->attempts++;
        return -EAGAIN;
}

/* both: takes two rows one after the other. */
static int work_both(MYSQL *mysql, void *userdata)
{
        Job *job = userdata;
        int r;

        job->attempts++;
        r = query(mysql, "UPDATE nodes SET created_usec = created_usec + 1 WHERE id = 1");
        return r < 0 ? r
                     : query(mysql,
                             "UPDATE nodes SET created_usec = created_usec + 1 WHERE id = 2");
}

static int work_nothing(MYSQL *mysql, void *userdata)
{
        (void) mysql, (void) userdata;
        return 0;
}

static void on_done(int error, void *userdata, void *driver)
{
        _cleanup_free_ Job *job = userdata;

        (void) driver;
        (void) printf("done %s: %s, %u attempts\n", job->what,
                      error == 0 ? "ok" : strerrorname_np(-error), job->attempts);
}

/* Of `fill`: only counts. */
static void on_counted(int error, void *userdata, void *driver)
{
        _cleanup_free_ Job *job = userdata;
        Driver *d = driver;

        if (error < 0 || job->number != d->n_answered)
                d->n_disordered++;
        d->n_answered++;
        if (--d->n_open == 0)
                (void) printf("filled: %u answered, %u wrong\n", d->n_answered, d->n_disordered);
}

static void on_probe(int error, void *job, void *driver)
{
        Driver *d = driver;

        (void) job;
        (void) printf("probed: %s, %s\n", error == 0 ? "ok" : strerrorname_np(-error),
                      database_state_to_string(store_status(d->store)->state));
}

static int submit(Driver *d, StoreWork work, StoreDone done, const char *what, unsigned number)
{
        Job *job = calloc(1, sizeof(Job));
        int r;

        if (!job)
                return -ENOMEM;
        job->driver = d;
        job->number = number;
        (void) snprintf(job->what, sizeof(job->what), "%s", what);
        r = store_submit(d->store, work, done, job, d);
        if (r < 0)
                free(job);
        return r;
}

static void fill(Driver *d)
{
        unsigned n = 0;
        int r;

        d->n_answered = d->n_disordered = 0;
        while ((r = submit(d, work_nothing, on_counted, "fill", n)) == 0)
                n++;
        d->n_open = n;
        (void) printf("full: %u more, then %s\n", n, strerrorname_np(-r));
}

static uint64_t now(const Driver *d)
{
        uint64_t usec = 0;

        (void) d;
        (void) sd_event_now(d->event, CLOCK_MONOTONIC, &usec);
        return usec;
}

static void do_free(Driver *d)
{
        struct timespec before, after;

        (void) clock_gettime(CLOCK_MONOTONIC, &before);
        store_end(d->store);
        (void) printf("after its end: %s, %s\n",
                      strerrorname_np(-store_submit(d->store, NULL, NULL, NULL, NULL)),
                      strerrorname_np(-store_probe(d->store, NULL, NULL)));
        d->store = store_free(d->store);
        (void) clock_gettime(CLOCK_MONOTONIC, &after);
        (void) printf("freed: %ld ms\n",
                      (after.tv_sec - before.tv_sec) * 1000 +
                                      (after.tv_nsec - before.tv_nsec) / 1000000);
        (void) sd_event_exit(d->event, 0);
}

static void obey(Driver *d, const char *line)
{
        static const struct {
                const char *word;
                StoreWork work;
        } works[] = {
                { "run ", work_run },
                { "spoil ", work_spoil },
                { "again", work_again },
                { "both", work_both },
        };
        int r;

        for (size_t i = 0; i < ELEMENTSOF(works); i++)
                if (strncmp(line, works[i].word, strlen(works[i].word)) == 0) {
                        r = submit(d, works[i].work, on_done, line, 0);
                        if (r < 0)
                                (void) printf("refused %s: %s\n", line, strerrorname_np(-r));
                        return;
                }
        if (strcmp(line, "fill") == 0)
                fill(d);
        else if (strcmp(line, "probe") == 0) {
                r = store_probe(d->store, on_probe, d);
                if (r < 0)
                        (void) printf("refused probe: %s\n", strerrorname_np(-r));
        } else if (strcmp(line, "gap") == 0) {
                (void) printf("gap: %" PRIu64 " ms\n", d->gap_usec / 1000);
                d->gap_usec = 0;
        } else if (strcmp(line, "free") == 0)
                do_free(d);
        else
                (void) printf("unknown: %s\n", line);
}

static int on_input(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Driver *d = userdata;
        ssize_t n;
        char *end;

        (void) source, (void) revents;
        n = read(fd, d->line + d->length, sizeof(d->line) - 1 - d->length);
        if (n <= 0) {
                do_free(d);
                return 0;
        }
        d->length += (size_t) n;
        d->line[d->length] = '\0';
        while (d->store && (end = strchr(d->line, '\n'))) {
                *end = '\0';
                obey(d, d->line);
                d->length -= (size_t) (end + 1 - d->line);
                memmove(d->line, end + 1, d->length + 1);
        }
        return 0;
}

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
        Driver *d = userdata;
        uint64_t is = now(d);

        (void) usec;
        if (d->last_tick_usec > 0 && is - d->last_tick_usec > d->gap_usec)
                d->gap_usec = is - d->last_tick_usec;
        d->last_tick_usec = is;
        (void) sd_event_source_set_time_relative(source, TICK_USEC);
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static void on_status(const StoreStatus *status, void *userdata)
{
        (void) userdata;
        (void) printf("status %s %" PRIu32 " %s\n", database_state_to_string(status->state),
                      status->schema, status->error);
}

int main(int argc, char *argv[])
{
        CLEANUP(hub_config_done) HubConfig config = {};
        _cleanup_free_ char *error = NULL;
        Driver d = {};
        int r;

        setvbuf(stdout, NULL, _IOLBF, 0);
        if (argc != 2 || hub_config_load(&config, argv[1], &error) < 0) {
                (void) fprintf(stderr, "store-probe: %s\n", error ?: "usage: store-probe CONFIG");
                return 2;
        }
        r = sd_event_new(&d.event);
        if (r >= 0)
                r = store_new(d.event, &config, on_status, &d, &d.store);
        if (r >= 0)
                r = sd_event_add_io(d.event, NULL, STDIN_FILENO, EPOLLIN, on_input, &d);
        if (r >= 0)
                r = sd_event_add_time_relative(d.event, NULL, CLOCK_MONOTONIC, TICK_USEC, 1,
                                               on_tick, &d);
        if (r >= 0)
                r = sd_event_loop(d.event);
        sd_event_unref(d.event);
        if (r < 0)
                (void) fprintf(stderr, "store-probe: %s\n", strerror(-r));
        return r < 0;
}
