/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether bytes are text, and how to make them so. For what comes from files and from other machines; D-Bus and JSON check
 * theirs already. Pure.
 */
#pragma once

#include <stdbool.h>

/* Valid UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */
bool utf8_is_valid(const char *text);

/* Puts a '?' in the place of every byte that is no text, also of a character cut off at the end. */
void utf8_make_valid(char *text);

/* Valid, and without what would begin a new line or steer a terminal, which is control characters and the like. */
bool utf8_is_line(const char *text);

/* As utf8_make_valid(), and what would begin a new line or steer a terminal is no text either: control characters become blanks,
 * so that a text of another machine is one harmless line. */
void utf8_make_line(char *text);
