/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the row of a task keeps of the result of a copy, and what the result of a release means for those who look. Only
 * task-run.c calls it.
 */
#pragma once

#include "task.h"

/* A new reference. */
json_t *task_result_summary(const Task *task, const json_t *result);

/* What is not as it should be becomes a warning of the task, and a line in the journal. */
void task_result_of_release(Task *task, const json_t *result);
