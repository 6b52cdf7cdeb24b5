/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which status of HTTP stands for an error of the bus: one table for all HTTP APIs. Pure.
 */
#pragma once

/* 500 for what has none of its own. */
unsigned http_error_status(const char *bus_error);
