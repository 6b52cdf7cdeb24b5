/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tasks of vCenter: started, and waited for without a deadline, because a consolidation may take hours. A task
 * is looked at again and again rather than subscribed to: a look survives the loss of the session.
 */
#pragma once

#include "vsphere/session.h"

/* Starts a METHOD_Task and gives its reference. A VM that is busy with another task (TaskInProgress) is waited
 * for, for some minutes. */
int task_start(VSphere *v, const char *method, const VSphereRef *self, const char *arguments,
               VSphereRef *ret_task, VSphereError *error);

/* Waits for its end. ret_result: may be NULL; its value is empty when the task has no result. The task's own
 * error is error->fault. */
int task_wait(VSphere *v, const VSphereRef *task, VSphereRef *ret_result, VSphereError *error);

/* Both. */
int task_run(VSphere *v, const char *method, const VSphereRef *self, const char *arguments,
             VSphereRef *ret_result, VSphereError *error);

/* Waits until no recent task of the VM that has to do with snapshots runs any more, whoever started it. */
int task_wait_for_snapshots(VSphere *v, const VSphereRef *vm, VSphereError *error);

/* The same, and for every other task of the VM: what somebody who was killed has asked for is done then, or was refused. */
int task_wait_for_all(VSphere *v, const VSphereRef *vm, VSphereError *error);
