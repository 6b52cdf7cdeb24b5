/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What all unit tests share: cmocka with TAP as its output, and a folder for files that are gone when
 * the test is over (tests/run removes it).
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define RUN_TESTS(tests) \
        (cmocka_set_message_output(CM_OUTPUT_TAP), cmocka_run_group_tests((tests), NULL, NULL))

/* A new empty folder below TEST_TMP (or /tmp); the caller frees the path. */
char *unit_folder(void);

/* "folder/name"; the caller frees it. */
char *unit_path(const char *folder, const char *name);

/* Writes a file of exactly these bytes. */
void unit_write(const char *path, const void *data, size_t size, unsigned mode);

/* n times the letter, NUL-terminated; the caller frees it. */
char *unit_repeat(char letter, size_t n);

/* How many descriptors this process has open; the one that it takes to look counts, each time. */
unsigned unit_count_descriptors(void);
