/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tasks (see task.h).
 */
#include "vsphere/task.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "vsphere/properties.h"

#include <errno.h>
#include <string.h>

enum {
        LOOK_FIRST_MSEC = 20,
        LOOK_LAST_MSEC = 2000,
        BUSY_WAIT_MSEC = 500,
        BUSY_TRIES_MAX = 600, /* some five minutes */
};

int task_start(VSphere *v, const char *method, const VSphereRef *self, const char *arguments,
               VSphereRef *ret_task, VSphereError *error)
{
        const VSphereCall call = {
                .method = method, .self = self, .arguments = arguments, .once = true
        };

        for (unsigned i = 0;; i++) {
                CLEANUP(xml_free_p) XmlDocument *document = NULL;
                const XmlNode *answer = NULL;
                int r;

                r = vsphere_call(v, &call, &document, &answer, error);
                if (r >= 0 && soap_reference(xml_child(answer, "returnval"), ret_task) < 0)
                        return vsphere_error_set(error, BUS_ERROR_FAILED,
                                                 "vCenter started a task without a name");
                if (r >= 0 || !vsphere_error_is_fault(error, "TaskInProgress") ||
                    i == BUSY_TRIES_MAX)
                        return r;
                if (vsphere_wait(v, BUSY_WAIT_MSEC, error) < 0)
                        return -ECANCELED;
        }
}

/* 0: it goes on; 1: success; negative: its error. */
static int look(VSphere *v, const VSphereRef *task, VSphereRef *ret_result, VSphereError *error)
{
        static const char *const paths[] = { "info.state", "info.error", "info.result" };
        CLEANUP(properties_free_p) Properties *info = NULL;
        const XmlNode *fault;
        const char *state;
        int r;

        r = properties_of(v, task, paths, ELEMENTSOF(paths), &info, error);
        if (r < 0)
                return r;
        state = properties_text(info, 0, "info.state");
        if (!state)
                return vsphere_error_set(error, BUS_ERROR_FAILED,
                                         "vCenter says no state of a task");
        if (strcmp(state, "error") == 0) {
                fault = properties_value(info, 0, "info.error");
                return soap_fault(xml_child(fault, "fault"), xml_text_at(fault, "localizedMessage"),
                                  BUS_ERROR_FAILED, error);
        }
        if (strcmp(state, "success") != 0)
                return 0;
        if (ret_result) {
                *ret_result = (VSphereRef){};
                (void) properties_reference(info, 0, "info.result", ret_result);
        }
        return 1;
}

int task_wait(VSphere *v, const VSphereRef *task, VSphereRef *ret_result, VSphereError *error)
{
        for (unsigned wait = LOOK_FIRST_MSEC;; wait = wait * 3 / 2) {
                int r;

                r = look(v, task, ret_result, error);
                if (r != 0)
                        return r < 0 ? r : 0;
                if (wait > LOOK_LAST_MSEC)
                        wait = LOOK_LAST_MSEC;
                if (vsphere_wait(v, wait, error) < 0)
                        return -ECANCELED;
        }
}

int task_run(VSphere *v, const char *method, const VSphereRef *self, const char *arguments,
             VSphereRef *ret_result, VSphereError *error)
{
        for (unsigned i = 0;; i++) {
                VSphereRef task;
                int r;

                r = task_start(v, method, self, arguments, &task, error);
                if (r >= 0)
                        r = task_wait(v, &task, ret_result, error);
                /* vCenter also takes a task, and has it fail with this: nothing was done. */
                if (r >= 0 || !vsphere_error_is_fault(error, "TaskInProgress") ||
                    i == BUSY_TRIES_MAX)
                        return r;
                if (vsphere_wait(v, BUSY_WAIT_MSEC, error) < 0)
                        return -ECANCELED;
        }
}

static bool is_about_snapshots(const char *what)
{
        return what && (strcasestr(what, "snapshot") || strcasestr(what, "consolidate"));
}

static const char *const running_paths[] = { "info.state", "info.descriptionId", "info.name" };

static bool runs_and_matters(const Properties *info, size_t i, bool matters)
{
        const char *state = properties_text(info, i, "info.state");

        return state && (strcmp(state, "running") == 0 || strcmp(state, "queued") == 0) &&
               (matters || is_about_snapshots(properties_text(info, i, "info.descriptionId")) ||
                is_about_snapshots(properties_text(info, i, "info.name")));
}

/* How it ended is its owner's business. */
static int wait_for_other(VSphere *v, const VSphereRef *task, VSphereError *error)
{
        int r = task_wait(v, task, NULL, error);

        return r < 0 && error->fault[0] == '\0' ? r : 0;
}

/* 1: it runs and matters. A task that vCenter has forgotten has ended. */
static int is_running(VSphere *v, const VSphereRef *task, bool all, VSphereError *error)
{
        CLEANUP(properties_free_p) Properties *info = NULL;
        int r;

        r = properties_of(v, task, running_paths, ELEMENTSOF(running_paths), &info, error);
        if (r < 0)
                return vsphere_error_is_fault(error, "ManagedObjectNotFound") ? 0 : r;
        return runs_and_matters(info, 0, all);
}

static int wait_one_by_one(VSphere *v, const VSphereRef *vm, bool all, VSphereError *error)
{
        static const char *const paths[] = { "recentTask" };
        CLEANUP(properties_free_p) Properties *found = NULL;
        int r;

        r = properties_of(v, vm, paths, ELEMENTSOF(paths), &found, error);
        if (r < 0)
                return r;
        for (const XmlNode *node = xml_child(properties_value(found, 0, "recentTask"), NULL);
             node && r >= 0; node = xml_next(node, NULL)) {
                VSphereRef task;

                if (soap_reference(node, &task) < 0)
                        continue;
                r = is_running(v, &task, all, error);
                if (r > 0)
                        r = wait_for_other(v, &task, error);
        }
        return r;
}

static int wait_for_recent(VSphere *v, const VSphereRef *vm, bool all, VSphereError *error)
{
        CLEANUP(properties_free_p) Properties *info = NULL;
        int r;

        r = properties_behind(v, vm, "recentTask", "Task", running_paths, ELEMENTSOF(running_paths),
                              &info, error);
        if (r > 0)
                return wait_one_by_one(v, vm, all, error);
        for (size_t i = 0; r >= 0 && i < properties_count(info); i++)
                if (runs_and_matters(info, i, all))
                        r = wait_for_other(v, properties_ref(info, i), error);
        return r;
}

int task_wait_for_snapshots(VSphere *v, const VSphereRef *vm, VSphereError *error)
{
        return wait_for_recent(v, vm, false, error);
}

int task_wait_for_all(VSphere *v, const VSphereRef *vm, VSphereError *error)
{
        return wait_for_recent(v, vm, true, error);
}
