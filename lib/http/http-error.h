/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which status of HTTP stands for an error of the bus: one table for all HTTP APIs. Pure.
 */
#pragma once

/* 500 for what has none of its own. */
unsigned http_error_status(const char *bus_error);

/* What an error that came from there is called. What the bus itself says of a daemon that it cannot start (masked, not to be loaded, slow)
 * has many names, and is no failure of the daemon's. */
const char *http_error_name(const char *sender, const char *bus_error);
