/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Making and reading names (see names.h). Reading a unit name takes it apart and makes it again: what
 * does not come out as it went in was not ours.
 */
#include "names.h"

#include "cleanup.h"
#include "parse.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#define DIGITS "0123456789"
#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

#define YEAR_10000_SEC INT64_C(253402300800)

static const struct UnitPattern {
        const char *prefix, *suffix;
        bool has_disk_key, has_step;
} unit_kinds[UNIT_KIND_MAX] = {
        [UNIT_EXPORT_SOCKET] = { "sendense-export-", ".socket", true, false },
        [UNIT_EXPORT_SERVICE] = { "sendense-export-", ".service", true, false },
        [UNIT_MOUNT_SOCKET] = { "sendense-mount-", ".socket", true, false },
        [UNIT_MOUNT_SERVICE] = { "sendense-mount-", ".service", true, false },
        [UNIT_IMPORT_SERVICE] = { "sendense-import-", ".service", false, false },
        [UNIT_COPY_SERVICE] = { "sendense-copy-", ".service", false, false },
        [UNIT_IMAGE_SERVICE] = { "sendense-image-", ".service", false, true },
        [UNIT_REPOSITORY_SERVICE] = { "sendense-repository-", ".service", false, true },
        [UNIT_VERIFY_SERVICE] = { "sendense-verify-", ".service", false, false },
        [UNIT_RESTORE_SERVICE] = { "sendense-restore-", ".service", false, false },
        [UNIT_DELETE_SERVICE] = { "sendense-delete-", ".service", false, false },
        [UNIT_FILES_SERVICE] = { "sendense-files-", ".service", false, false },
        [UNIT_VSPHERE_SERVICE] = { "sendense-vsphere-", ".service", false, true },
        [UNIT_JOB_TARGET] = { "sendense-job@", ".target", false, false },
        [UNIT_JOB_SLICE] = { "sendense-jobs-", ".slice", false, false },
        [UNIT_TASK_TARGET] = { "sendense-task@", ".target", false, false },
        [UNIT_TASK_SLICE] = { "sendense-tasks-", ".slice", false, false },
};

bool unit_kind_tells_progress(UnitKind kind)
{
        return kind == UNIT_IMPORT_SERVICE || kind == UNIT_COPY_SERVICE ||
               kind == UNIT_VERIFY_SERVICE || kind == UNIT_RESTORE_SERVICE ||
               kind == UNIT_DELETE_SERVICE || kind == UNIT_FILES_SERVICE ||
               kind == UNIT_VSPHERE_SERVICE;
}

UnitSide unit_kind_side(UnitKind kind)
{
        bool is_node = kind == UNIT_COPY_SERVICE || kind == UNIT_VSPHERE_SERVICE ||
                       kind == UNIT_TASK_TARGET || kind == UNIT_TASK_SLICE;

        return is_node ? UNITS_OF_NODE : UNITS_OF_HUB;
}

UnitKind unit_kind_service(UnitKind kind)
{
        if (kind == UNIT_EXPORT_SOCKET)
                return UNIT_EXPORT_SERVICE;
        return kind == UNIT_MOUNT_SOCKET ? UNIT_MOUNT_SERVICE : UNIT_KIND_INVALID;
}

UnitKind unit_kind_target(UnitKind kind)
{
        return unit_kind_side(kind) == UNITS_OF_NODE ? UNIT_TASK_TARGET : UNIT_JOB_TARGET;
}

UnitKind unit_kind_slice(UnitKind kind)
{
        return unit_kind_side(kind) == UNITS_OF_NODE ? UNIT_TASK_SLICE : UNIT_JOB_SLICE;
}

/* Words of the letters in set, joined by single '-', max bytes in all. */
static bool is_words(const char *text, size_t n, const char *set, size_t max)
{
        if (n == 0 || n > max || text[0] == '-' || text[n - 1] == '-')
                return false;
        for (size_t i = 0; i < n; i++)
                if (text[i] == '-' ? text[i - 1] == '-' : !strchr(set, text[i]) || !text[i])
                        return false;
        return true;
}

int unit_name_to_string(const UnitName *name, char ret_text[static UNIT_NAME_SIZE])
{
        const char *prefix, *suffix;
        size_t n_step = strnlen(name->step, sizeof(name->step));

        if (name->kind < 0 || name->kind >= UNIT_KIND_MAX)
                return -EINVAL;
        if (name->job == 0 || name->job > JOB_NUMBER_MAX)
                return -EINVAL;
        if (unit_kinds[name->kind].has_disk_key
                            ? name->disk_key == 0 || name->disk_key > DISK_KEY_MAX
                            : name->disk_key != 0)
                return -EINVAL;
        if (unit_kinds[name->kind].has_step
                            ? !is_words(name->step, n_step, LOWER DIGITS, UNIT_STEP_MAX)
                            : n_step != 0)
                return -EINVAL;

        prefix = unit_kinds[name->kind].prefix;
        suffix = unit_kinds[name->kind].suffix;
        if (unit_kinds[name->kind].has_disk_key)
                (void) snprintf(ret_text, UNIT_NAME_SIZE, "%s%" PRIu64 "-%" PRIu32 "%s", prefix,
                                name->job, name->disk_key, suffix);
        else if (unit_kinds[name->kind].has_step)
                (void) snprintf(ret_text, UNIT_NAME_SIZE, "%s%" PRIu64 "-%s%s", prefix, name->job,
                                name->step, suffix);
        else
                (void) snprintf(ret_text, UNIT_NAME_SIZE, "%s%" PRIu64 "%s", prefix, name->job,
                                suffix);
        return 0;
}

static UnitKind find_kind(const char *text, size_t n, const char **ret_middle, size_t *ret_n)
{
        for (size_t i = 0; i < UNIT_KIND_MAX; i++) {
                size_t n_prefix = strlen(unit_kinds[i].prefix);
                size_t n_suffix = strlen(unit_kinds[i].suffix);

                if (n <= n_prefix + n_suffix || memcmp(text, unit_kinds[i].prefix, n_prefix) != 0 ||
                    memcmp(text + n - n_suffix, unit_kinds[i].suffix, n_suffix) != 0)
                        continue;
                *ret_middle = text + n_prefix;
                *ret_n = n - n_prefix - n_suffix;
                return (UnitKind) i;
        }
        return UNIT_KIND_INVALID;
}

int unit_name_from_string(const char *text, UnitName *ret_name)
{
        char middle[UNIT_NAME_SIZE], again[UNIT_NAME_SIZE], *rest;
        size_t n = strnlen(text, UNIT_NAME_SIZE), n_middle;
        const struct UnitPattern *kind;
        const char *start;
        UnitName name = {};
        uint64_t key;

        if (n >= UNIT_NAME_SIZE)
                return -EINVAL;
        name.kind = find_kind(text, n, &start, &n_middle);
        if (name.kind < 0)
                return -EINVAL;
        kind = &unit_kinds[name.kind];
        memcpy(middle, start, n_middle);
        middle[n_middle] = '\0';
        rest = middle + n_middle;

        if (kind->has_disk_key || kind->has_step) {
                rest = strchr(middle, '-');
                if (!rest)
                        return -EINVAL;
                *rest++ = '\0';
        }
        if (parse_uint64(middle, 1, JOB_NUMBER_MAX, &name.job) < 0)
                return -EINVAL;
        if (kind->has_disk_key) {
                if (parse_uint64(rest, 1, DISK_KEY_MAX, &key) < 0)
                        return -EINVAL;
                name.disk_key = (uint32_t) key;
        }
        if (kind->has_step) {
                if (strlen(rest) > UNIT_STEP_MAX)
                        return -EINVAL;
                (void) snprintf(name.step, sizeof(name.step), "%s", rest);
        }

        if (unit_name_to_string(&name, again) < 0 || strcmp(again, text) != 0)
                return -EINVAL;
        *ret_name = name;
        return 0;
}

void vm_slug(const char *vm_name, char ret_slug[static VM_SLUG_MAX + 1])
{
        size_t n = 0;

        for (const char *p = vm_name; *p && n < VM_SLUG_MAX; p++)
                if (strchr(LOWER UPPER DIGITS "_", *p))
                        ret_slug[n++] = *p;
                else if (n > 0 && ret_slug[n - 1] != '-')
                        ret_slug[n++] = '-';
        if (n > 0 && ret_slug[n - 1] == '-')
                n--;
        ret_slug[n] = '\0';

        if (n == 0)
                (void) snprintf(ret_slug, VM_SLUG_MAX + 1, "vm");
}

int backup_id_format(const char *vm_name, int64_t unix_sec, uint32_t n,
                     char ret_id[static BACKUP_ID_SIZE])
{
        char slug[VM_SLUG_MAX + 1];

        if (unix_sec < 0)
                return -EINVAL;
        vm_slug(vm_name, slug);
        if (n > 0)
                (void) snprintf(ret_id, BACKUP_ID_SIZE, "backup-%s-%" PRIi64 "-%" PRIu32, slug,
                                unix_sec, n);
        else
                (void) snprintf(ret_id, BACKUP_ID_SIZE, "backup-%s-%" PRIi64, slug, unix_sec);
        return 0;
}

/* Cuts "-NUMBER" off the end of text[0..*n): from min to max, or, for a width, exactly that many digits
 * of any value. */
static bool cut_number(const char *text, size_t *n, uint64_t min, uint64_t max, size_t width)
{
        char number[sizeof("18446744073709551615")];
        size_t at = *n, n_digits;
        uint64_t value;

        while (at > 0 && text[at - 1] != '-')
                at--;
        n_digits = *n - at;
        if (at < 2 || n_digits == 0 || n_digits >= sizeof(number))
                return false;
        if (strspn(text + at, DIGITS) < n_digits)
                return false;
        memcpy(number, text + at, n_digits);
        number[n_digits] = '\0';
        if (width > 0 ? n_digits != width : parse_uint64(number, min, max, &value) < 0)
                return false;
        *n = at - 1;
        return true;
}

static bool is_slug(const char *text, size_t n)
{
        return is_words(text, n, LOWER UPPER DIGITS "_", VM_SLUG_MAX);
}

bool backup_id_is_valid(const char *text)
{
        static const char prefix[] = "backup-";
        size_t n = strnlen(text, BACKUP_ID_SIZE), m;

        if (n >= BACKUP_ID_SIZE || strncmp(text, prefix, strlen(prefix)) != 0)
                return false;
        text += strlen(prefix);
        n -= strlen(prefix);

        /* A slug may end in a number, so both readings are tried: slug-time, and slug-time-n. */
        m = n;
        if (cut_number(text, &m, 0, INT64_MAX, 0) && is_slug(text, m))
                return true;
        m = n;
        return cut_number(text, &m, 1, UINT32_MAX, 0) && cut_number(text, &m, 0, INT64_MAX, 0) &&
               is_slug(text, m);
}

int context_id_format(const char *vm_name, int64_t unix_sec, char ret_id[static CONTEXT_ID_SIZE])
{
        char slug[VM_SLUG_MAX + 1], when[sizeof("yyyymmdd-hhmmss")];
        time_t at = unix_sec;
        struct tm tm;

        if (unix_sec < 0 || unix_sec >= YEAR_10000_SEC || !gmtime_r(&at, &tm))
                return -EINVAL;
        if (strftime(when, sizeof(when), "%Y%m%d-%H%M%S", &tm) != sizeof(when) - 1)
                return -EINVAL;

        vm_slug(vm_name, slug);
        (void) snprintf(ret_id, CONTEXT_ID_SIZE, "ctx-%s-%s", slug, when);
        return 0;
}

bool context_id_is_valid(const char *text)
{
        static const char prefix[] = "ctx-";
        size_t n = strnlen(text, CONTEXT_ID_SIZE);

        if (n >= CONTEXT_ID_SIZE || strncmp(text, prefix, strlen(prefix)) != 0)
                return false;
        text += strlen(prefix);
        n -= strlen(prefix);
        return cut_number(text, &n, 0, 0, strlen("hhmmss")) &&
               cut_number(text, &n, 0, 0, strlen("yyyymmdd")) && is_slug(text, n);
}
