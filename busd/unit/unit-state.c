/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * States of units (see unit-state.h).
 */
#include "unit/unit-state.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static int read_text(sd_bus_message *m, char *text, size_t size)
{
        const char *value;
        int r = sd_bus_message_read(m, "v", "s", &value);

        if (r >= 0)
                (void) snprintf(text, size, "%s", value);
        return r;
}

static int read_id(sd_bus_message *m, char ret_id[static 33])
{
        const uint8_t *bytes;
        size_t n;
        int r = sd_bus_message_enter_container(m, 'v', "ay");

        if (r >= 0)
                r = sd_bus_message_read_array(m, 'y', (const void **) &bytes, &n);
        if (r < 0)
                return r;
        ret_id[0] = '\0';
        for (size_t i = 0; n == 16 && i < n; i++)
                (void) snprintf(ret_id + 2 * i, 3, "%02x", bytes[i]);
        return sd_bus_message_exit_container(m);
}

static int read_job(sd_bus_message *m, char *job, size_t size)
{
        const char *path;
        uint32_t id;
        int r = sd_bus_message_read(m, "v", "(uo)", &id, &path);

        if (r >= 0 && job)
                (void) snprintf(job, size, "%s", id > 0 ? path : "");
        return r;
}

static int read_loaded(sd_bus_message *m, bool *ret_exists)
{
        const char *value;
        int r = sd_bus_message_read(m, "v", "s", &value);

        if (r >= 0)
                *ret_exists = strcmp(value, "not-found") != 0;
        return r;
}

static int read_one(sd_bus_message *m, const char *name, UnitState *s, char *job, size_t job_size)
{
        if (strcmp(name, "LoadState") == 0)
                return read_loaded(m, &s->exists);
        if (strcmp(name, "ActiveState") == 0)
                return read_text(m, s->active, sizeof(s->active));
        if (strcmp(name, "SubState") == 0)
                return read_text(m, s->sub, sizeof(s->sub));
        if (strcmp(name, "Result") == 0)
                return read_text(m, s->result, sizeof(s->result));
        if (strcmp(name, "MainPID") == 0)
                return sd_bus_message_read(m, "v", "u", &s->main_pid);
        if (strcmp(name, "ExecMainStatus") == 0)
                return sd_bus_message_read(m, "v", "i", &s->exec_status);
        if (strcmp(name, "ExecMainCode") == 0)
                return sd_bus_message_read(m, "v", "i", &s->exec_code);
        if (strcmp(name, "NRestarts") == 0)
                return sd_bus_message_read(m, "v", "u", &s->n_restarts);
        if (strcmp(name, "InvocationID") == 0)
                return read_id(m, s->invocation_id);
        if (strcmp(name, "Job") == 0)
                return read_job(m, job, job_size);
        return sd_bus_message_skip(m, "v");
}

int unit_state_read(sd_bus_message *m, UnitState *state, char *job, size_t job_size)
{
        const char *name;
        int r = sd_bus_message_enter_container(m, 'a', "{sv}");

        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = sd_bus_message_read(m, "s", &name);
                if (r >= 0)
                        r = read_one(m, name, state, job, job_size);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

bool unit_state_equal(const UnitState *a, const UnitState *b)
{
        return a->exists == b->exists && a->main_pid == b->main_pid &&
               a->exec_status == b->exec_status && a->exec_code == b->exec_code &&
               a->n_restarts == b->n_restarts && strcmp(a->active, b->active) == 0 &&
               strcmp(a->sub, b->sub) == 0 && strcmp(a->result, b->result) == 0 &&
               strcmp(a->invocation_id, b->invocation_id) == 0;
}

int unit_state_to_errno(const UnitState *state)
{
        if (strcmp(state->result, "timeout") == 0)
                return -ETIMEDOUT;
        if (strcmp(state->result, "exit-code") != 0)
                return -EIO;
        if (state->exec_status == UNIT_EXIT_EXEC)
                return -ENOEXEC;
        return state->exec_status >= UNIT_EXIT_SYSTEMD_MIN &&
                                               state->exec_status <= UNIT_EXIT_SYSTEMD_MAX
                               ? -EIO
                               : -EREMOTEIO;
}

static const char *status_meaning(int status)
{
        switch (status) {
        case 200:
                return " (its folder cannot be entered)";
        case UNIT_EXIT_EXEC:
                return " (its program is missing or cannot be run)";
        case 208:
        case 209:
        case 222:
                return " (one of its files cannot be opened)";
        case 216:
        case 217:
                return " (its user or group is missing)";
        case UNIT_EXIT_NAMESPACE:
                return " (its sandbox cannot be set up: a path it names is missing)";
        default:
                return "";
        }
}

void unit_state_why(const UnitState *state, char ret_text[static UNIT_WHY_SIZE])
{
        const char *result = state->result[0] ? state->result : "unknown";

        if (!state->exists)
                (void) snprintf(ret_text, UNIT_WHY_SIZE, "it is gone");
        else if (state->exec_code == CLD_EXITED && state->exec_status != 0)
                (void) snprintf(ret_text, UNIT_WHY_SIZE, "result %s, status %i%s", result,
                                state->exec_status, status_meaning(state->exec_status));
        else if (state->exec_code == CLD_KILLED || state->exec_code == CLD_DUMPED)
                (void) snprintf(ret_text, UNIT_WHY_SIZE, "result %s, signal %s", result,
                                sigabbrev_np(state->exec_status) ?: "?");
        else
                (void) snprintf(ret_text, UNIT_WHY_SIZE, "result %s", result);
}
