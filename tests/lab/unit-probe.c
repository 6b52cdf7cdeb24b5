/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Drives busd/hub/unit for tests/lab/units-*.sh on a booted machine: reads commands from stdin, one a
 * line, and prints what happens, one line for each event. "serve" goes from the request to the handshake by
 * calls made in callbacks, as the hub does it.
 */
#include "cleanup.h"
#include "copy-unit.h"
#include "export-unit.h"
#include "handshake.h"
#include "image-unit.h"
#include "mount-unit.h"
#include "names.h"
#include "parse.h"
#include "unit/units.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <time.h>

enum { LINE_SIZE = 4096, WORDS_MAX = 32 };

typedef struct Driver {
        sd_event *event;
        sd_bus *bus;
        Units *units;
        char line[LINE_SIZE];
        size_t length;
        bool stop_when_failed; /* the handler stops what has failed */
} Driver;

/* One command under way. */
typedef struct Job {
        Driver *driver;
        char what[256], name[256], socket[UNIT_FILE_PATH_SIZE];
        uint16_t port;
        uint64_t begin_usec, timeout_usec;
        Handshake *handshake;
} Job;

static uint64_t now_usec(void)
{
        struct timespec now;

        (void) clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t) now.tv_sec * USEC_PER_SEC + (uint64_t) now.tv_nsec / 1000;
}

static const char *name_of(int error)
{
        return error == 0 ? "ok" : strerrorname_np(-error);
}

static void job_free(Job *job)
{
        handshake_free(job->handshake);
        free(job);
}

static void job_print(const Job *job, const char *verb, int error, const char *text)
{
        (void) printf("%s %s: %s %s (%" PRIu64 " ms)\n", verb, job->what, name_of(error),
                      text ?: "", (now_usec() - job->begin_usec) / 1000);
}

static void on_done(int error, const char *text, void *userdata)
{
        Job *job = userdata;

        job_print(job, "done", error, text);
        job_free(job);
}

static void on_shaken(int error, const char *text, uint64_t size, const char *description,
                      void *userdata)
{
        char words[512];
        Job *job = userdata;

        (void) snprintf(words, sizeof(words), "%" PRIu64 " %s", size, description ?: "");
        job_print(job, "shaken", error, error < 0 ? text : words);
        job_free(job);
}

static void shake(Job *job)
{
        const HandshakeRequest request = {
                .port = job->port,
                .socket_path = *job->socket ? job->socket : NULL,
                .export_name = job->name,
                .timeout_usec = job->timeout_usec,
        };
        int r;

        r = handshake_start(job->driver->event, &request, on_shaken, job, &job->handshake);
        if (r < 0)
                on_shaken(r, "not begun", 0, NULL, job);
}

static void on_served(int error, const char *text, void *userdata)
{
        if (error < 0)
                on_done(error, text, userdata);
        else
                shake(userdata);
}

static void print_state(const char *verb, const char *unit, const UnitState *s)
{
        if (!s->exists)
                (void) printf("%s %s gone\n", verb, unit);
        else
                (void) printf("%s %s %s/%s result=%s pid=%" PRIu32
                              " status=%i code=%i id=%s restarts=%u\n",
                              verb, unit, s->active, s->sub, s->result, s->main_pid, s->exec_status,
                              s->exec_code, s->invocation_id, s->n_restarts);
}

static Job *job_new(Driver *d, const char *verb, const char *subject)
{
        Job *job = calloc(1, sizeof(Job));

        if (!job)
                return NULL;
        job->driver = d;
        job->begin_usec = now_usec();
        job->timeout_usec = 5 * USEC_PER_SEC;
        (void) snprintf(job->what, sizeof(job->what), "%s %s", verb, subject);
        return job;
}

static void on_got(int error, const UnitState *state, void *userdata)
{
        Job *job = userdata;

        if (error < 0)
                job_print(job, "got", error, NULL);
        else
                print_state("got", job->name, state);
        job_free(job);
}

static void on_listed(int error, const char *const *units, size_t n, void *userdata)
{
        Job *job = userdata;

        (void) printf("list %s", name_of(error));
        for (size_t i = 0; i < n; i++)
                (void) printf(" %s", units[i]);
        (void) printf(" .\n");
        job_free(job);
}

/* export|serve JOB KEY PORT NAME IMAGE ERR */
static int do_export(Driver *d, char **w, Job *job)
{
        ExportUnit export = { .export_name = w[4], .image_path = w[5], .error_path = w[6] };
        uint64_t key = 0;
        int r;

        r = parse_uint64(w[1], 0, UINT64_MAX, &export.job);
        if (r >= 0)
                r = parse_uint64(w[2], 0, UINT32_MAX, &key);
        if (r >= 0)
                r = parse_port(w[3], &export.port);
        if (r < 0)
                return r;
        export.disk_key = (uint32_t) key;
        job->port = export.port;
        (void) snprintf(job->name, sizeof(job->name), "%s", w[4]);
        return export_unit_start(d->units, &export,
                                 strcmp(w[0], "serve") == 0 ? on_served : on_done, job);
}

/* mount JOB KEY UID ro|rw IMAGE ERR [PORT]: up to the handshake */
static int do_mount(Driver *d, char **w, size_t n, Job *job)
{
        MountUnit mount = {
                .is_writable = strcmp(w[4], "rw") == 0,
                .image_path = w[5],
                .error_path = w[6],
        };
        uint64_t key = 0, uid = 0;
        int r;

        r = parse_uint64(w[1], 0, UINT64_MAX, &mount.job);
        if (r >= 0)
                r = parse_uint64(w[2], 0, UINT32_MAX, &key);
        if (r >= 0)
                r = parse_uint64(w[3], 0, UINT32_MAX, &uid);
        if (r >= 0 && n > 7)
                r = parse_port(w[7], &mount.port);
        if (r < 0)
                return r;
        mount.disk_key = (uint32_t) key;
        mount.uid = (uint32_t) uid;
        mount_name(mount.job, mount.disk_key, job->name);
        job->port = mount.port;
        if (mount.port == 0)
                mount_socket_path(mount.job, mount.disk_key, job->socket);
        return mount_unit_start(d->units, &mount, on_served, job);
}

/* image JOB REPOSITORY STEP VERB hub|export IN OUT MS [PATH...] */
static int do_image(Driver *d, char **w, size_t n, Job *job)
{
        ImageUnit image = {
                .step = w[3],
                .verb = w[4],
                .as_export_user = strcmp(w[5], "export") == 0,
                .in_path = w[6],
                .out_path = w[7],
                .write_paths = (const char *const *) w + 9,
                .n_write_paths = n - 9,
        };
        int r;

        r = parse_uint64(w[1], 0, UINT64_MAX, &image.job);
        if (r >= 0)
                r = parse_uint64(w[2], 0, UINT64_MAX, &image.repository_id);
        if (r >= 0)
                r = parse_uint64(w[8], 0, UINT32_MAX, &image.timeout_usec);
        image.timeout_usec *= USEC_PER_MSEC;
        return r < 0 ? r : image_unit_start(d->units, &image, on_done, job);
}

/* copy JOB IN OUT PROGRAM */
static int do_copy(Driver *d, char **w, Job *job)
{
        CopyUnit copy = { .in_path = w[2], .out_path = w[3], .program = w[4] };
        int r = parse_uint64(w[1], 0, UINT64_MAX, &copy.job);

        return r < 0 ? r : copy_unit_start(d->units, &copy, on_done, job);
}

/* shake PORT NAME MS */
static int do_shake(char **w, Job *job)
{
        int r = parse_port(w[1], &job->port);

        (void) snprintf(job->name, sizeof(job->name), "%s", w[2]);
        if (r >= 0)
                r = parse_uint64(w[3], 1, UINT32_MAX, &job->timeout_usec);
        job->timeout_usec *= USEC_PER_MSEC;
        if (r >= 0)
                shake(job);
        return r;
}

static int do_get(Driver *d, char **w, Job *job)
{
        (void) snprintf(job->name, sizeof(job->name), "%s", w[1]);
        return units_get(d->units, w[1], on_got, job);
}

static void obey(Driver *d, char *line)
{
        char *w[WORDS_MAX], *save = NULL;
        size_t n = 0;
        Job *job;
        int r = -EINVAL;

        for (char *word = strtok_r(line, " ", &save); word && n < WORDS_MAX;
             word = strtok_r(NULL, " ", &save))
                w[n++] = word;
        if (n == 0)
                return;
        if (n == 2 && strcmp(w[0], "stop-failed") == 0) {
                d->stop_when_failed = strcmp(w[1], "yes") == 0;
                return;
        }
        job = job_new(d, w[0], n > 2 && strcmp(w[0], "stop") != 0 ? w[2] : n > 1 ? w[1] : "");
        if (!job)
                return;
        if (n == 7 && (strcmp(w[0], "export") == 0 || strcmp(w[0], "serve") == 0))
                r = do_export(d, w, job);
        else if ((n == 7 || n == 8) && strcmp(w[0], "mount") == 0)
                r = do_mount(d, w, n, job);
        else if (n >= 9 && strcmp(w[0], "image") == 0)
                r = do_image(d, w, n, job);
        else if (n == 5 && strcmp(w[0], "copy") == 0)
                r = do_copy(d, w, job);
        else if (n == 4 && strcmp(w[0], "shake") == 0)
                r = do_shake(w, job);
        else if (n == 2 && strcmp(w[0], "stop") == 0)
                r = units_stop(d->units, w[1], on_done, job);
        else if (n == 2 && strcmp(w[0], "get") == 0)
                r = do_get(d, w, job);
        else if (n == 1 && strcmp(w[0], "list") == 0)
                r = units_list(d->units, on_listed, job);
        if (r < 0) {
                job_print(job, "refused", r, NULL);
                job_free(job);
        }
}

static int on_input(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Driver *d = userdata;
        ssize_t n;
        char *end;

        (void) source, (void) revents;
        n = read(fd, d->line + d->length, sizeof(d->line) - 1 - d->length);
        if (n <= 0) {
                d->units = units_free(d->units);
                (void) printf("freed\n");
                return sd_event_exit(d->event, 0);
        }
        d->length += (size_t) n;
        d->line[d->length] = '\0';
        while ((end = strchr(d->line, '\n'))) {
                *end = '\0';
                obey(d, d->line);
                d->length -= (size_t) (end + 1 - d->line);
                memmove(d->line, end + 1, d->length + 1);
        }
        return 0;
}

static void on_unit(const char *unit, const UnitState *state, void *userdata)
{
        Driver *d = userdata;
        Job *job;

        print_state("unit", unit, state);
        if (!d->stop_when_failed || strcmp(state->active, "failed") != 0)
                return;
        job = job_new(d, "stop", unit);
        if (job && units_stop(d->units, unit, on_done, job) < 0)
                job_free(job);
}

int main(void)
{
        Driver d = {};
        int r;

        setvbuf(stdout, NULL, _IOLBF, 0);
        r = sd_event_new(&d.event);
        if (r >= 0)
                r = sd_bus_open_system(&d.bus);
        if (r >= 0)
                r = sd_bus_attach_event(d.bus, d.event, 0);
        if (r >= 0)
                r = units_new(d.bus, UNITS_OF_HUB, on_unit, &d, &d.units);
        if (r >= 0)
                r = sd_event_add_io(d.event, NULL, STDIN_FILENO, EPOLLIN, on_input, &d);
        if (r >= 0)
                r = sd_event_loop(d.event);
        units_free(d.units);
        sd_bus_flush_close_unref(d.bus);
        sd_event_unref(d.event);
        if (r < 0)
                (void) fprintf(stderr, "unit-probe: %s\n", strerror(-r));
        return r < 0;
}
