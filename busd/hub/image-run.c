/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A run of sendense-image (see image-run.h): end the old unit, write the task, start the new one, read
 * its result, end it. The unit stays loaded after its end, so that its result is read exactly once by
 * whoever is the hub then.
 */
#include "image-run.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "fault-point.h"
#include "log.h"
#include "parse.h"
#include "unit/image-unit.h"
#include "unit/unit-files.h"
#include "unit/units.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

typedef struct ImageRun {
        Units *units;
        char unit[UNIT_NAME_SIZE];
        char *step, *verb, *write_path;
        ImageTask task; /* its strings are the ones above */
        json_t *spec;
        json_t *result;
        unsigned n_runs; /* begun */
        bool is_dead; /* ended without a word */
        bool is_left; /* this hub ends, and its unit does not */
        char error_name[96];
        char error_text[512];
        ImageRunDone done;
        void *userdata;
} ImageRun;

static ImageRun *image_run_free(ImageRun *run)
{
        if (!run)
                return NULL;
        json_decref(run->spec);
        json_decref(run->result);
        free(run->step);
        free(run->verb);
        free(run->write_path);
        free(run);
        return NULL;
}
DEFINE_CLEANUP(ImageRun *, image_run_free)

int image_task_unit(const ImageTask *task, char ret_unit[static UNIT_NAME_SIZE])
{
        UnitName name = {
                .kind = task->job > 0 ? UNIT_IMAGE_SERVICE : UNIT_REPOSITORY_SERVICE,
                .job = task->job > 0 ? task->job : task->repository_id,
        };

        if (snprintf(name.step, sizeof(name.step), "%s", task->step) >= (int) sizeof(name.step))
                return -EINVAL;
        return unit_name_to_string(&name, ret_unit);
}

static void set_error(ImageRun *run, const char *name, const char *text)
{
        (void) snprintf(run->error_name, sizeof(run->error_name), "%s", name);
        (void) snprintf(run->error_text, sizeof(run->error_text), "%s", text);
}

static void on_old_gone(int error, const char *text, void *userdata);

/* The last step, with the unit gone. */
static void finish(ImageRun *run)
{
        run->done(run->result, run->unit, run->result ? NULL : run->error_name,
                  run->result ? NULL : run->error_text, run->userdata);
        if (!run->is_left)
                unit_files_remove(run->unit);
        image_run_free(run);
}

static void on_stopped(int error, const char *text, void *userdata)
{
        ImageRun *run = userdata;

        if (run->is_dead && error >= 0 && run->n_runs < run->task.n_runs) {
                log_notice("%s ended without a word (%s), running it again", run->unit,
                           run->error_text);
                on_old_gone(0, NULL, run);
                return;
        }
        /* The result is stored; a unit that would not go is found by the sweep of the job's end. */
        (void) error, (void) text;
        fault_point("image-run.stop.after");
        finish(run);
        fault_point("image-run.files-removed.after");
}

/* It was ended at its time limit, or one of before could not be: then its processes wait in the kernel,
 * and systemd keeps the unit. */
static bool is_hang(const ImageRun *run, int error)
{
        return run->write_path && (error == -ETIMEDOUT || error == -EEXIST);
}

static void set_hang(ImageRun *run, int error)
{
        static const char remedy[] = "see to the disk or the server below it (mount, dmesg)";

        (void) snprintf(run->error_name, sizeof(run->error_name), "%s", BUS_ERROR_REPOSITORY_HANGS);
        if (error == -ETIMEDOUT)
                (void) snprintf(run->error_text, sizeof(run->error_text),
                                "%s does not answer: the step %s did not %s within %" PRIu64
                                " s; %s",
                                run->write_path, run->step,
                                run->task.extends ? "come further" : "end",
                                run->task.timeout_usec / USEC_PER_SEC, remedy);
        else
                (void) snprintf(run->error_text, sizeof(run->error_text),
                                "%s does not answer: the step %s of before cannot be ended; %s",
                                run->write_path, run->step, remedy);
}

/* What the program said, or what must be said in its place. */
static void take_result(ImageRun *run, int error, const char *text)
{
        CLEANUP(json_decrefp) json_t *result = NULL;
        const char *name;
        int r;

        if (run->task.by_lines && error >= 0) {
                run->result = json_object();
                return;
        }
        r = unit_files_read_result(run->unit, &result);
        if (r >= 0 && error >= 0 &&
            strcmp(json_string_value(json_object_get(result, "result")) ?: "", "ok") == 0) {
                run->result = TAKE(result);
                return;
        }
        name = json_string_value(json_object_get(result, "error_name"));
        if (name && strncmp(name, "com.sendense.Error.", 19) == 0)
                set_error(run, name,
                          json_string_value(json_object_get(result, "error_text"))
                                          ?: "it does not say why");
        else if (is_hang(run, error))
                set_hang(run, error);
        else if (error < 0) {
                run->is_dead = error == -EIO;
                set_error(run, bus_error_from_errno(error) ?: BUS_ERROR_FAILED, text);
        } else
                set_error(run, BUS_ERROR_FAILED, "its result cannot be read");
}

static void on_ended(int error, const char *text, void *userdata)
{
        ImageRun *run = userdata;
        int r;

        fault_point("image-run.result.before");
        run->is_dead = false;
        take_result(run, error, text ?: "");
        fault_point("image-run.stop.before");
        r = units_stop(run->units, run->unit, on_stopped, run);
        /* A unit that systemd is only just starting has its files not open yet. The next hub removes them. */
        run->is_left = r == -ECANCELED;
        if (r < 0)
                finish(run);
}

static void on_old_gone(int error, const char *text, void *userdata)
{
        char in[UNIT_FILE_PATH_SIZE], out[UNIT_FILE_PATH_SIZE];
        ImageRun *run = userdata;
        ImageUnit unit = {
                .job = run->task.job,
                .repository_id = run->task.repository_id,
                .step = run->step,
                .verb = run->verb,
                .as_export_user = run->task.as_export_user,
                .write_paths = (const char *const *) &run->write_path,
                .n_write_paths = run->write_path ? 1 : 0,
                .in_path = in,
                .out_path = out,
                .timeout_usec = run->task.timeout_usec,
                .extends = run->task.extends,
        };
        int r = error;

        unit_file_path(run->unit, UNIT_FILE_IN, in);
        unit_file_path(run->unit, UNIT_FILE_OUT, out);
        /* Whoever decides that a job ends stops its steps; one that began after that would work beside
         * the undoing. */
        if (r >= 0 && run->task.is_wanted && !run->task.is_wanted(run->userdata)) {
                r = -ECANCELED;
                text = "nobody waits for it any more";
        }
        if (r >= 0) {
                run->n_runs++;
                r = unit_files_make(run->unit, run->spec);
                text = "its files in /run/sendense/units cannot be made";
        }
        if (r >= 0) {
                fault_point("image-run.start.before");
                r = image_unit_start(run->units, &unit, on_ended, run);
                fault_point("image-run.start.after");
                text = "systemd cannot be asked to start it";
        }
        if (r >= 0)
                return;
        set_error(run, bus_error_from_errno(r) ?: BUS_ERROR_FAILED, text ?: strerror(-r));
        finish(run);
}

int image_run(Units *units, const ImageTask *task, json_t *spec, ImageRunDone done, void *userdata)
{
        CLEANUP(image_run_free_p) ImageRun *run = malloc(sizeof(ImageRun));
        int r;

        if (!run || !spec) {
                free(TAKE(run));
                json_decref(spec);
                return -ENOMEM;
        }
        *run = (ImageRun){
                .units = units,
                .step = strdup(task->step),
                .verb = strdup(task->verb),
                .write_path = task->write_path ? strdup(task->write_path) : NULL,
                .task = *task,
                .spec = spec,
                .done = done,
                .userdata = userdata,
        };
        if (!run->step || !run->verb || (task->write_path && !run->write_path))
                return -ENOMEM;
        r = image_task_unit(task, run->unit);
        if (r >= 0)
                r = units_stop(units, run->unit, on_old_gone, run);
        if (r < 0)
                return r;
        (void) TAKE(run);
        return 0;
}
