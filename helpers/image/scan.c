/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * scan: lists the backups of a repository from their records, each with what is wrong with it, and the files
 * that belong to none. One JSON object a line and backup, so that no number of them is too many; reads no
 * image but its header. The catalog is rebuilt from these lines.
 */
#include "cleanup.h"
#include "json-cleanup.h"
#include "manifest.h"
#include "repository.h"
#include "scan-layer.h"
#include "small-file.h"
#include "spec.h"
#include "utf8.h"
#include "verbs.h"
#include "vm-records.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

enum {
        STRAYS_MAX = 200, /* named in the result; the rest is counted */
};

static const JsonField fields[] = {
        SPEC_PATH("repository"),
        SPEC_UUID("repository_uuid", true),
        { .key = "step_usec", .kind = JSON_FIELD_NUMBER, .optional = true, .max = INT64_MAX },
};

typedef struct Scan {
        Repository repository;
        uint64_t step_usec; /* until the next backup is read; 0: as long as it takes */
        json_t *strays;
        json_int_t n_strays, n_backups, n_problems;
} Scan;

static void scan_done(Scan *scan)
{
        repository_done(&scan->repository);
        json_decref(scan->strays);
}

static int add_stray(Scan *scan, const char *vm, const char *folder, const char *name)
{
        json_t *path = *folder ? json_sprintf("%s/%s/%s", vm, folder, name)
                       : *vm   ? json_sprintf("%s/%s", vm, name)
                               : json_sprintf("%s", name);

        /* A name that is no text cannot stand in JSON. */
        if (!path)
                path = json_sprintf("%s%s%s", *vm ? vm : "(a name that is no UTF-8)",
                                    *vm ? "/" : "", *vm ? "(a name that is no UTF-8)" : "");
        scan->n_strays++;
        if (scan->n_strays <= STRAYS_MAX)
                return json_array_append_new(scan->strays, path) < 0 ? -ENOMEM : 0;
        json_decref(path);
        return 0;
}

static bool is_dots(const struct dirent *entry)
{
        return strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
}

static int list(const Repository *repository, int folder, const char *name, struct dirent ***ret,
                Failure *failure)
{
        int n = scandirat(folder, ".", ret, NULL, alphasort);

        return n < 0 ? failure_errno(failure, -errno, "Cannot list the folder %s in %s", name,
                                     repository->path)
                     : n;
}

static void free_list(struct dirent **entries, int n)
{
        for (int i = 0; i < n; i++)
                free(entries[i]);
        free(entries);
}

/* A repository of any size is scanned to its end, but one that does not answer is not waited for: systemd ends the unit unless it
 * says that it has come further. */
static void ask_for_time(const Scan *scan)
{
        if (scan->step_usec > 0)
                (void) sd_notifyf(false, "EXTEND_TIMEOUT_USEC=%" PRIu64, scan->step_usec);
}

static int print_line(const json_t *line)
{
        return json_dumpf(line, stdout, JSON_COMPACT | JSON_SORT_KEYS) < 0 || putchar('\n') == EOF
                               ? -EIO
                               : 0;
}

static bool name_is_deleting(const char *name)
{
        const char *suffix = strrchr(name, '.');

        return suffix && strcmp(suffix, REPOSITORY_DELETING_SUFFIX) == 0 && utf8_is_valid(name);
}

/* A record that says that its backup is being deleted: a line with that, and no backup. What builds on it does so by its record until
 * the deletion is at its end, so the line has the record all the same, where that of the backup would be. */
static int scan_mark(Scan *scan, const char *vm_name, int backups, const char *name,
                     Failure *failure)
{
        CLEANUP(json_decref_p)
        json_t *line = json_pack("{s:o, s:[]}", "file",
                                 json_sprintf("%s/" REPOSITORY_BACKUPS "/%s", vm_name, name),
                                 "problems");
        json_t *problems = json_object_get(line, "problems"), *record;
        char error[JSON_FIELDS_ERROR_SIZE];
        _cleanup_free_ char *text = NULL;
        LayerNames names;
        size_t size;
        int r;

        if (!line)
                return failure_errno(failure, -ENOMEM, "Cannot list %s", name);
        r = small_file_read_at(backups, name, MANIFEST_SIZE_MAX, &text, &size);
        if (r < 0)
                scan_problem(problems, "it cannot be read: %s", strerror(-r));
        else if (manifest_parse(MANIFEST_RECORD, text, size, &record, error) < 0)
                scan_problem(problems, "%s", error);
        else {
                const char *id = json_field_text(record, "backup_id");

                scan_problem(problems,
                             "the deletion of %s was begun and is not at its end; sendensectl "
                             "backup delete %s ends it",
                             id, id);
                layer_names(id, &names);
                if (strcmp(names.deleting, name) != 0)
                        scan_problem(problems, "its name is not that of %s", id);
                (void) json_object_del(json_object_get(record, "hardware"), "nvram");
                (void) json_object_set_new(line, "deleting", record);
        }
        scan->n_problems += (json_int_t) json_array_size(problems);
        r = print_line(line);
        ask_for_time(scan);
        return r < 0 ? failure_errno(failure, r, "Cannot write the list") : 0;
}

/* What the images of a record take up is no part of it: it is asked of the file system. */
static void tell_stored(int vm, json_t *record)
{
        json_t *disks = json_object_get(record, "disks"), *disk;
        LayerNames names;
        size_t i;

        layer_names(json_field_text(record, "backup_id"), &names);
        json_array_foreach (disks, i, disk) {
                char path[sizeof(names.image) + 24];
                struct stat st;

                (void) snprintf(path, sizeof(path), "%" PRIu64 "/%s",
                                json_field_number(disk, "disk_key"), names.image);
                if (fstatat(vm, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
                        (void) json_object_set_new(disk, "stored_bytes",
                                                   json_integer(layer_stored_bytes(&st)));
        }
}

/* One record: the line of a backup. Adds the files of its disks to known. */
static int scan_record(Scan *scan, int vm, const char *vm_name, int backups, const char *name,
                       const json_t *deleting, json_t *known, Failure *failure)
{
        json_t *line = json_pack("{s:o, s:[]}", "file",
                                 json_sprintf("%s/" REPOSITORY_BACKUPS "/%s", vm_name, name),
                                 "problems");
        json_t *problems = json_object_get(line, "problems"), *record = NULL;
        char error[JSON_FIELDS_ERROR_SIZE];
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r;

        if (!line)
                return failure_errno(failure, -ENOMEM, "Cannot list %s", name);
        r = small_file_read_at(backups, name, MANIFEST_SIZE_MAX, &text, &size);
        if (r < 0)
                scan_problem(problems, "the record cannot be read: %s", strerror(-r));
        else if (manifest_parse(MANIFEST_RECORD, text, size, &record, error) < 0)
                scan_problem(problems, "%s", error);
        else {
                scan_backup(vm, vm_name, name, record, deleting, problems, known);
                tell_stored(vm, record);
                /* No list of many backups has a use for it. */
                (void) json_object_del(json_object_get(record, "hardware"), "nvram");
                (void) json_object_set_new(line, "record", record);
        }
        scan->n_backups += record != NULL;
        scan->n_problems += (json_int_t) json_array_size(problems);
        r = print_line(line);
        ask_for_time(scan);
        json_decref(line);
        return r < 0 ? failure_errno(failure, r, "Cannot write the list") : 0;
}

static int scan_name(Scan *scan, int vm, const char *vm_name, int backups, const char *name,
                     const json_t *deleting, json_t *known, Failure *failure)
{
        const char *suffix = strrchr(name, '.');

        if (name_is_deleting(name))
                return scan_mark(scan, vm_name, backups, name, failure);
        if (suffix && strcmp(suffix, ".json") == 0 && utf8_is_valid(name))
                return scan_record(scan, vm, vm_name, backups, name, deleting, known, failure);
        return add_stray(scan, vm_name, REPOSITORY_BACKUPS, name);
}

static int scan_backups(Scan *scan, int vm, const char *vm_name, json_t *known, Failure *failure)
{
        CLEANUP(json_decref_p) json_t *deleting = NULL;
        _cleanup_close_ int backups = -1;
        struct dirent **entries;
        const char *id;
        json_t *record;
        int r, n;

        r = repository_open_folder(&scan->repository, vm, REPOSITORY_BACKUPS, &backups, failure);
        if (r != 0)
                return r < 0 ? r : 0;
        /* A backup is judged by what is being deleted below it. */
        deleting = deleting_read(backups);
        if (!deleting)
                return failure_errno(failure, -ENOMEM, "Cannot list %s", vm_name);
        json_object_foreach (deleting, id, record)
                scan_deleting(record, known);
        n = list(&scan->repository, backups, vm_name, &entries, failure);
        if (n < 0)
                return n;
        for (int i = 0; i < n && r >= 0; i++)
                if (!is_dots(entries[i]))
                        r = scan_name(scan, vm, vm_name, backups, entries[i]->d_name, deleting,
                                      known, failure);
        free_list(entries, n);
        return r;
}

/* A folder of a disk: what no record has named is a stray. */
static int scan_disk(Scan *scan, int vm, const char *vm_name, const char *disk, const json_t *known,
                     Failure *failure)
{
        _cleanup_close_ int folder =
                        openat(vm, disk, O_DIRECTORY | O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        char path[2 * NAME_MAX + 3];
        struct dirent **entries;
        int r = 0, n;

        if (folder < 0 && (errno == ENOTDIR || errno == ELOOP))
                return add_stray(scan, vm_name, "", disk);
        if (folder < 0)
                return failure_errno(failure, -errno, "Cannot open %s/%s in %s", vm_name, disk,
                                     scan->repository.path);
        n = list(&scan->repository, folder, disk, &entries, failure);
        if (n < 0)
                return n;
        for (int i = 0; i < n && r >= 0; i++) {
                if (is_dots(entries[i]))
                        continue;
                (void) snprintf(path, sizeof(path), "%s/%s", disk, entries[i]->d_name);
                if (!json_object_get(known, path))
                        r = add_stray(scan, vm_name, disk, entries[i]->d_name);
        }
        free_list(entries, n);
        return r;
}

static int scan_vm(Scan *scan, const char *vm_name, Failure *failure)
{
        _cleanup_close_ int vm = -1;
        struct dirent **entries;
        json_t *known;
        int r, n;

        r = repository_open_folder(&scan->repository, scan->repository.folder, vm_name, &vm,
                                   failure);
        if (r != 0)
                return r < 0 ? r : 0;
        known = json_object();
        r = scan_backups(scan, vm, vm_name, known, failure);
        n = r < 0 ? r : list(&scan->repository, vm, vm_name, &entries, failure);
        for (int i = 0; i < n && r >= 0; i++)
                if (!is_dots(entries[i]) && strcmp(entries[i]->d_name, REPOSITORY_BACKUPS) != 0)
                        r = scan_disk(scan, vm, vm_name, entries[i]->d_name, known, failure);
        if (n >= 0)
                free_list(entries, n);
        json_decref(known);
        return n < 0 ? n : r;
}

static int scan_all(Scan *scan, Failure *failure)
{
        struct dirent **entries;
        int r = 0, n;

        n = list(&scan->repository, scan->repository.folder, ".", &entries, failure);
        if (n < 0)
                return n;
        for (int i = 0; i < n && r >= 0; i++) {
                const char *name = entries[i]->d_name;

                if (is_dots(entries[i]) || strcmp(name, MANIFEST_MARKER_NAME) == 0 ||
                    strcmp(name, "lost+found") == 0)
                        continue;
                if (manifest_uuid_is_valid(name))
                        r = scan_vm(scan, name, failure);
                else
                        r = add_stray(scan, "", "", name);
        }
        free_list(entries, n);
        return r == -ENOMEM ? failure_errno(failure, r, "Cannot list %s", scan->repository.path)
                            : r;
}

int verb_scan(const json_t *spec, json_t **ret_result, Failure *failure)
{
        CLEANUP(scan_done) Scan scan = { .repository.folder = -1, .strays = json_array() };
        int r;

        r = spec_check(spec, fields, ELEMENTSOF(fields), failure);
        scan.step_usec = r >= 0 ? json_field_number(spec, "step_usec") : 0;
        if (r >= 0)
                r = repository_open(&scan.repository, json_field_text(spec, "repository"),
                                    json_field_text(spec, "repository_uuid"), REPOSITORY_READ,
                                    failure);
        if (r >= 0)
                r = scan_all(&scan, failure);
        if (r < 0)
                return r;
        *ret_result = json_pack("{s:I, s:I, s:I, s:O}", "backups", scan.n_backups, "problems",
                                scan.n_problems, "n_strays", scan.n_strays, "strays", scan.strays);
        return 0;
}
