/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the rooms of sendensectl share: options, exit statuses, the shape of a verb. A verb does what it
 * says, prints, complains itself, and returns an exit status.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum ExitStatus {
        CTL_OK = 0,
        CTL_FAILED = 1, /* refused or broken; a message says why */
        CTL_NOT_WELL = 3, /* answered, but something is not as it should be */
        CTL_USAGE = 64, /* sysexits.h: EX_USAGE */
        CTL_UNAVAILABLE = 69, /* EX_UNAVAILABLE: no bus, or no hub on it */
        CTL_DENIED = 77, /* EX_NOPERM */
        CTL_CONFIG = 78, /* EX_CONFIG, as the daemons end with */
        CTL_INTERRUPTED = 130, /* Ctrl-C ended the watching; the job goes on */
} ExitStatus;

typedef enum Option {
        OPTION_HELP,
        OPTION_VERSION,
        OPTION_JSON,
        OPTION_ROOT,
        OPTION_REPOSITORY,
        OPTION_TYPE,
        OPTION_FULL,
        OPTION_INCREMENTAL,
        OPTION_SOURCE,
        OPTION_EXCLUDE,
        OPTION_WAIT,
        OPTION_STATE,
        OPTION_VM,
        OPTION_LIMIT,
        OPTION_FORMAT,
        OPTION_DAMAGED_OK,
        OPTION_NODE,
        OPTION_HUB,
        OPTION_REVERSE_PORT,
        OPTION_EXPIRES,
        OPTION_LOCAL,
        OPTION_OUTPUT,
        OPTION_FORCE,
        OPTION_ROLE,
        OPTION_USER,
        OPTION_PORT,
        OPTION_PIN,
        OPTION_ACCEPT_CERTIFICATE,
        OPTION_PASSWORD_FILE,
        OPTION_PASSWORD_FD,
        OPTION_THROUGH,
        OPTION_UNTESTED,
        OPTION_ENTER,
        OPTION_WRITABLE,
        OPTION_TCP,
        OPTION_ALL,
        OPTION_OLDER_THAN,
        OPTION_NO_CHAIN,
        OPTION_FILESYSTEM,
        OPTION_FILESYSTEMS,
        OPTION_RECURSIVE,
        OPTION_LONG,
        OPTION_INTO,
        OPTION_AT,
        OPTION_DEVICES,
        OPTION_CALENDAR,
        OPTION_RANDOM_DELAY,
        OPTION_EXCEPT,
        OPTION_FULL_EVERY,
        OPTION_PERSISTENT,
        OPTION_ENABLED,
        OPTION_KEEP_LAST,
        OPTION_KEEP_HOURLY,
        OPTION_KEEP_DAILY,
        OPTION_KEEP_WEEKLY,
        OPTION_KEEP_MONTHLY,
        OPTION_KEEP_YEARLY,
        OPTION_DRY_RUN,
        OPTION_VCENTER,
        OPTION_NAME,
        OPTION_FOLDER,
        OPTION_POOL,
        OPTION_HOST,
        OPTION_DATASTORE,
        OPTION_NETWORK,
        OPTION_POWER_ON,
        OPTION_KEEP_MACS,
        OPTION_NO_VERIFY,
        OPTION_IN_PLACE,
        OPTION_KEEP_DISKS,
        OPTION_MAX,
} Option;

/* A list of options, of a verb or in a table of verbs. */
#define OPTIONS(...) ((const Option[]){ __VA_ARGS__, OPTION_MAX })

typedef struct Verb {
        const char *name; /* "config check" */
        const char *arguments; /* "[FILE]", for the usage line; empty when there are none */
        int min_arguments, max_arguments;
        const Option *options; /* those it knows besides --help and --json; NULL: none */
        const char *summary; /* one line for --help */
        const char *help; /* the rest of VERB --help */
        ExitStatus (*run)(int argc, char *argv[]); /* the arguments alone */
} Verb;

/* Ends with a verb without a name. */
extern const Verb verbs[];

extern bool arg_json;
extern const char *arg_root;

/* "sendensectl: TEXT" to stderr, in one line without control characters. Returns status, so that it can be returned. */
ExitStatus complain(ExitStatus status, const char *format, ...)
                __attribute__((format(printf, 2, 3)));

ExitStatus verb_status(int argc, char *argv[]);
ExitStatus verb_version(int argc, char *argv[]);
ExitStatus verb_config_check(int argc, char *argv[]);
ExitStatus verb_config_show(int argc, char *argv[]);
ExitStatus verb_config_apply(int argc, char *argv[]);
ExitStatus verb_log_level(int argc, char *argv[]);
ExitStatus verb_database_probe(int argc, char *argv[]);
ExitStatus verb_repository_list(int argc, char *argv[]);
ExitStatus verb_repository_show(int argc, char *argv[]);
ExitStatus verb_repository_add(int argc, char *argv[]);
ExitStatus verb_repository_remove(int argc, char *argv[]);
ExitStatus verb_repository_check(int argc, char *argv[]);
ExitStatus verb_repository_scan(int argc, char *argv[]);
ExitStatus verb_vm_list(int argc, char *argv[]);
ExitStatus verb_vm_show(int argc, char *argv[]);
ExitStatus verb_vm_set(int argc, char *argv[]);
ExitStatus verb_vm_discover(int argc, char *argv[]);
ExitStatus verb_vcenter_list(int argc, char *argv[]);
ExitStatus verb_vcenter_show(int argc, char *argv[]);
ExitStatus verb_vcenter_add(int argc, char *argv[]);
ExitStatus verb_vcenter_test(int argc, char *argv[]);
ExitStatus verb_vcenter_rotate(int argc, char *argv[]);
ExitStatus verb_vcenter_remove(int argc, char *argv[]);
ExitStatus verb_backup_start(int argc, char *argv[]);
ExitStatus verb_backup_list(int argc, char *argv[]);
ExitStatus verb_backup_show(int argc, char *argv[]);
ExitStatus verb_backup_mount(int argc, char *argv[]);
ExitStatus verb_backup_umount(int argc, char *argv[]);
ExitStatus verb_files_ls(int argc, char *argv[]);
ExitStatus verb_files_tar(int argc, char *argv[]);
ExitStatus verb_files_get(int argc, char *argv[]);
ExitStatus verb_mount_list(int argc, char *argv[]);
ExitStatus verb_restore_disk(int argc, char *argv[]);
ExitStatus verb_restore_disks(int argc, char *argv[]);
ExitStatus verb_restore_vm(int argc, char *argv[]);
ExitStatus verb_backup_verify(int argc, char *argv[]);
ExitStatus verb_backup_delete(int argc, char *argv[]);
ExitStatus verb_backup_tree(int argc, char *argv[]);
ExitStatus verb_policy_list(int argc, char *argv[]);
ExitStatus verb_policy_show(int argc, char *argv[]);
ExitStatus verb_policy_set(int argc, char *argv[]);
ExitStatus verb_policy_remove(int argc, char *argv[]);
ExitStatus verb_policy_run(int argc, char *argv[]);
ExitStatus verb_policy_prune(int argc, char *argv[]);
ExitStatus verb_job_list(int argc, char *argv[]);
ExitStatus verb_job_show(int argc, char *argv[]);
ExitStatus verb_job_watch(int argc, char *argv[]);
ExitStatus verb_job_cancel(int argc, char *argv[]);
ExitStatus verb_port_list(int argc, char *argv[]);
ExitStatus verb_obligation_list(int argc, char *argv[]);
ExitStatus verb_obligation_forgive(int argc, char *argv[]);
ExitStatus verb_cleanup(int argc, char *argv[]);
ExitStatus verb_node_list(int argc, char *argv[]);
ExitStatus verb_node_show(int argc, char *argv[]);
ExitStatus verb_node_add(int argc, char *argv[]);
ExitStatus verb_node_rotate(int argc, char *argv[]);
ExitStatus verb_node_remove(int argc, char *argv[]);
ExitStatus verb_task_list(int argc, char *argv[]);
ExitStatus verb_task_show(int argc, char *argv[]);
ExitStatus verb_task_cancel(int argc, char *argv[]);
ExitStatus verb_task_release(int argc, char *argv[]);
ExitStatus verb_token_create(int argc, char *argv[]);
ExitStatus verb_token_list(int argc, char *argv[]);
ExitStatus verb_token_revoke(int argc, char *argv[]);
ExitStatus verb_doctor(int argc, char *argv[]);
