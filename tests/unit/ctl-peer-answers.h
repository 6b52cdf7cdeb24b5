/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The part of ctl-peer that answers from JSON: any method of the Manager, and the signals of jobs. Types
 * are those of the real hub unless the test wants others.
 */
#pragma once

#include <systemd/sd-bus.h>

/* Methods are answered from folder/METHOD.json, read at each call:
 *   {"signature": "aa{sv}", "value": …}, {"error": NAME, "text": …}, {"silent": true}
 * With "late": true beside a value, the answer is made but held back until it is released.
 * A value {"@u": 5} is a variant of that type, whatever its key. What was asked is in folder/METHOD.call,
 * its signature and what sd_bus_message_dump() writes, and "asked METHOD" is printed. */
int answers_register(sd_bus *bus, const char *folder);

/* One line of what the test wants to happen now, then "done" is printed:
 *   {"job": 7, "changed": {…}}, {"hub": {…}}: PropertiesChanged of a job, of the Manager
 *   {"job": 7, "strange": true}: the same signal with other arguments
 *   {"removed": 7, "result": "completed"}: JobRemoved
 *   {"gone": 7}: InterfacesRemoved of the job's object
 *   {"release": true}: the late answer */
int answers_do(sd_bus *bus, const char *line);
