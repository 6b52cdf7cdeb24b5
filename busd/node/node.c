/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The life of the node (see node.h): the ledger first, then objects, then the name, then what the ledger says is open. A
 * lost bus ends the program with a failure, so that systemd starts it afresh; a signal ends it with success. Units go on
 * meanwhile, and are taken up by the next start.
 */
#include "node.h"

#include "asks.h"
#include "build-id.h"
#include "bus-node.h"
#include "bus/authorise.h"
#include "bus/bus-error.h"
#include "cleanup.h"
#include "clock.h"
#include "credentials.h"
#include "inhibitor.h"
#include "keep.h"
#include "ledger.h"
#include "log.h"
#include "names.h"
#include "node-tasks.h"
#include "node-units.h"
#include "task-run.h"
#include "tls-psk.h"
#include "unit/progress-socket.h"
#include "unit/unit-files.h"
#include "unit/units.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-id128.h>

#define SYSTEM_BUS_ADDRESS "unix:path=/run/dbus/system_bus_socket"
#define LEDGER_FOLDER      "ledger"
#define STATE_FOLDER       "/var/lib/sendense-node"

/* Makes this machine's id into one that only our snapshots have. */
#define INSTALLATION_ID \
        SD_ID128_MAKE(5c, 1f, 0d, 31, 7a, 3e, 4b, 0c, 9b, 27, 8e, 64, 10, a8, d2, 93)

enum {
        REQUEST_NAME_PRIMARY_OWNER = 1, /* of the D-Bus specification */
};

static const Secret *find_credential(const char *unit, const char *credential, void *userdata)
{
        const Node *node = userdata;
        bool is_keys = strcmp(credential, TLS_PSK_FILE) == 0;

        if (!is_keys && strcmp(credential, CREDENTIAL_VCENTER) != 0)
                return NULL;
        for (size_t i = 0; i < node->n_tasks; i++)
                if (strcmp(node->tasks[i]->unit, unit) == 0 &&
                    !task_state_is_final(node->tasks[i]->state))
                        return is_keys ? node->tasks[i]->keys : node->tasks[i]->password;
        return is_keys ? NULL : asks_password(node->asks, unit);
}

static void on_progress(uint64_t job, uint32_t disk_key, uint64_t bytes_done, uint64_t bytes_total,
                        void *userdata)
{
        Task *task = node_find(userdata, job);

        if (task && task->state == TASK_COPYING &&
            task_progress(task, disk_key, bytes_done, bytes_total))
                bus_task_moved(task);
}

static void take_up(Node *node)
{
        for (size_t i = 0; i < node->n_tasks; i++)
                task_recover(node->tasks[i],
                             strcmp(task_text(node->tasks[i], "BootId"), node->boot_id) == 0);
        inhibitor_set(node->inhibitor, node_n_owed(node) > 0);
        node_units_tidy(node);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
        Node *node = userdata;

        (void) source;
        (void) log_event(LOG_INFO, 0, NULL, MESSAGE_NONE, "Stopping after SIG%s",
                         sigabbrev_np((int) info->ssi_signo) ?: "?");
        node->is_stopping = true;
        (void) sd_notify(false, "STOPPING=1");
        return sd_event_exit(node->event, EXIT_SUCCESS);
}

static int on_bus_lost(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Node *node = userdata;

        (void) m, (void) error;
        (void) log_error(0, "Lost the connection to the message bus, ending to be started again");
        return sd_event_exit(node->event, EXIT_FAILURE);
}

static int on_name_answer(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        const sd_bus_error *error = sd_bus_message_get_error(m);
        Node *node = userdata;
        uint32_t answer = 0;

        (void) ret_error;
        if (error || sd_bus_message_read(m, "u", &answer) < 0 ||
            answer != REQUEST_NAME_PRIMARY_OWNER) {
                (void) log_error(0,
                                 "Cannot have the bus name %s: %s. Is com.sendense.Node1.conf "
                                 "installed, and does no "
                                 "other sendense-node run?",
                                 NODE_BUS_NAME,
                                 error ? error->message ?: error->name : "it is taken");
                return sd_event_exit(node->event, EXIT_FAILURE);
        }
        node->has_name = true;
        (void) sd_notifyf(false, "READY=1\nSTATUS=%zu jobs in the ledger", node->n_tasks);
        (void) log_event(LOG_INFO, 0, NULL, MESSAGE_NODE_READY,
                         "Ready on the bus as %s, version %s", NODE_BUS_NAME, build_version());
        take_up(node);
        return 0;
}

static int start_loop(Node *node)
{
        static const int signals[] = { SIGTERM, SIGINT };
        sigset_t mask;
        int r;

        (void) sigemptyset(&mask);
        for (size_t i = 0; i < ELEMENTSOF(signals); i++)
                (void) sigaddset(&mask, signals[i]);
        r = sigprocmask(SIG_BLOCK, &mask, NULL) < 0 ? -errno : sd_event_default(&node->event);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(signals); i++)
                r = sd_event_add_signal(node->event, NULL, signals[i], on_signal, node);
        if (r >= 0)
                r = sd_event_set_watchdog(node->event, true);
        return r < 0 ? log_error(r, "Cannot set up the event loop: %m") : 0;
}

static int start_ledger(Node *node)
{
        const char *state = getenv("STATE_DIRECTORY");
        char folder[256];
        int r;

        (void) snprintf(folder, sizeof(folder), "%s/" LEDGER_FOLDER,
                        state && *state == '/' ? state : STATE_FOLDER);
        r = ledger_open(folder, &node->ledger);
        if (r >= 0)
                r = node_tasks_read(node);
        return r < 0 ? log_error(r, "Cannot read the ledger in %s: %m", folder) : 0;
}

static int start_identity(Node *node)
{
        const char *boot = getenv("SENDENSE_BOOT_ID");
        char text[SD_ID128_STRING_MAX];
        sd_id128_t id;
        int r;

        r = sd_id128_get_machine_app_specific(INSTALLATION_ID, &id);
        if (r < 0)
                return log_error(r, "This machine has no id in /etc/machine-id: %m");
        (void) sd_id128_to_string(id, text);
        (void) snprintf(node->installation, sizeof(node->installation), "%.8s", text);
        if (boot && strlen(boot) == 32) {
                (void) snprintf(node->boot_id, sizeof(node->boot_id), "%s", boot);
                return 0;
        }
        r = sd_id128_get_boot(&id);
        if (r < 0)
                return log_error(r, "Cannot read the id of this boot: %m");
        (void) snprintf(node->boot_id, sizeof(node->boot_id), "%s", sd_id128_to_string(id, text));
        return 0;
}

static int open_bus(sd_bus **ret_bus)
{
        const char *address = secure_getenv("DBUS_SYSTEM_BUS_ADDRESS") ?: SYSTEM_BUS_ADDRESS;
        CLEANUP(sd_bus_unrefp) sd_bus *bus = NULL;
        int r;

        r = sd_bus_new(&bus);
        if (r >= 0)
                r = sd_bus_set_description(bus, "node");
        if (r >= 0)
                r = sd_bus_set_address(bus, address);
        if (r >= 0)
                r = sd_bus_set_bus_client(bus, true);
        if (r >= 0)
                r = sd_bus_start(bus);
        if (r >= 0)
                r = sd_bus_set_close_on_exit(bus, false);
        if (r >= 0)
                *ret_bus = TAKE(bus);
        return r;
}

static int start_bus(Node *node)
{
        int r;

        r = bus_error_register();
        if (r >= 0)
                r = open_bus(&node->bus);
        if (r < 0)
                return log_error(r, "Cannot connect to the message bus: %m");
        r = sd_bus_match_signal(node->bus, NULL, "org.freedesktop.DBus.Local",
                                "/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local",
                                "Disconnected", on_bus_lost, node);
        if (r >= 0)
                r = authority_new(node->bus, &node->authority);
        if (r >= 0)
                r = asks_new(node, &node->asks);
        if (r >= 0)
                r = inhibitor_new(node->bus, &node->inhibitor);
        if (r >= 0)
                r = bus_node_register(node);
        if (r >= 0)
                r = bus_task_register(node);
        if (r >= 0)
                r = sd_bus_attach_event(node->bus, node->event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = units_new(node->bus, UNITS_OF_NODE, node_units_on_unit, node, &node->units);
        if (r >= 0)
                r = sd_bus_request_name_async(node->bus, NULL, NODE_BUS_NAME, 0, on_name_answer,
                                              node);
        return r < 0 ? log_error(r, "Cannot set up the bus objects: %m") : 0;
}

static int start_credentials(Node *node)
{
        char **names = NULL;
        int n = sd_listen_fds_with_names(true, &names), r = 0;

        if (n < 0)
                return log_error(n, "Cannot take what systemd passes: %m");
        for (int i = 0; i < n; i++) {
                int fd = SD_LISTEN_FDS_START + i;

                if (!node->credentials && sd_is_socket_unix(fd, SOCK_STREAM, 1, NULL, 0) > 0)
                        r = credentials_new(node->event, fd, find_credential, node,
                                            &node->credentials);
                else
                        node_tasks_take_kept(node, names[i], fd);
                free(names[i]);
        }
        free(names);
        if (r < 0)
                return log_error(r, "Cannot serve credentials: %m");
        if (!node->credentials)
                (void) log_warning(0, "There is no socket to give passwords through, so no backup "
                                      "can be started; start "
                                      "sendense-node-credentials.socket before the node");
        return 0;
}

static int start_sockets(Node *node)
{
        char path[UNIT_FILE_PATH_SIZE];
        int r;

        r = unit_files_init();
        if (r < 0)
                return log_error(r, "Cannot make the folder for files of units below "
                                    "/run/sendense-node: %m");
        runtime_path(PROGRESS_SOCKET, path);
        r = progress_socket_new(node->event, path, UNITS_OF_NODE, on_progress, node,
                                &node->progress);
        if (r < 0)
                return log_error(r, "Cannot listen on %s: %m", path);
        return start_credentials(node);
}

DEFINE_CLEANUP(Node *, node_free)

int node_new(const NodeConfig *config, Node **ret_node)
{
        CLEANUP(node_free_p) Node *node = calloc(1, sizeof(*node));
        int r;

        if (!node)
                return log_oom();
        node->config = config;
        node->started_usec = clock_realtime_usec();
        r = start_identity(node);
        if (r >= 0)
                r = start_loop(node);
        if (r >= 0)
                r = start_ledger(node);
        if (r >= 0)
                r = start_sockets(node);
        if (r >= 0)
                r = start_bus(node);
        if (r < 0)
                return r;
        *ret_node = TAKE(node);
        return 0;
}

Node *node_free(Node *node)
{
        if (!node)
                return NULL;
        node->is_stopping = true;
        units_free(node->units);
        asks_free(node->asks);
        credentials_free(node->credentials);
        progress_socket_free(node->progress);
        for (size_t i = 0; i < node->n_tasks; i++)
                task_free(node->tasks[i]);
        inhibitor_free(node->inhibitor);
        authority_free(node->authority);
        ledger_close(node->ledger);
        if (node->bus && sd_bus_is_ready(node->bus) > 0)
                (void) sd_bus_flush(node->bus);
        sd_bus_close_unref(node->bus);
        sd_event_unref(node->event);
        free(node);
        return NULL;
}

int node_run(Node *node)
{
        int r = sd_event_loop(node->event);

        if (r < 0)
                (void) log_error(r, "The event loop failed: %m");
        return r < 0 ? EXIT_FAILURE : r;
}
