/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a restore left beside its target, and could not remove when it ended: its unit is run again by the sweep. One sweep begins
 * it and the next one takes its result, so that no sweep waits for a file system that does not answer.
 */
#pragma once

#include "unit/units.h"

#include <jansson.h>

enum {
        TARGET_UNDO_WHY_SIZE = 512,
};

/* row is an obligation as store_obligation_list() gives it. 1: it is undone; 0: not yet, and ret_why says what the last run said,
 * empty when there was none. */
int target_undo_result(const json_t *row, char ret_why[static TARGET_UNDO_WHY_SIZE]);

/* Begins it; done is told when the program has been executed. -ENODEV: the file system of the target is not mounted, as ret_why
 * says. */
int target_undo_start(Units *units, const json_t *row, char ret_why[static TARGET_UNDO_WHY_SIZE],
                      UnitDone done, void *userdata);

/* Its result was taken. */
void target_undo_forget(const json_t *row);
