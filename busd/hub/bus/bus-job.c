/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Job objects (see bus-job.h). They show what the runner has in memory and change nothing but through
 * Cancel.
 */
#include "bus/bus-job.h"

#include "bus/bus-dict.h"
#include "bus/bus-json.h"
#include "bus/bus-manager.h"
#include "bus/bus-mount.h"
#include "bus/bus-node-object.h"
#include "cleanup.h"
#include "log.h"
#include "manager.h"
#include "names.h"
#include "parse.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define JOB_PREFIX HUB_BUS_PATH "/job"

void bus_job_path(uint64_t id, char ret_path[static JOB_OBJECT_PATH_SIZE])
{
        (void) snprintf(ret_path, JOB_OBJECT_PATH_SIZE, JOB_PREFIX "/%" PRIu64, id);
}

static Job *find_by_path(Jobs *jobs, const char *path)
{
        uint64_t id;

        if (strncmp(path, JOB_PREFIX "/", strlen(JOB_PREFIX) + 1) != 0 ||
            parse_uint64(path + strlen(JOB_PREFIX) + 1, 1, JOB_NUMBER_MAX, &id) < 0)
                return NULL;
        return jobs_find(jobs, id);
}

static int find_object(sd_bus *bus, const char *path, const char *interface, void *userdata,
                       void **ret_found, sd_bus_error *error)
{
        Manager *manager = userdata;
        Job *job = manager->jobs ? find_by_path(manager->jobs, path) : NULL;

        (void) bus, (void) interface, (void) error;
        *ret_found = job;
        return job != NULL;
}

static void free_texts(char **texts)
{
        for (size_t i = 0; texts && texts[i]; i++)
                free(texts[i]);
        free(texts);
}

static int enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes,
                     sd_bus_error *error)
{
        Manager *manager = userdata;
        size_t n = manager->jobs ? manager->jobs->n_all : 0;
        char **nodes = calloc(n + 1, sizeof(char *));
        int r = nodes ? 0 : -ENOMEM;

        (void) bus, (void) prefix, (void) error;
        for (size_t i = 0; r >= 0 && i < n; i++) {
                nodes[i] = text_format(JOB_PREFIX "/%" PRIu64, manager->jobs->all[i]->id);
                r = nodes[i] ? 0 : -ENOMEM;
        }
        if (r < 0)
                free_texts(nodes);
        else
                *ret_nodes = nodes;
        return r;
}

static const char *ending_text(const Job *job)
{
        return job_state_to_string(job->ending) ?: "";
}

static int get_text(sd_bus *bus, const char *path, const char *interface, const char *property,
                    sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        const Job *job = userdata;
        const char *text = "";

        (void) bus, (void) path, (void) interface, (void) error;
        if (strcmp(property, "State") == 0)
                text = job_state_to_string(job->state);
        else if (strcmp(property, "Ending") == 0)
                text = ending_text(job);
        else if (strcmp(property, "Phase") == 0)
                text = job->phase;
        else if (strcmp(property, "Error") == 0)
                text = job->state == JOB_COMPLETED ? "" : job->error_text;
        else
                text = job_text(job, property); /* Type, Vm, BackupId: columns of the row */
        return sd_bus_message_append(reply, "s", text);
}

static double progress_of(const Job *job)
{
        uint64_t total = job_bytes_total(job);

        return total > 0 ? (double) job_bytes_done(job) / (double) total : 0;
}

static int get_progress(sd_bus *bus, const char *path, const char *interface, const char *property,
                        sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        (void) bus, (void) path, (void) interface, (void) property, (void) error;
        return sd_bus_message_append(reply, "d", progress_of(userdata));
}

static int get_number(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        const Job *job = userdata;
        uint64_t value = job->id;

        (void) bus, (void) path, (void) interface, (void) error;
        if (strcmp(property, "BytesDone") == 0)
                value = job_bytes_done(job);
        else if (strcmp(property, "BytesTotal") == 0)
                value = job_bytes_total(job);
        return sd_bus_message_append(reply, "t", value);
}

/* What memory knows of a disk. */
static int add_live_disk(json_t *row, const JobDisk *disk)
{
        uint64_t total = disk->bytes_total > 0 ? disk->bytes_total : disk->capacity_bytes;
        int r = json_object_set_new(row, "BytesDone", json_integer((json_int_t) disk->bytes_done));

        if (r >= 0)
                r = json_object_set_new(row, "BytesTotal", json_integer((json_int_t) total));
        if (r >= 0 && disk->port > 0) {
                r = json_object_set_new(row, "Port", json_integer(disk->port));
                if (r >= 0)
                        r = json_object_set_new(row, "ExportName", json_string(disk->export_name));
        }
        if (r >= 0 && disk->process_id > 0)
                r = json_object_set_new(row, "ProcessId", json_integer(disk->process_id));
        return r;
}

static json_t *live_disk(const JobDisk *disk)
{
        json_t *row = json_pack("{s:I, s:s, s:s, s:I}", "Key", (json_int_t) disk->key, "State",
                                disk_state_to_string(disk->state), "BackupType",
                                backup_type_to_string(disk->type), "CapacityBytes",
                                (json_int_t) disk->capacity_bytes);

        if (row && *disk->file)
                (void) json_object_set_new(row, "File", json_string(disk->file));
        if (row && *disk_text(disk, "Reason"))
                (void) json_object_set(row, "Reason", json_object_get(disk->row, "Reason"));
        if (row && add_live_disk(row, disk) < 0) {
                json_decref(row);
                return NULL;
        }
        return row;
}

/* What the unit of a job about a backup says. */
static int add_progress(const Job *job, json_t *rows)
{
        int r = 0;

        for (size_t i = 0; r >= 0 && i < job->n_progress; i++)
                r = json_array_append_new(
                                rows, json_pack("{s:I, s:I, s:I}", "Key",
                                                (json_int_t) job->progress[i].disk_key, "BytesDone",
                                                (json_int_t) job->progress[i].done, "BytesTotal",
                                                (json_int_t) job->progress[i].total));
        return r;
}

static int get_disks(sd_bus *bus, const char *path, const char *interface, const char *property,
                     sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        CLEANUP(json_decrefp) json_t *rows = json_array();
        const Job *job = userdata;

        (void) bus, (void) path, (void) interface, (void) property, (void) error;
        for (size_t i = 0; i < job->n_disks; i++)
                if (json_array_append_new(rows, live_disk(job->disks + i)) < 0)
                        return -ENOMEM;
        if (add_progress(job, rows) < 0)
                return -ENOMEM;
        return bus_json_append_dicts(reply, rows);
}

static int method_cancel(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        Job *job = userdata;
        int r = bus_options_none(call, error);

        return r < 0 ? r : bus_job_cancel(job->jobs->userdata, call, job->id, error);
}

static const sd_bus_vtable job_vtable[] = {
        SD_BUS_VTABLE_START(0),

        SD_BUS_PROPERTY("Id", "t", get_number, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Type", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Vm", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("BackupId", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("State", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Ending", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Phase", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Progress", "d", get_progress, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("BytesDone", "t", get_number, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("BytesTotal", "t", get_number, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Error", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Disks", "aa{sv}", get_disks, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),

        SD_BUS_METHOD_WITH_ARGS("Cancel", SD_BUS_ARGS("a{sv}", options), SD_BUS_NO_RESULT,
                                method_cancel, SD_BUS_VTABLE_UNPRIVILEGED),

        SD_BUS_VTABLE_END,
};

int bus_job_register(Manager *manager)
{
        int r;

        r = sd_bus_add_fallback_vtable(manager->bus, NULL, JOB_PREFIX, HUB_JOB_INTERFACE,
                                       job_vtable, find_object, manager);
        return r < 0 ? r
                     : sd_bus_add_node_enumerator(manager->bus, NULL, JOB_PREFIX, enumerate,
                                                  manager);
}

static int tell(Manager *manager, const Job *job, JobNews news)
{
        char path[JOB_OBJECT_PATH_SIZE];
        int r;

        bus_job_path(job->id, path);
        switch (news) {
        case JOB_NEWS_NEW:
                r = sd_bus_emit_object_added(manager->bus, path);
                return r < 0 ? r
                             : sd_bus_emit_signal(manager->bus, HUB_BUS_PATH, HUB_MANAGER_INTERFACE,
                                                  "JobNew", "to", job->id, path);
        case JOB_NEWS_CHANGED:
                return sd_bus_emit_properties_changed(
                                manager->bus, path, HUB_JOB_INTERFACE, "State", "Ending", "Phase",
                                "Progress", "BytesDone", "BytesTotal", "Error", "Disks", NULL);
        case JOB_NEWS_PROGRESS:
                return sd_bus_emit_properties_changed(manager->bus, path, HUB_JOB_INTERFACE,
                                                      "Progress", "BytesDone", "BytesTotal",
                                                      "Disks", NULL);
        case JOB_NEWS_FINAL:
                return sd_bus_emit_signal(manager->bus, HUB_BUS_PATH, HUB_MANAGER_INTERFACE,
                                          "JobRemoved", "tos", job->id, path,
                                          job_state_to_string(job->state));
        case JOB_NEWS_REMOVED:
        default:
                return sd_bus_emit_object_removed(manager->bus, path);
        }
}

void bus_job_on_news(Job *job, JobNews news, void *userdata)
{
        Manager *manager = userdata;
        int r;

        bus_mount_on_news(manager, job, news);
        if (!manager->has_name)
                return;
        r = tell(manager, job, news);
        if (r < 0)
                (void) log_warning(r, "Cannot announce the change of job %" PRIu64 ": %m", job->id);
        if (news == JOB_NEWS_NEW || news == JOB_NEWS_FINAL) {
                bus_manager_emit_changed(manager, "Jobs");
                node_objects_refresh(manager);
        }
}

void bus_job_add_live(Jobs *jobs, json_t *row)
{
        const Job *job = jobs_find(jobs, (uint64_t) json_integer_value(json_object_get(row, "Id")));
        json_t *disk_row;
        size_t i;

        if (!job || job_state_is_final(job->state))
                return;
        (void) json_object_set_new(row, "BytesDone",
                                   json_integer((json_int_t) job_bytes_done(job)));
        (void) json_object_set_new(row, "BytesTotal",
                                   json_integer((json_int_t) job_bytes_total(job)));
        json_array_foreach (json_object_get(row, "Disks"), i, disk_row) {
                uint32_t key = (uint32_t) json_integer_value(json_object_get(disk_row, "Key"));
                const JobDisk *disk = job_find_disk((Job *) job, key);

                if (disk)
                        (void) add_live_disk(disk_row, disk);
        }
        (void) add_progress(job, json_object_get(row, "Disks"));
}
