/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The files through which a unit of ours gets its task and leaves its result: made by the hub in
 * /run/sendense/units before the unit starts, opened by systemd before the unit gives up its rights.
 * On a tmpfs, so that writing them waits for no disk.
 */
#pragma once

#include "result-file.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Where copies tell their progress, in the runtime folder. */
#define PROGRESS_SOCKET "progress.sock"

enum {
        UNIT_FILE_PATH_SIZE = 256,
        UNIT_ERROR_LINE_SIZE = 512,
        UNIT_RESULT_MAX = RESULT_COPY_MAX,
};

typedef enum UnitFile {
        UNIT_FILE_IN, /* the task */
        UNIT_FILE_OUT, /* the result */
        UNIT_FILE_ERROR, /* stderr of a program that is not ours */
        UNIT_FILE_PSK, /* keys that its owner gives it, for nobody else to read */
        UNIT_FILE_MAX,
        UNIT_FILE_INVALID = -22,
} UnitFile;

/* The path of name in the hub's runtime folder, /run/sendense. */
void runtime_path(const char *name, char ret_path[static UNIT_FILE_PATH_SIZE]);

/* The folder of all, made when missing. Once at the start of the hub. */
int unit_files_init(void);

/* Where the file of unit is. */
void unit_file_path(const char *unit, UnitFile file, char ret_path[static UNIT_FILE_PATH_SIZE]);

/* Makes them anew: in holds task (may be NULL), the others are empty, and there are no keys. */
int unit_files_make(const char *unit, const json_t *task);

/* Reads the result. As result_parse_within(), up to UNIT_RESULT_MAX; -ENODATA for an empty one: the unit has said nothing. */
int unit_files_read_result(const char *unit, json_t **ret_result);

/* The last line that is not empty of what unit wrote to stderr, control characters removed; "" when
 * there is none. */
void unit_files_read_error(const char *unit, char ret_line[static UNIT_ERROR_LINE_SIZE]);

/* Removes them. A file that is not there is no error. */
void unit_files_remove(const char *unit);

/* Removes those of all units for which keep() says no: leftovers of a hub that was killed. */
int unit_files_sweep(bool (*keep)(const char *unit, void *userdata), void *userdata);
