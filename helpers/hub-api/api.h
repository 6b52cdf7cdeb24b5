/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The routes of the hub's HTTP API: each is one or some calls of com.sendense.Hub1, in the name of who asked.
 */
#pragma once

#include "http/http-route.h"

#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

enum {
        /* The hub decides about 16 calls of one connection at a time. */
        API_AUTHENTICATIONS_MAX = 12,
};

typedef struct HubTask HubTask;

/* What handlers get as their userdata. */
typedef struct Api {
        sd_bus *bus;
        HubTask *tasks; /* all that are under way */
        unsigned n_authenticating;
        uint64_t started_usec; /* CLOCK_REALTIME */
} Api;

extern const HttpRoute api_routes[];
extern const size_t api_n_routes;

/* In rooms of their own. */
void api_create_backup(HttpRequest *request, void *userdata);
void api_show_backup(HttpRequest *request, void *userdata);
void api_mount_backup(HttpRequest *request, void *userdata);
void api_end_mount(HttpRequest *request, void *userdata);
void api_restore_disk(HttpRequest *request, void *userdata);
void api_restore_disks(HttpRequest *request, void *userdata);
void api_restore_vm(HttpRequest *request, void *userdata);
void api_verify_backup(HttpRequest *request, void *userdata);
void api_list_files(HttpRequest *request, void *userdata);
void api_tar_files(HttpRequest *request, void *userdata);
void api_delete_backup(HttpRequest *request, void *userdata);
void api_show_chain(HttpRequest *request, void *userdata);
void api_set_policy(HttpRequest *request, void *userdata);
void api_remove_policy(HttpRequest *request, void *userdata);
void api_run_policy(HttpRequest *request, void *userdata);
void api_prune_policy(HttpRequest *request, void *userdata);
void api_job_events(HttpRequest *request, void *userdata);
void api_check_repository(HttpRequest *request, void *userdata);
void api_scan_repository(HttpRequest *request, void *userdata);
void api_test_vcenter(HttpRequest *request, void *userdata);
void api_discover_vms(HttpRequest *request, void *userdata);
void api_verify_all(HttpRequest *request, void *userdata);
void api_diagnose(HttpRequest *request, void *userdata);
void api_cleanup(HttpRequest *request, void *userdata);
void api_forgive(HttpRequest *request, void *userdata);
void api_health(HttpRequest *request, void *userdata);
void api_metrics(HttpRequest *request, void *userdata);
void api_openapi(HttpRequest *request, void *userdata);
