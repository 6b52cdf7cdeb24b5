/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What every fuzz program gives: one function that takes any bytes. libFuzzer calls it when the tree is
 * built with -Dfuzzers=true; fuzz-driver.c calls it in every build, as a test of the suite "unit".
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must be true of any input. */
#define MUST(condition)                                                                     \
        do {                                                                                \
                if (!(condition)) {                                                         \
                        (void) fprintf(stderr, "%s:%i: not true: %s\n", __FILE__, __LINE__, \
                                       #condition);                                         \
                        abort();                                                            \
                }                                                                           \
        } while (0)
