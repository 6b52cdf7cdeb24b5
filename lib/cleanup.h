/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Scope-bound clean-up: a local that owns something carries the destructor in its declaration, and
 * TAKE() hands the thing over. Used everywhere; holds no logic of its own.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(f) __attribute__((cleanup(f)))

/* Hands a pointer over: gives its value and leaves NULL behind. */
#define TAKE(p)                                      \
        ({                                           \
                __typeof__(p) *_taken_from = &(p);   \
                __typeof__(p) _taken = *_taken_from; \
                *_taken_from = NULL;                 \
                _taken;                              \
        })

/* The same for a file descriptor; -1 stays behind. */
static inline int take_fd(int *fd)
{
        int taken = *fd;

        *fd = -1;
        return taken;
}

/* Defines name_p(Type **) for a destructor `func(Type *)`, to be used as CLEANUP(name_p). */
#define DEFINE_CLEANUP(type, func)           \
        static inline void func##_p(type *p) \
        {                                    \
                if (*p)                      \
                        (void) func(*p);     \
        }

/* Keeps errno, so that a failing function may close its descriptors and still report its reason. */
static inline void cleanup_free_p(void *p)
{
        free(*(void **) p);
}

void cleanup_close_p(const int *fd);
void cleanup_fclose_p(FILE **f);

#define _cleanup_free_   CLEANUP(cleanup_free_p)
#define _cleanup_close_  CLEANUP(cleanup_close_p)
#define _cleanup_fclose_ CLEANUP(cleanup_fclose_p)

#define ELEMENTSOF(x) (sizeof(x) / sizeof((x)[0]))
