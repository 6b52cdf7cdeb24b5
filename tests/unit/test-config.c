/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lib/config: every error line in its exact words, because an operator reads nothing else at that
 * moment; files that cannot be read, drop-ins, and the limits at max and max+1. The hub's table serves
 * as the example; its own settings are tested in test-hub-config.c.
 */
#include "unit.h"

#include "cleanup.h"
#include "hub-config.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>

static void expect_error_of(const char *text, size_t size, const char *want)
{
        CLEANUP(hub_config_done) HubConfig config = {};
        _cleanup_free_ char *error = NULL;

        assert_int_equal(hub_config_load_text(&config, "hub.conf", text, size, &error), -EINVAL);
        assert_non_null(error);
        assert_string_equal(error, want);
}

static void expect_error(const char *text, const char *want)
{
        expect_error_of(text, strlen(text), want);
}

static void values(void **state)
{
        static const char text[] = "# comment\n; another\n\n"
                                   "[Hub]\r\n"
                                   " LogLevel = debug \n"
                                   "[Database]\n"
                                   "Socket=/srv/bühne/x.sock\n"
                                   "ProbeSec=500ms\n"
                                   "[Exports]\n"
                                   "Ports=20000-20000\n"
                                   "[Hub]\n"
                                   "[Database]\n"
                                   "Name=a_1";
        CLEANUP(hub_config_done) HubConfig config = {};
        _cleanup_free_ char *error = NULL;

        (void) state;
        assert_int_equal(hub_config_load_text(&config, "hub.conf", text, strlen(text), &error), 0);
        assert_int_equal(config.log_level, LOG_DEBUG);
        assert_string_equal(config.database_socket, "/srv/bühne/x.sock");
        assert_int_equal(config.database_probe_usec, 500000);
        assert_int_equal(config.export_ports.first, 20000);
        assert_int_equal(config.export_ports.last, 20000);
        assert_string_equal(config.database_name, "a_1");
        assert_string_equal(config.config.origins[0].file, "hub.conf");
        assert_int_equal(config.config.origins[0].line, 5);
        assert_string_equal(config_value(&config.config, 0), "debug");
}

static void errors_of_lines(void **state)
{
        (void) state;
        expect_error("[Hub]\nLogLevel=loud\n",
                     "hub.conf:2: [Hub] LogLevel=loud must be one of emerg, alert, crit, err, "
                     "warning, notice, info, debug");
        expect_error("[Database]\nPort=3306\n",
                     "hub.conf:2: unknown key Port= in [Database], must be one of Socket=, Name=, "
                     "User=, ConnectTimeoutSec=, QueryTimeoutSec=, ProbeSec=");
        expect_error("[Nodes]\n", "hub.conf:1: unknown section [Nodes], must be one of [Hub], "
                                  "[Database], [Exports], [Jobs], [Repositories], [Backup], "
                                  "[Restore], [Files], [Verify], [Tunnel], [Api]");
        expect_error("[]\n", "hub.conf:1: unknown section [], must be one of [Hub], [Database], "
                             "[Exports], [Jobs], [Repositories], [Backup], [Restore], [Files], "
                             "[Verify], [Tunnel], [Api]");
        expect_error("[hub]\n", "hub.conf:1: unknown section [hub], must be one of [Hub], "
                                "[Database], [Exports], [Jobs], [Repositories], [Backup], "
                                "[Restore], [Files], [Verify], [Tunnel], [Api]");
        expect_error("\n[Hub\n", "hub.conf:2: section header '[Hub' must end in ']'");
        expect_error("[\n", "hub.conf:1: section header '[' must end in ']'");
        expect_error("LogLevel=info\n", "hub.conf:1: LogLevel= must stand below a [Section]");
        expect_error("[Hub]\nLogLevel\n",
                     "hub.conf:2: 'LogLevel' must be a [Section] or a Key=value");
        expect_error("[Hub]\n=info\n",
                     "hub.conf:2: unknown key = in [Hub], must be one of LogLevel=");
        expect_error("[Hub]\nLogLevel=info\n[Hub]\nLogLevel=info\n",
                     "hub.conf:4: [Hub] LogLevel= is set in line 2 already, must be set once");
        expect_error("[Hub]\nLogLevel=\\\ninfo\n",
                     "hub.conf:2: a line must not be continued by '\\'");
}

static void errors_of_bytes(void **state)
{
        (void) state;
        expect_error_of("[Hub]\n\0LogLevel=info\n", 22,
                        "hub.conf:2: byte 0x00 must not be in a text file");
        expect_error("[Hub]\nLog\x01Level=info\n",
                     "hub.conf:2: byte 0x01 must not be in a text file");
        expect_error("# \x1b[2J\n", "hub.conf:1: byte 0x1b must not be in a text file");
        expect_error("# \x7f\n", "hub.conf:1: byte 0x7f must not be in a text file");
        expect_error("# B\xfchne in Latin 1\n", "hub.conf:1: must be UTF-8 text");
}

static void longest_line(void **state)
{
        _cleanup_free_ char *line1024 = unit_repeat('#', 1024), *line1025 = unit_repeat('#', 1025);
        CLEANUP(hub_config_done) HubConfig config = {};
        _cleanup_free_ char *error = NULL;

        (void) state;
        assert_int_equal(hub_config_load_text(&config, "hub.conf", line1024, 1024, &error), 0);
        expect_error(line1025, "hub.conf:1: line has 1025 bytes, must have 1024 at most");
}

/* A folder with a hub.conf and its drop-ins. */
typedef struct Tree {
        char *folder, *file, *dropins;
} Tree;

static Tree tree_new(void)
{
        Tree tree = { .folder = unit_folder() };

        tree.file = unit_path(tree.folder, "hub.conf");
        tree.dropins = unit_path(tree.folder, "hub.conf.d");
        assert_int_equal(mkdir(tree.dropins, 0755), 0);
        return tree;
}

static void tree_done(Tree *tree)
{
        free(tree->folder);
        free(tree->file);
        free(tree->dropins);
}

static void tree_add(const Tree *tree, const char *name, const char *text)
{
        _cleanup_free_ char *path = unit_path(tree->dropins, name);

        unit_write(path, text, strlen(text), 0644);
}

/* Loads the tree; the error must be "FOLDER" followed by want. */
static void expect_tree_error(const Tree *tree, int r, const char *want)
{
        CLEANUP(hub_config_done) HubConfig config = {};
        _cleanup_free_ char *error = NULL;

        assert_int_equal(hub_config_load(&config, tree->file, &error), r);
        assert_non_null(error);
        assert_memory_equal(error, tree->folder, strlen(tree->folder));
        assert_string_equal(error + strlen(tree->folder), want);
}

static void drop_ins(void **state)
{
        static const char text[] = "[Api]\nPort=1\n[Hub]\nLogLevel=err\n";
        CLEANUP(tree_done) Tree tree = tree_new();
        CLEANUP(hub_config_done) HubConfig config = {};
        _cleanup_free_ char *error = NULL;

        (void) state;
        unit_write(tree.file, text, strlen(text), 0644);
        tree_add(&tree, "20-b.conf", "[Api]\nPort=3\n");
        tree_add(&tree, "10-a.conf", "[Api]\nPort=2\n[Tunnel]\nSshPort=2222\n");
        tree_add(&tree, "30-c.conf", "[Tunnel]\nSshPort=\n");
        tree_add(&tree, "99-not.txt", "[Api]\nPort=9\n");
        tree_add(&tree, ".99-hidden.conf", "[Api]\nPort=9\n");
        tree_add(&tree, ".conf", "[Api]\nPort=9\n");

        assert_int_equal(hub_config_load(&config, tree.file, &error), 0);
        assert_int_equal(config.api_port, 3); /* the last one wins */
        assert_int_equal(config.log_level, LOG_ERR); /* what no drop-in touches stays */
        assert_int_equal(config.ssh_port, 443); /* an empty value is the default again */

        for (size_t i = 0; i < hub_config_n_keys; i++)
                if (strcmp(hub_config_keys[i].name, "SshPort") == 0) {
                        assert_string_equal(config_value(&config.config, i), "443");
                        assert_non_null(strstr(config.config.origins[i].file, "30-c.conf"));
                        assert_int_equal(config.config.origins[i].line, 2);
                }
}

static void loaded_twice(void **state)
{
        CLEANUP(hub_config_done) HubConfig config = {};
        _cleanup_free_ char *error = NULL;
        static const char text[] = "[Database]\nName=other\n";

        (void) state;
        assert_int_equal(hub_config_load_text(&config, "a", text, strlen(text), &error), 0);
        assert_string_equal(config.database_name, "other");
        assert_int_equal(hub_config_load_text(&config, "b", "", 0, &error), 0);
        assert_string_equal(config.database_name, "sendense");
        assert_null(config.config.origins[2].file);
}

static void missing_files(void **state)
{
        CLEANUP(tree_done) Tree tree = tree_new();
        CLEANUP(hub_config_done) HubConfig config = {};
        _cleanup_free_ char *error = NULL, *link = unit_path(tree.dropins, "10-gone.conf");

        (void) state;
        assert_int_equal(hub_config_load(&config, tree.file, &error), 0);
        assert_int_equal(rmdir(tree.dropins), 0);
        assert_int_equal(hub_config_load(&config, tree.file, &error), 0);

        assert_int_equal(mkdir(tree.dropins, 0755), 0);
        assert_int_equal(symlink("/dev/null", link), 0);
        assert_int_equal(hub_config_load(&config, tree.file, &error), 0);
        assert_int_equal(unlink(link), 0);
        assert_int_equal(symlink("nowhere", link), 0);
        expect_tree_error(&tree, -ENOENT,
                          "/hub.conf.d/10-gone.conf: leads nowhere, must be a text file or a link "
                          "to one");
}

static void unreadable_files(void **state)
{
        CLEANUP(tree_done) Tree tree = tree_new();
        _cleanup_free_ char *large = unit_repeat('\n', CONFIG_FILE_SIZE_MAX + 1);
        CLEANUP(hub_config_done) HubConfig config = {};
        _cleanup_free_ char *error = NULL;

        (void) state;
        assert_int_equal(mkdir(tree.file, 0755), 0);
        expect_tree_error(&tree, -EISDIR,
                          "/hub.conf: cannot be read: Is a directory; must be a text file that "
                          "this user can read");
        assert_int_equal(rmdir(tree.file), 0);

        assert_int_equal(mkfifo(tree.file, 0644), 0);
        expect_tree_error(&tree, -EINVAL,
                          "/hub.conf: cannot be read: Invalid argument; must be a text file that "
                          "this user can read");
        assert_int_equal(unlink(tree.file), 0);

        unit_write(tree.file, large, CONFIG_FILE_SIZE_MAX + 1, 0644);
        expect_tree_error(&tree, -EFBIG, "/hub.conf: is too large, must have 65536 bytes at most");
        unit_write(tree.file, large, CONFIG_FILE_SIZE_MAX, 0644);
        assert_int_equal(hub_config_load(&config, tree.file, &error), 0);
        assert_int_equal(unlink(tree.file), 0);

        assert_int_equal(rmdir(tree.dropins), 0);
        unit_write(tree.dropins, "", 0, 0644);
        expect_tree_error(&tree, -ENOTDIR,
                          "/hub.conf.d: cannot be read: Not a directory; must be a folder that "
                          "this user can read");
}

/* Root may read everything, so the question is asked by somebody else. */
static void forbidden_file(void **state)
{
        CLEANUP(tree_done) Tree tree = tree_new();
        int status = 0;
        pid_t pid;

        (void) state;
        unit_write(tree.file, "", 0, 0);
        assert_int_equal(chmod(tree.folder, 0755), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                HubConfig config = {};
                char *error = NULL, *want = NULL;
                int r;

                if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
                        _exit(2);
                r = hub_config_load(&config, tree.file, &error);
                if (asprintf(&want,
                             "%s: cannot be read: Permission denied; must be a text file "
                             "that this user can read",
                             tree.file) < 0)
                        _exit(3);
                _exit(r == -EACCES && error && strcmp(error, want) == 0 ? 0 : 1);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
}

static void too_many_drop_ins(void **state)
{
        CLEANUP(tree_done) Tree tree = tree_new();
        CLEANUP(hub_config_done) HubConfig config = {};
        _cleanup_free_ char *error = NULL;
        char name[32];

        (void) state;
        for (int i = 0; i < CONFIG_DROPINS_MAX; i++) {
                (void) snprintf(name, sizeof(name), "%02i.conf", i);
                tree_add(&tree, name, "");
        }
        assert_int_equal(hub_config_load(&config, tree.file, &error), 0);
        tree_add(&tree, "more.conf", "");
        expect_tree_error(&tree, -E2BIG, "/hub.conf.d: holds 65 drop-ins, must hold 64 at most");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(values),          cmocka_unit_test(errors_of_lines),
                cmocka_unit_test(errors_of_bytes), cmocka_unit_test(longest_line),
                cmocka_unit_test(drop_ins),        cmocka_unit_test(loaded_twice),
                cmocka_unit_test(missing_files),   cmocka_unit_test(unreadable_files),
                cmocka_unit_test(forbidden_file),  cmocka_unit_test(too_many_drop_ins),
        };

        return RUN_TESTS(tests);
}
