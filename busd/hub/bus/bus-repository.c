/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Repositories on the bus. A repository is taken into the catalog first and looked at then; one that
 * cannot be used is taken out again, so that the caller reads the reason and finds nothing left.
 */
#include "repository/repositories.h"

#include "bus/bus-call.h"
#include "bus/bus-dict.h"
#include "bus/bus-error.h"
#include "bus/bus-list.h"
#include "bus/bus-methods.h"
#include "cleanup.h"
#include "clock.h"
#include "hub-config.h"
#include "job/jobs.h"
#include "log.h"
#include "manager.h"
#include "repository/scan.h"
#include "store/store-call.h"
#include "store/store-repository.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
        NAME_MAX_BYTES = 64,
        PATH_MAX_BYTES = 512,
};

static void log_act(int level, MessageId id, const char *principal, const char *what,
                    const char *name)
{
        const LogContext context = { .principal = principal };

        (void) log_event(level, 0, &context, id, "Repository %s %s by %s", name, what, principal);
}

/* The row that name or id means, out of the list. */
static json_t *find_row(const json_t *rows, const char *wanted)
{
        json_t *row;
        size_t i;

        json_array_foreach (rows, i, row) {
                char id[24];

                (void) snprintf(id, sizeof(id), "%" PRIu64,
                                (uint64_t) json_integer_value(json_object_get(row, "Id")));
                if (strcmp(json_string_value(json_object_get(row, "Name")), wanted) == 0 ||
                    strcmp(id, wanted) == 0)
                        return row;
        }
        return NULL;
}

static const char *wait_text(const BusWait *wait, const char *key)
{
        return json_string_value(json_object_get(wait->request, key)) ?: "";
}

static void end_with(BusWait *wait, int error)
{
        if (error < 0)
                (void) log_warning(error, "Cannot answer %s: %m",
                                   sd_bus_message_get_member(wait->call));
        bus_wait_free(wait);
}

/* What follows when the row is there; errors are answered by it. */
typedef void (*WithRow)(BusWait *wait, json_t *row);

static void on_list(BusWait *wait, int error, const json_t *out, const char *name, const char *text,
                    WithRow then)
{
        const char *wanted = wait_text(wait, "Repository");
        json_t *row = find_row(json_object_get(out, "Repositories"), wanted);
        char message[256];

        if (error < 0)
                bus_wait_fail(wait, name, text);
        else if (row)
                then(wait, row);
        else {
                (void) snprintf(message, sizeof(message),
                                "There is no repository '%.100s'; sendensectl repository list "
                                "shows "
                                "those there are",
                                wanted);
                bus_wait_fail(wait, BUS_ERROR_NOT_FOUND, message);
        }
}

static int begin(Manager *manager, sd_bus_message *call, json_t *request, StoreWork work,
                 json_t *in, StoreAnswer answer, sd_bus_error *error)
{
        BusWait *wait = bus_wait_new(manager, call, request);
        int r;

        if (!wait) {
                json_decref(in);
                return -ENOMEM;
        }
        r = store_call(manager->store, work, in, answer, wait);
        if (r >= 0)
                return 0;
        bus_wait_free(wait);
        return bus_refuse_store(manager, r, error);
}

/* Check. */

static void on_checked(const json_t *row, const char *name, const char *text, void *userdata)
{
        BusWait *wait = userdata;

        if (!row)
                bus_wait_fail(wait, name, text);
        else
                end_with(wait, bus_reply_dict(wait->call, row));
}

static void fail_busy(BusWait *wait, int error)
{
        if (error == -EBUSY)
                bus_wait_fail(wait, BUS_ERROR_BUSY, "The repository is being looked at already");
        else
                bus_wait_fail(wait, BUS_ERROR_FAILED, strerror(-error));
}

static void check_row(BusWait *wait, json_t *row)
{
        int r = repositories_check(wait->manager->repositories, row, on_checked, wait);

        if (r < 0)
                fail_busy(wait, r);
}

static void on_list_to_check(int error, const json_t *out, const char *name, const char *text,
                             void *userdata)
{
        on_list(userdata, error, out, name, text, check_row);
}

static int act_check(Manager *manager, sd_bus_message *call, const char *principal, json_t *request,
                     sd_bus_error *error)
{
        (void) principal;
        return begin(manager, call, request, store_repository_list, json_object(), on_list_to_check,
                     error);
}

static int read_name(sd_bus_message *call, json_t **ret_request, sd_bus_error *error)
{
        const char *name;
        int r = sd_bus_message_read(call, "s", &name);

        if (r >= 0 && (*name == '\0' || strlen(name) > NAME_MAX_BYTES))
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "Argument repository must be a name or id of 1 to %d bytes",
                                      NAME_MAX_BYTES);
        if (r >= 0)
                r = bus_options_none(call, error);
        if (r < 0)
                return r;
        *ret_request = json_pack("{s:s}", "Repository", name);
        return *ret_request ? 0 : -ENOMEM;
}

int method_check_repository(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        json_t *request = NULL;
        int r = read_name(call, &request, error);

        return r < 0 ? r
                     : bus_call_check(userdata, call, ACTION_INSPECT, request, act_check, error);
}

/* Scan. */

static void on_scanned(const json_t *answer, const char *name, const char *text, void *userdata)
{
        BusWait *wait = userdata;

        repositories_end_scan(wait->manager->repositories,
                              (uint64_t) json_integer_value(json_object_get(wait->request, "Id")));
        if (!answer)
                bus_wait_fail(wait, name, text);
        else
                end_with(wait, bus_reply_dict(wait->call, answer));
}

static void scan_row(BusWait *wait, json_t *row)
{
        uint64_t id = (uint64_t) json_integer_value(json_object_get(row, "Id"));
        int r;

        if (!repositories_begin_scan(wait->manager->repositories, id)) {
                bus_wait_fail(wait, BUS_ERROR_BUSY, "The repository is being scanned already");
                return;
        }
        (void) json_object_set(wait->request, "Id", json_object_get(row, "Id"));
        r = repository_scan(wait->manager->units, wait->manager->store, row,
                            wait->manager->config->repository_step_usec, on_scanned, wait);
        if (r >= 0)
                return;
        repositories_end_scan(wait->manager->repositories, id);
        fail_busy(wait, r);
}

static void on_list_to_scan(int error, const json_t *out, const char *name, const char *text,
                            void *userdata)
{
        on_list(userdata, error, out, name, text, scan_row);
}

static int act_scan(Manager *manager, sd_bus_message *call, const char *principal, json_t *request,
                    sd_bus_error *error)
{
        log_act(LOG_NOTICE, MESSAGE_NONE, principal, "is scanned",
                json_string_value(json_object_get(request, "Repository")));
        return begin(manager, call, request, store_repository_list, json_object(), on_list_to_scan,
                     error);
}

int method_scan_repository(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        json_t *request = NULL;
        int r = read_name(call, &request, error);

        return r < 0 ? r : bus_call_check(userdata, call, ACTION_MANAGE, request, act_scan, error);
}

/* List. */

static int answer_list(Manager *manager, sd_bus_message *call, const json_t *out)
{
        CLEANUP(json_decrefp) json_t *rows = json_deep_copy(json_object_get(out, "Repositories"));
        json_t *row;
        size_t i;

        if (!rows)
                return -ENOMEM;
        json_array_foreach (rows, i, row)
                repositories_add_health(manager->repositories, row);
        return bus_reply_dicts(call, rows);
}

static int act_list(Manager *manager, sd_bus_message *call, const char *principal, json_t *request,
                    sd_bus_error *error)
{
        (void) principal;
        return bus_call_store(manager, call, store_repository_list, json_incref(request),
                              answer_list, error);
}

int method_list_repositories(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        json_t *request = NULL;
        int r = bus_list_read(call, LIST_IS_WHOLE, &request, error);

        return r < 0 ? r : bus_call_check(userdata, call, ACTION_INSPECT, request, act_list, error);
}

/* Remove: the row alone; the files are the operator's. */

static void on_removed(int error, const json_t *out, const char *name, const char *text,
                       void *userdata)
{
        BusWait *wait = userdata;
        uint64_t id = (uint64_t) json_integer_value(json_object_get(out, "Id"));

        if (error < 0) {
                bus_wait_fail(wait, name, text);
                return;
        }
        repositories_forget(wait->manager->repositories, id);
        log_act(LOG_NOTICE, MESSAGE_NONE, wait_text(wait, "Principal"), "is removed",
                wait_text(wait, "Repository"));
        end_with(wait, sd_bus_reply_method_return(wait->call, ""));
}

static int act_remove(Manager *manager, sd_bus_message *call, const char *principal,
                      json_t *request, sd_bus_error *error)
{
        int r = request_add_text(request, "Principal", principal);

        return r < 0 ? r
                     : begin(manager, call, request, store_repository_remove,
                             json_deep_copy(request), on_removed, error);
}

int method_remove_repository(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        json_t *request = NULL;
        int r = read_name(call, &request, error);

        return r < 0 ? r
                     : bus_call_check(userdata, call, ACTION_MANAGE, request, act_remove, error);
}

/* Add. */

typedef struct Refusal {
        BusWait *wait;
        char name[96];
        char text[512];
} Refusal;

static void on_taken_back(int error, const json_t *out, const char *name, const char *text,
                          void *userdata)
{
        _cleanup_free_ Refusal *refusal = userdata;

        (void) out, (void) name;
        if (error < 0)
                (void) log_warning(error,
                                   "A repository that cannot be used stays in the catalog: %s",
                                   text);
        bus_wait_fail(refusal->wait, refusal->name, refusal->text);
}

static void on_added_checked(const json_t *row, const char *name, const char *text, void *userdata)
{
        BusWait *wait = userdata;
        uint64_t id = (uint64_t) json_integer_value(json_object_get(wait->request, "Id"));
        Refusal *refusal;

        if (row) {
                log_act(LOG_NOTICE, MESSAGE_NONE, wait_text(wait, "Principal"), "is added",
                        wait_text(wait, "Repository"));
                end_with(wait, sd_bus_reply_method_return(wait->call, "t", id));
                return;
        }
        repositories_forget(wait->manager->repositories, id);
        refusal = malloc(sizeof(Refusal));
        if (!refusal) {
                bus_wait_fail(wait, name, text);
                return;
        }
        *refusal = (Refusal){ .wait = wait };
        (void) snprintf(refusal->name, sizeof(refusal->name), "%s", name);
        (void) snprintf(refusal->text, sizeof(refusal->text), "%s", text);
        if (store_call(wait->manager->store, store_repository_remove,
                       json_pack("{s:s}", "Repository", wait_text(wait, "Repository")),
                       on_taken_back, refusal) < 0) {
                free(refusal);
                bus_wait_fail(wait, name, text);
        }
}

static void check_added(BusWait *wait, json_t *row)
{
        int r;

        (void) json_object_set(wait->request, "Id", json_object_get(row, "Id"));
        r = repositories_check(wait->manager->repositories, row, on_added_checked, wait);
        if (r < 0)
                fail_busy(wait, r);
}

static void on_list_with_added(int error, const json_t *out, const char *name, const char *text,
                               void *userdata)
{
        on_list(userdata, error, out, name, text, check_added);
}

static void on_added(int error, const json_t *out, const char *name, const char *text,
                     void *userdata)
{
        BusWait *wait = userdata;

        (void) out;
        if (error < 0)
                bus_wait_fail(wait, name, text);
        else if (store_call(wait->manager->store, store_repository_list, json_object(),
                            on_list_with_added, wait) < 0)
                bus_wait_fail(wait, BUS_ERROR_DATABASE_UNAVAILABLE,
                              "The repository is added, and was not looked at yet");
}

static int act_add(Manager *manager, sd_bus_message *call, const char *principal, json_t *request,
                   sd_bus_error *error)
{
        int r = request_add_text(request, "Principal", principal);

        return r < 0 ? r
                     : begin(manager, call, request, store_repository_add, json_deep_copy(request),
                             on_added, error);
}

static int check_name(const char *name, sd_bus_error *error)
{
        size_t n = strspn(name,
                          "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

        if (n > 0 && n <= NAME_MAX_BYTES && name[n] == '\0' && strspn(name, "0123456789") < n &&
            *name != '-')
                return 0;
        return bus_error_setf(
                        error, BUS_ERROR_INVALID_ARGUMENT,
                        "Argument name must have 1 to %d letters, digits, '.', '_' or '-', not "
                        "begin with '-', and not be a number, which is an id",
                        NAME_MAX_BYTES);
}

/* As the column's constraint has it: absolute and without detours. */
static int check_path(const char *path, sd_bus_error *error)
{
        size_t n = strlen(path);
        bool is_good = n > 1 && n <= PATH_MAX_BYTES && path[0] == '/' && path[n - 1] != '/' &&
                       !strstr(path, "//") && !strstr(path, "/./") && !strstr(path, "/../");

        for (size_t i = 0; i < n; i++)
                is_good = is_good && (unsigned char) path[i] >= ' ' && path[i] != 127 &&
                          path[i] != '"' && path[i] != '\\';
        if (n >= 2 &&
            (strcmp(path + n - 2, "/.") == 0 || (n >= 3 && strcmp(path + n - 3, "/..") == 0)))
                is_good = false;
        return is_good ? 0
                       : bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                        "Argument path must be an absolute path of a folder, of %d "
                                        "bytes at most, without '..', '//', quotes, backslashes or "
                                        "a '/' at its end",
                                        PATH_MAX_BYTES);
}

/* The sandboxes of our units hide these from everything that would work on the repository. */
static int check_visible(const char *path, sd_bus_error *error)
{
        static const char *const hidden[] = { "/dev", "/home", "/proc", "/root",   "/run/user",
                                              "/sys", "/tmp",  "/boot", "/var/tmp" };

        for (size_t i = 0; i < ELEMENTSOF(hidden); i++) {
                size_t n = strlen(hidden[i]);

                if (strncmp(path, hidden[i], n) == 0 && (path[n] == '/' || path[n] == '\0'))
                        return bus_error_setf(
                                        error, BUS_ERROR_INVALID_ARGUMENT,
                                        "Argument path must not be below %s, which the units "
                                        "that work on images cannot see; /srv is a good place",
                                        hidden[i]);
        }
        return 0;
}

int method_add_repository(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        const char *name, *path;
        int r = sd_bus_message_read(call, "ss", &name, &path);

        if (r >= 0)
                r = check_name(name, error);
        if (r >= 0)
                r = check_path(path, error);
        if (r >= 0)
                r = check_visible(path, error);
        if (r >= 0)
                r = bus_options_none(call, error);
        return r < 0 ? r
                     : bus_call_check(userdata, call, ACTION_MANAGE,
                                      json_pack("{s:s, s:s, s:s, s:I}", "Name", name, "Repository",
                                                name, "Path", path, "NowUSec",
                                                (json_int_t) clock_realtime_usec()),
                                      act_add, error);
}
