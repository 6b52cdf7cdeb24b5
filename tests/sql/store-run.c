/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs functions of busd/hub/store for tests/sql/store-*.sh, each in a transaction as the hub's worker
 * does: reads lines "FUNCTION JSON" from stdin and prints one line of JSON for each, what the function
 * answered or {"error", "name", "text"}. "time N FUNCTION JSON" runs it N times and prints figures; after "hold FUNCTION JSON" the
 * transaction is open until the line "commit".
 */
#include "cleanup.h"
#include "clock.h"
#include "database.h"
#include "hub-config.h"
#include "parse.h"
#include "store-backup.h"
#include "store-catalog.h"
#include "store-delete.h"
#include "store-figures.h"
#include "store-job.h"
#include "store-lease.h"
#include "store-node-files.h"
#include "store-node.h"
#include "store-obligation.h"
#include "store-policy-run.h"
#include "store-policy.h"
#include "store-repository.h"
#include "store-request.h"
#include "store-vcenter.h"
#include "store-verify.h"
#include "store-vm.h"
#include "store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include <mysql.h>

enum {
        ROUNDS_MAX = 1000,
};

static const struct {
        const char *name;
        StoreWork work;
} functions[] = {
        { "repository_add", store_repository_add },
        { "repository_list", store_repository_list },
        { "repository_remove", store_repository_remove },
        { "repository_set_uuid", store_repository_set_uuid },
        { "vm_set", store_vm_set },
        { "vm_list", store_vm_list },
        { "vm_get", store_vm_get },
        { "job_create", store_job_create },
        { "job_work_create", store_job_work_create },
        { "job_advance", store_job_advance },
        { "job_decide", store_job_decide },
        { "job_retries", store_job_retries },
        { "job_load_open", store_job_load_open },
        { "job_list", store_job_list },
        { "job_get", store_job_get },
        { "backup_list", store_backup_list },
        { "backup_get", store_backup_get },
        { "figures", store_figures },
        { "verify_due", store_verify_due },
        { "chain_get", store_chain_get },
        { "lease_take", store_lease_take },
        { "lease_set_invocation", store_lease_set_invocation },
        { "lease_free", store_lease_free },
        { "lease_list", store_lease_list },
        { "obligation_list", store_obligation_list },
        { "obligation_count", store_obligation_count },
        { "obligation_hurry", store_obligation_hurry },
        { "obligation_done", store_obligation_done },
        { "obligation_failed", store_obligation_failed },
        { "node_add", store_node_add },
        { "node_rotate", store_node_rotate },
        { "node_remove", store_node_remove },
        { "node_list", store_node_list },
        { "node_get", store_node_get },
        { "node_enrol", store_node_enrol },
        { "node_files_write", store_node_files_write },
        { "policy_set", store_policy_set },
        { "policy_list", store_policy_list },
        { "policy_get", store_policy_get },
        { "policy_remove", store_policy_remove },
        { "policy_heard", store_policy_heard },
        { "policy_run_begin", store_policy_run_begin },
        { "policy_run_load", store_policy_run_load },
        { "policy_run_vm", store_policy_run_vm },
        { "policy_run_end", store_policy_run_end },
        { "policy_look", store_policy_look },
        { "vcenter_add", store_vcenter_add },
        { "vcenter_list", store_vcenter_list },
        { "vcenter_get", store_vcenter_get },
        { "vcenter_show", store_vcenter_show },
        { "vcenter_rotate", store_vcenter_rotate },
        { "vcenter_remove", store_vcenter_remove },
        { "vcenter_of_vm", store_vcenter_of_vm },
        { "vcenter_vms", store_vcenter_vms },
        { "catalog_adopt", store_catalog_adopt },
};

static StoreWork find_function(const char *name)
{
        for (size_t i = 0; i < ELEMENTSOF(functions); i++)
                if (strcmp(functions[i].name, name) == 0)
                        return functions[i].work;
        return NULL;
}

static int begin(MYSQL *mysql, StoreWork work, StoreRequest *request)
{
        int r = mysql_query(mysql, "START TRANSACTION") == 0 ? 0 : database_errno(mysql);

        return r < 0 ? r : work(mysql, request);
}

static int end(MYSQL *mysql, int result)
{
        if (mysql_query(mysql, result < 0 ? "ROLLBACK" : "COMMIT") != 0 && result >= 0)
                return database_errno(mysql);
        return result;
}

static int run(MYSQL *mysql, StoreWork work, StoreRequest *request)
{
        int r = -EAGAIN;

        for (unsigned i = 0; r == -EAGAIN && i < STORE_ATTEMPTS_MAX; i++)
                r = end(mysql, begin(mysql, work, request));
        return r;
}

static void print_end(int error, const StoreRequest *request)
{
        json_t *line = error >= 0 ? json_incref(request->out)
                                  : json_pack("{s:s, s:s, s:s}", "error", strerrorname_np(-error),
                                              "name", request->error_name, "text",
                                              request->error_text);

        (void) json_dumpf(line, stdout, JSON_COMPACT | JSON_SORT_KEYS);
        (void) putchar('\n');
        json_decref(line);
}

static int compare_usec(const void *a, const void *b)
{
        const uint64_t *x = a, *y = b;

        return *x < *y ? -1 : *x > *y;
}

static void measure(MYSQL *mysql, StoreWork work, const json_t *in, unsigned n)
{
        uint64_t took[ROUNDS_MAX];
        size_t middle, last;

        for (unsigned i = 0; i < n; i++) {
                StoreRequest request = { .in = (json_t *) in };
                uint64_t start = clock_monotonic_usec();
                int r = run(mysql, work, &request);

                took[i] = clock_monotonic_usec() - start;
                if (r < 0)
                        print_end(r, &request);
                json_decref(request.out);
        }
        qsort(took, n, sizeof(took[0]), compare_usec);
        middle = n / 2;
        last = n * 99 / 100;
        (void) printf("p50 %.1f ms, p99 %.1f ms\n", (double) took[middle] / 1000,
                      (double) took[last] / 1000);
}

/* Cuts the first word off; NULL when nothing follows it. */
static char *cut_word(char *line)
{
        char *blank = strchr(line, ' ');

        if (blank)
                *blank++ = '\0';
        return blank;
}

static int commit_held(MYSQL *mysql)
{
        int r = end(mysql, 0);

        (void) puts(r < 0 ? strerrorname_np(-r) : "committed");
        return r;
}

static int obey(MYSQL *mysql, char *line)
{
        char *json = cut_word(line);
        bool is_held = strcmp(line, "hold") == 0;
        CLEANUP(json_decrefp) json_t *in = NULL;
        StoreRequest request = {};
        uint64_t n = 0;
        StoreWork work;

        if (strcmp(line, "commit") == 0)
                return commit_held(mysql);
        if (is_held && json) {
                line = json;
                json = cut_word(line);
        }
        if (strcmp(line, "time") == 0 && json) {
                const char *count = json;

                line = cut_word(json);
                if (!line || parse_uint64(count, 1, ROUNDS_MAX, &n) < 0)
                        return -EINVAL;
                json = cut_word(line);
        }
        work = find_function(line);
        in = json ? json_loads(json, 0, NULL) : json_object();
        if (!work || !in)
                return -EINVAL;
        if (n > 0) {
                measure(mysql, work, in, (unsigned) n);
                return 0;
        }
        request.in = in;
        print_end((is_held ? begin : run)(mysql, work, &request), &request);
        json_decref(request.out);
        return 0;
}

int main(int argc, char *argv[])
{
        CLEANUP(hub_config_done) HubConfig config = {};
        _cleanup_free_ char *error = NULL, *line = NULL;
        char why[STORE_ERROR_SIZE] = "";
        MYSQL *mysql = NULL;
        size_t size = 0;
        ssize_t n;
        int r = 0;

        (void) setvbuf(stdout, NULL, _IOLBF, 0);
        if (argc != 2 || hub_config_load(&config, argv[1], &error) < 0) {
                (void) fprintf(stderr, "store-run: %s\n", error ?: "usage: store-run CONFIG");
                return 2;
        }
        r = database_connect(&config, config.database_user, config.database_name, &mysql, why,
                             sizeof(why));
        while (r >= 0 && (n = getline(&line, &size, stdin)) > 0) {
                line[strcspn(line, "\n")] = '\0';
                r = obey(mysql, line);
        }
        if (r < 0)
                (void) fprintf(stderr, "store-run: %s\n", *why ? why : line);
        (void) database_close(mysql);
        mysql_library_end();
        return r < 0 || fflush(stdout) != 0 ? 1 : 0;
}
