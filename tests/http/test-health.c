/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * helpers/hub-api/health: the verdict about what was gathered, at its bounds, and the figures for Prometheus.
 */
#include "unit.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "health.h"
#include "json-cleanup.h"

#include <stdio.h>
#include <string.h>

#define NOW     UINT64_C(5000000000)
#define STARTED UINT64_C(3000000000)

static json_t *parse(const char *text)
{
        json_error_t error;
        json_t *value = json_loads(text, 0, &error);

        if (!value)
                fail_msg("%s: %s", text, error.text);
        return value;
}

/* "database:ok repository:failed …" */
static bool verdict(const char *gathered_text, char *ret_text, size_t size)
{
        CLEANUP(json_decref_p) json_t *gathered = parse(gathered_text), *body = NULL;
        const json_t *check;
        bool is_ok;
        size_t i;

        body = health_of(gathered, NOW, &is_ok);
        assert_non_null(body);
        assert_string_equal(json_string_value(json_object_get(body, "status")),
                            is_ok ? "ok" : "failed");
        *ret_text = '\0';
        json_array_foreach (json_object_get(body, "checks"), i, check)
                (void) snprintf(ret_text + strlen(ret_text), size - strlen(ret_text), "%s%s:%s",
                                i > 0 ? " " : "",
                                json_string_value(json_object_get(check, "check")),
                                json_string_value(json_object_get(check, "status")));
        return is_ok;
}

#define READY "\"status\": {\"database_state\": \"ready\", \"started_usec\": 7000000}"

static void verdicts(void **state)
{
        char text[256];

        (void) state;
        assert_true(verdict("{" READY ", \"repositories\": [], \"nodes\": [], \"figures\": {}}",
                            text, sizeof(text)));
        assert_string_equal(text, "database:ok obligations:ok");
        assert_false(verdict("{\"status\": {\"database_state\": \"unreachable\"}}", text,
                             sizeof(text)));
        assert_string_equal(text, "database:failed");
        assert_false(verdict("{}", text, sizeof(text)));
        assert_false(verdict("{" READY ", \"repositories\": [{\"name\": \"a\", \"state\": \"ok\"}, "
                             "{\"name\": \"b\", \"state\": \"failed\"}]}",
                             text, sizeof(text)));
        assert_string_equal(text, "database:ok repository:ok repository:failed");
        /* Not looked at yet is no failure, nor is a node that waits to be enrolled. */
        assert_true(verdict("{" READY ", \"repositories\": [{\"state\": \"unknown\"}], \"nodes\": "
                            "[{\"state\": \"waiting\", \"reachable\": false}, "
                            "{\"state\": \"enrolled\", \"reachable\": true}]}",
                            text, sizeof(text)));
        assert_false(verdict("{" READY ", \"nodes\": [{\"state\": \"enrolled\", \"reachable\": "
                             "false}]}",
                             text, sizeof(text)));
        assert_string_equal(text, "database:ok node:failed");
}

static void obligations(void **state)
{
        char text[256];

        (void) state;
        /* 10 minutes to the microsecond. */
        assert_true(verdict("{" READY ", \"figures\": {\"oldest_obligation_usec\": 4400000000}}",
                            text, sizeof(text)));
        assert_false(verdict("{" READY ", \"figures\": {\"oldest_obligation_usec\": 4399999999}}",
                             text, sizeof(text)));
        /* A clock that was set back. */
        assert_true(verdict("{" READY ", \"figures\": {\"oldest_obligation_usec\": 6000000000}}",
                            text, sizeof(text)));
}

static void last_backups(void **state)
{
        CLEANUP(json_decref_p)
        json_t *gathered = parse("{\"figures\": {\"vm_figures\": [{\"vm\": \"a\", \"context_id\": "
                                 "\"c\", \"last_backup\": \"b\", \"last_backup_usec\": 7}, "
                                 "{\"vm\": \"d\", \"context_id\": \"e\"}]}}");
        CLEANUP(json_decref_p)
        json_t *want = parse("[{\"vm\": \"a\", \"context_id\": \"c\", \"backup_id\": \"b\", "
                             "\"finished_usec\": 7}, {\"vm\": \"d\", \"context_id\": \"e\", "
                             "\"backup_id\": null, \"finished_usec\": null}]");
        CLEANUP(json_decref_p) json_t *body = NULL;
        bool is_ok;

        (void) state;
        body = health_of(gathered, NOW, &is_ok);
        assert_true(json_equal(json_object_get(body, "last_backups"), want));
}

static void has_line(const char *text, const char *line)
{
        const char *found = strstr(text, line);

        while (found && !((found == text || found[-1] == '\n') && found[strlen(line)] == '\n'))
                found = strstr(found + 1, line);
        if (!found)
                fail_msg("no line \"%s\" in:\n%s", line, text);
}

static void figures(void **state)
{
        CLEANUP(json_decref_p)
        json_t *gathered = parse(
                        "{" READY ", \"repositories\": [{\"name\": \"a\\\"b\\\\c\\nd\", \"state\": "
                        "\"failed\", \"free_bytes\": 5, \"size_bytes\": 6}], \"nodes\": "
                        "[{\"name\": \"n\", \"reachable\": true, \"tunnel\": {\"state\": "
                        "\"connected\", \"sessions\": 2, \"connections\": 3, \"opened\": 40, "
                        "\"reconnects\": 5, \"bytes_up\": 60, \"bytes_down\": 7, "
                        "\"started_usec\": 9000000}, \"node_started_usec\": 8000000}, {\"name\": "
                        "\"here\", \"reachable\": true, \"tunnel\": {}}], \"figures\": "
                        "{\"full_instead\": [{\"reason\": \"damaged\", \"count\": 9}], "
                        "\"job_counts\": "
                        "[{\"state\": \"failed\", \"error_name\": \"x.Y\", \"count\": 3}, "
                        "{\"state\": "
                        "\"failed\", \"error_name\": \"" BUS_ERROR_COPY_FAILED
                        "\", \"count\": 2}], "
                        "\"phase_figures\": [{\"state\": \"copying\", \"count\": 2, \"usec\": "
                        "1500000, \"bytes\": 4097}], \"leases_failed\": 6, "
                        "\"database_losses\": 11, "
                        "\"jobs_open\": 1, \"leases_used\": 2, \"leases_max\": 101, "
                        "\"obligations_owed\": 4, \"oldest_obligation_usec\": 4000000000, "
                        "\"stored_bytes\": 8, \"vm_figures\": [{\"vm\": \"v\", \"context_id\": "
                        "\"c\", \"last_backup_usec\": 1000000000, \"missing\": 0}, {\"vm\": "
                        "\"w\", \"context_id\": \"d\", \"missing\": 1}], "
                        "\"policy_figures\": [{\"policy\": \"p\", \"state\": \"failed\", "
                        "\"last_run_usec\": 1, \"last_success_usec\": 1000000000}, "
                        "{\"policy\": \"new\"}]}}");
        _cleanup_free_ char *text = metrics_of(gathered, STARTED, NOW);
        char line[160];

        (void) state;
        has_line(text, "sendense_database_ready 1");
        has_line(text, "sendense_hub_started_seconds 7");
        has_line(text, "sendense_api_started_seconds 3000");
        has_line(text, "sendense_node_started_seconds{node=\"n\"} 8");
        has_line(text, "sendense_tunnel_started_seconds{node=\"n\"} 9");
        assert_null(strstr(text, "started_seconds{node=\"here\""));
        has_line(text, "sendense_job_phase_bytes_total{phase=\"copying\"} 4097");
        has_line(text, "sendense_job_phase_seconds_total{phase=\"copying\"} 1.500000");
        has_line(text, "sendense_export_ports_failed_total 6");
        has_line(text, "sendense_database_losses_total 11");
        has_line(text, "sendense_repository_ok{repository=\"a\\\"b\\\\c\\nd\"} 0");
        has_line(text, "sendense_repository_free_bytes{repository=\"a\\\"b\\\\c\\nd\"} 5");
        has_line(text, "sendense_node_reachable{node=\"n\"} 1");
        has_line(text, "sendense_tunnel_sessions{node=\"n\"} 2");
        has_line(text, "sendense_tunnel_connections{node=\"n\"} 3");
        has_line(text, "sendense_tunnel_opened_total{node=\"n\"} 40");
        has_line(text, "sendense_tunnel_reconnects_total{node=\"n\"} 5");
        has_line(text, "sendense_tunnel_bytes_total{node=\"n\",direction=\"up\"} 60");
        has_line(text, "sendense_tunnel_bytes_total{node=\"n\",direction=\"down\"} 7");
        assert_null(strstr(text, "sessions{node=\"here\""));
        has_line(text, "sendense_full_instead_of_incremental_total{reason=\"damaged\"} 9");
        has_line(text, "sendense_jobs{state=\"failed\",reason=\"x.Y\"} 3");
        has_line(text, "sendense_export_ports_free 99");
        has_line(text, "sendense_obligation_oldest_seconds 1000");
        has_line(text, "sendense_vm_last_backup_age_seconds{vm=\"v\",context_id=\"c\"} 4000");
        has_line(text, "sendense_policy_last_run_ok{policy=\"p\"} 0");
        has_line(text, "sendense_policy_last_success_age_seconds{policy=\"p\"} 4000");
        assert_null(strstr(text, "age_seconds{vm=\"w\""));
        has_line(text, "sendense_vm_without_backup{vm=\"v\",context_id=\"c\"} 0");
        has_line(text, "sendense_vm_without_backup{vm=\"w\",context_id=\"d\"} 1");
        /* Every error has its line before the first job meets it, once. */
        for (unsigned i = 0; bus_error_name(i); i++) {
                (void) snprintf(line, sizeof(line),
                                "sendense_jobs{state=\"failed\",reason=\"%s\"} %d",
                                bus_error_name(i),
                                strcmp(bus_error_name(i), BUS_ERROR_COPY_FAILED) == 0 ? 2 : 0);
                has_line(text, line);
        }
        (void) snprintf(line, sizeof(line), "reason=\"%s\"}", BUS_ERROR_COPY_FAILED);
        assert_null(strstr(strstr(text, line) + 1, line));
        free(text);
        json_decref(gathered);
        gathered = json_object();
        text = metrics_of(gathered, STARTED, NOW);
        has_line(text, "sendense_database_ready 0");
        assert_null(strstr(text, "sendense_jobs"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(verdicts),
                cmocka_unit_test(obligations),
                cmocka_unit_test(last_backups),
                cmocka_unit_test(figures),
        };

        return RUN_TESTS(tests);
}
