/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Why something with vCenter failed: a word of lib/bus/bus-error.h, one line for people, and the type of
 * VMware's fault where it was one. What the other side says is cleaned before it is put into a line: a vCenter
 * may be malicious, and the line goes to logs and terminals. Pure.
 */
#pragma once

#include <stdbool.h>

enum {
        VSPHERE_ERROR_TEXT_SIZE = 640,
        VSPHERE_FAULT_SIZE = 64,
};

typedef struct VSphereError {
        const char *name; /* BUS_ERROR_… */
        bool is_transient; /* of the network, not of the question: the same may succeed in a moment */
        bool is_too_large; /* the answer, in bytes or elements */
        char fault[VSPHERE_FAULT_SIZE]; /* "FileFault"; empty: it was no fault of VMware's */
        char text[VSPHERE_ERROR_TEXT_SIZE]; /* one clean line of UTF-8 */
} VSphereError;

/* Overwrites what stood there but for the fault. Returns the name's negative errno. error is never NULL. */
int vsphere_error_set(VSphereError *error, const char *name, const char *format, ...)
                __attribute__((format(printf, 3, 4)));

/* Gives an error that was set another name and puts words before its text: "Cannot …: <text>". */
int vsphere_error_prefix(VSphereError *error, const char *name, const char *format, ...)
                __attribute__((format(printf, 3, 4)));

/* Out of memory and what else has no words of its own. */
int vsphere_error_errno(VSphereError *error, int r, const char *what);

bool vsphere_error_is_fault(const VSphereError *error, const char *fault);
