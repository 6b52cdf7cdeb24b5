/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is looked at before the first byte is written: all sources and targets answer, each target is
 * the instance that the hub started, and all have the size of their disk. Two targets that were
 * swapped are found here.
 */
#pragma once

#include "failure.h"
#include "spec.h"

/* 0, or a negative errno with failure set. Every connection is closed again: servers may allow few. */
int preflight_check(const ImportSpec *spec, int signal_fd, Failure *failure);
