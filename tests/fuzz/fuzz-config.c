/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The config reader under any file: it reads settings that keep their bounds, or it says in one line
 * what is wrong.
 */
#include "fuzz.h"

#include "cleanup.h"
#include "hub-config.h"
#include "utf8.h"

#include <errno.h>
#include <string.h>

static void check_settings(const HubConfig *config)
{
        MUST(config->log_level >= 0 && config->log_level <= 7);
        MUST(config->database_socket[0] == '/' && strlen(config->database_socket) <= 107);
        MUST(strlen(config->database_name) <= 64 && strlen(config->database_user) <= 32);
        MUST(config->export_ports.first > 0 &&
             config->export_ports.first <= config->export_ports.last &&
             config->export_ports.last - config->export_ports.first < 1000);
        MUST(config->api_port < config->export_ports.first ||
             config->api_port > config->export_ports.last);
        MUST(config->database_probe_usec >= 100000 && config->database_probe_usec <= 60000000);
        /* Only a setting whose default is nothing may be nothing. */
        for (size_t i = 0; i < hub_config_n_keys; i++)
                MUST(*config_value(&config->config, i) || !*hub_config_keys[i].fallback);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        CLEANUP(hub_config_done) HubConfig config = {};
        _cleanup_free_ char *error = NULL;
        int r;

        r = hub_config_load_text(&config, "fuzz", (const char *) data, size, &error);
        MUST(r == 0 || r == -EINVAL);
        MUST((r == 0) == (error == NULL));
        if (error) {
                MUST(!strchr(error, '\n') && !strchr(error, '\x1b') && utf8_is_valid(error));
                MUST(strncmp(error, "fuzz:", 5) == 0);
                MUST(strstr(error, "must"));
        } else
                check_settings(&config);
        return 0;
}
