/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Health of layers (see store-verify.h). The chain is taken from the rows, and what was found of a layer from the result. A layer that
 * the result does not name was not read; only one that was too long, and says so, leaves out layers that are fine.
 */
#include "store/store-verify.h"

#include "cleanup.h"
#include "store/statement.h"
#include "store/store-request.h"
#include "store/store-vm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
        CHAIN_MAX = 4096, /* layers of a disk that a verification looks at */
        DAMAGE_TEXT_MAX = 1500, /* bytes; the column holds as many characters and more */
};

/* The layers of a disk from that of the target down: {Id, BackupId}. */
static int read_chain(MYSQL *database, uint64_t target, uint64_t disk_key, json_t **ret_rows)
{
        return statement_rows(
                        database,
                        "WITH RECURSIVE chain (id, parent_id, job_id, n) AS ("
                        " SELECT id, parent_id, job_id, 1 FROM backup_disks"
                        "  WHERE job_id = ? AND disk_key = ?"
                        " UNION ALL SELECT p.id, p.parent_id, p.job_id, c.n + 1 FROM backup_disks p"
                        "  JOIN chain c ON p.id = c.parent_id WHERE c.n < ?)"
                        " SELECT c.id AS Id, j.backup_id AS BackupId FROM chain c"
                        " JOIN backup_jobs j ON j.id = c.job_id ORDER BY c.n",
                        SQL_VALUES(SQL_NUMBER(target), SQL_NUMBER(disk_key), SQL_NUMBER(CHAIN_MAX)),
                        ret_rows);
}

static const json_t *find_layer(const json_t *disk, const char *backup_id)
{
        const json_t *layer;
        size_t i;

        json_array_foreach (json_object_get(disk, "layers"), i, layer)
                if (strcmp(object_text(layer, "backup_id") ?: "", backup_id) == 0)
                        return layer;
        return NULL;
}

/* In one line; a character that is cut off at the end is left out by the caller. */
static void join_problems(const json_t *layer, char ret_text[static DAMAGE_TEXT_MAX + 1])
{
        const json_t *problems = json_object_get(layer, "problems");
        size_t n = 0;

        ret_text[0] = '\0';
        for (size_t i = 0; i < json_array_size(problems) && n < DAMAGE_TEXT_MAX; i++) {
                int written = snprintf(ret_text + n, DAMAGE_TEXT_MAX + 1 - n, "%s%s",
                                       i > 0 ? "; " : "",
                                       json_string_value(json_array_get(problems, i)) ?: "");

                n += written > 0 ? (size_t) written : 0;
        }
        if (*ret_text == '\0')
                (void) snprintf(ret_text, DAMAGE_TEXT_MAX + 1, "it is not what was backed up");
        /* Not in the middle of a character. */
        for (n = strlen(ret_text); n == DAMAGE_TEXT_MAX && (ret_text[n - 1] & 0x80);
             n = strlen(ret_text))
                ret_text[n - 1] = '\0';
}

static int set_damaged(MYSQL *database, uint64_t id, const json_t *layer, uint64_t now_usec)
{
        char text[DAMAGE_TEXT_MAX + 1];

        join_problems(layer, text);
        return statement_run(database,
                             "UPDATE backup_disks SET damaged_usec = COALESCE(damaged_usec, ?),"
                             " damage_text = ? WHERE id = ?",
                             SQL_VALUES(SQL_NUMBER(now_usec), sql_text(text), SQL_NUMBER(id)), NULL,
                             NULL);
}

static int set_verified(MYSQL *database, const json_t *ids, uint64_t now_usec)
{
        _cleanup_free_ char *text = json_dumps(ids, JSON_COMPACT);

        if (!text)
                return -ENOMEM;
        return statement_run(
                        database,
                        "UPDATE JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) f"
                        " JOIN backup_disks b ON b.id = f.id"
                        " SET b.verified_usec = ?, b.damaged_usec = NULL, b.damage_text = NULL",
                        SQL_VALUES(sql_text(text), SQL_NUMBER(now_usec)), NULL, NULL);
}

/* Of how many rows, from the topmost down, it may be that the result has left them out because they are fine: none, unless what was read
 * is as long a chain as that of the rows and ends where that does. The rows of another chain have layers that nobody has read. */
static size_t count_left_out(const json_t *disk, const json_t *chain)
{
        const char *lowest = object_text(disk, "lowest"), *row;
        size_t n = object_number(disk, "n_layers");

        row = n > 0 ? object_text(json_array_get(chain, n - 1), "BackupId") : NULL;
        return lowest && row && strcmp(lowest, row) == 0 ? n : 0;
}

static int write_disk(MYSQL *database, uint64_t target, const json_t *disk, uint64_t now_usec)
{
        CLEANUP(json_decrefp) json_t *chain = NULL, *fine = json_array();
        size_t i, n_left_out;
        const json_t *row;
        int r;

        r = fine ? read_chain(database, target, object_number(disk, "disk_key"), &chain) : -ENOMEM;
        n_left_out = count_left_out(disk, chain);
        json_array_foreach (chain, i, row) {
                const json_t *layer = find_layer(disk, object_text(row, "BackupId") ?: "");
                const char *verdict = layer            ? object_text(layer, "verdict") ?: ""
                                      : i < n_left_out ? "ok"
                                                       : "unread";

                if (r >= 0 && strcmp(verdict, "damaged") == 0)
                        r = set_damaged(database, object_number(row, "Id"), layer, now_usec);
                else if (r >= 0 && strcmp(verdict, "ok") == 0 &&
                         json_array_append(fine, json_object_get(row, "Id")) < 0)
                        r = -ENOMEM;
        }
        return r < 0 || json_array_size(fine) == 0 ? r : set_verified(database, fine, now_usec);
}

int job_verify_rows(MYSQL *database, const json_t *in)
{
        const json_t *disks = json_object_get(json_object_get(in, "WorkResult"), "disks"), *disk;
        CLEANUP(json_decrefp) json_t *row = NULL;
        size_t i;
        int r;

        r = statement_row(database, "SELECT target_job_id AS Target FROM backup_jobs WHERE id = ?",
                          SQL_VALUES(SQL_NUMBER(object_number(in, "Id"))), &row);
        json_array_foreach (disks, i, disk)
                if (r >= 0)
                        r = write_disk(database, object_number(row, "Target"), disk,
                                       object_number(in, "NowUSec"));
        return r;
}

int store_verify_due(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        const char *vm = object_text(request->in, "Vm");
        const char *repository = object_text(request->in, "Repository");
        CLEANUP(json_decrefp) json_t *found = NULL;
        uint64_t vm_id = 0;
        json_t *rows;
        int r = 0;

        if (vm) {
                r = vm_find(database, request, vm, &found);
                vm_id = r >= 0 ? object_number(found, "Id") : 0;
        }
        if (r < 0)
                return r;
        r = statement_rows(
                        database,
                        "WITH RECURSIVE live AS ("
                        " SELECT b.id, b.parent_id, b.job_id, b.verified_usec, b.damaged_usec"
                        "  FROM backup_disks b"
                        "  JOIN backup_jobs j ON j.id = b.job_id"
                        "  WHERE b.state = 'completed' AND j.job_type = 'backup'"
                        "  AND j.state = 'completed' AND j.deleted_usec IS NULL"
                        "  AND (? = 0 OR b.vm_context_id = ?)"
                        "  AND (? IS NULL OR b.repository_id IN (SELECT id FROM backup_repositories"
                        "   WHERE name = ? OR CAST(id AS CHAR) = ?))),"
                        " due (id) AS ("
                        " SELECT id FROM live WHERE COALESCE(verified_usec, 0) < ?"
                        "  OR damaged_usec IS NOT NULL"
                        " UNION SELECT l.id FROM live l JOIN due ON l.parent_id = due.id)"
                        " SELECT DISTINCT j.id AS Id, j.backup_id AS BackupId FROM due"
                        " JOIN live l ON l.id = due.id JOIN backup_jobs j ON j.id = l.job_id"
                        " WHERE NOT EXISTS (SELECT 1 FROM live c WHERE c.parent_id = l.id)"
                        " AND NOT EXISTS (SELECT 1 FROM backup_jobs v WHERE v.target_job_id = j.id"
                        "  AND v.job_type = 'verify'"
                        "  AND v.state NOT IN ('completed', 'failed', 'cancelled'))"
                        " ORDER BY j.id LIMIT ?",
                        SQL_VALUES(SQL_NUMBER(vm_id), SQL_NUMBER(vm_id), sql_text(repository),
                                   sql_text(repository), sql_text(repository),
                                   SQL_NUMBER(object_number(request->in, "BeforeUSec")),
                                   SQL_NUMBER(store_limit(request))),
                        &rows);
        return r < 0 ? r : store_answer(request, json_pack("{s:o}", "Backups", rows));
}

/* Of jobs, those given as a list of ids: whether a layer is damaged, or builds on one that is. Only what belongs to their VMs is
 * looked at, and not the whole table, which is what another order of that join would read. */
static int read_health(MYSQL *database, const char *ids, json_t **ret_rows)
{
        return statement_rows(database,
                              "WITH RECURSIVE page AS ("
                              " SELECT j.id, j.vm_context_id FROM JSON_TABLE(?, '$[*]'"
                              "  COLUMNS (id BIGINT UNSIGNED PATH '$')) t"
                              "  JOIN backup_jobs j ON j.id = t.id),"
                              " damaged (id) AS ("
                              " SELECT b.id FROM (SELECT DISTINCT vm_context_id FROM page) v"
                              "  JOIN backup_disks b ON b.vm_context_id = v.vm_context_id"
                              "  WHERE b.damaged_usec IS NOT NULL"
                              " UNION SELECT b.id FROM damaged d"
                              "  STRAIGHT_JOIN backup_disks b ON b.parent_id = d.id)"
                              " SELECT b.job_id AS Job, COUNT(d.id) AS Damaged,"
                              " IF(COUNT(*) = COUNT(b.verified_usec), MIN(b.verified_usec), NULL)"
                              "  AS VerifiedUSec"
                              " FROM page p JOIN backup_disks b ON b.job_id = p.id"
                              " LEFT JOIN damaged d ON d.id = b.id"
                              " WHERE b.state = 'completed' GROUP BY b.job_id",
                              SQL_VALUES(sql_text(ids)), ret_rows);
}

static void job_key(const json_t *row, char ret_key[static 24])
{
        (void) snprintf(ret_key, 24, "%" JSON_INTEGER_FORMAT,
                        json_integer_value(json_object_get(row, "Job")));
}

static int add_health(json_t *row, const json_t *known)
{
        json_t *verified = json_object_get(known, "VerifiedUSec");

        if (json_object_set_new(row, "Damaged", json_boolean(object_number(known, "Damaged") > 0)) <
                            0 ||
            (verified && json_object_set(row, "VerifiedUSec", verified) < 0))
                return -ENOMEM;
        return 0;
}

int backups_add_health(MYSQL *database, json_t *rows)
{
        CLEANUP(json_decrefp) json_t *ids = json_array(), *health = NULL, *by_job = json_object();
        _cleanup_free_ char *text = NULL;
        char key[24];
        json_t *row;
        size_t i;
        int r = 0;

        json_array_foreach (rows, i, row)
                if (json_array_append(ids, json_object_get(row, "Job")) < 0)
                        return -ENOMEM;
        text = json_dumps(ids, JSON_COMPACT);
        r = text ? read_health(database, text, &health) : -ENOMEM;
        json_array_foreach (health, i, row) {
                job_key(row, key);
                if (r >= 0 && json_object_set(by_job, key, row) < 0)
                        r = -ENOMEM;
        }
        json_array_foreach (rows, i, row) {
                job_key(row, key);
                if (r >= 0)
                        r = add_health(row, json_object_get(by_job, key));
        }
        return r;
}

int backup_add_damage(MYSQL *database, uint64_t job_id, json_t *backup)
{
        CLEANUP(json_decrefp) json_t *rows = NULL;
        json_t *texts, *row;
        size_t i;
        int r;

        r = statement_rows(database,
                           "WITH RECURSIVE chain (id, parent_id) AS ("
                           " SELECT id, parent_id FROM backup_disks WHERE job_id = ?"
                           " UNION SELECT p.id, p.parent_id FROM backup_disks p"
                           "  JOIN chain c ON p.id = c.parent_id)"
                           " SELECT b.damage_text AS Text FROM chain c"
                           " JOIN backup_disks b ON b.id = c.id"
                           " WHERE b.damage_text IS NOT NULL ORDER BY b.disk_key, b.id LIMIT ?",
                           SQL_VALUES(SQL_NUMBER(job_id), SQL_NUMBER(STORE_LIST_DEFAULT)), &rows);
        if (r < 0)
                return r;
        texts = json_array();
        json_array_foreach (rows, i, row)
                if (json_array_append(texts, json_object_get(row, "Text")) < 0)
                        r = -ENOMEM;
        if (json_object_set_new(backup, "Problems", texts) < 0 || r < 0)
                return -ENOMEM;
        return json_object_set_new(backup, "Damaged", json_boolean(json_array_size(rows) > 0)) < 0
                               ? -ENOMEM
                               : 0;
}
