/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lib/log: which fields a line has when it goes to the journal (sd_journal_sendv() is replaced by the
 * linker), and what a terminal gets.
 */
#include "unit.h"

#include "cleanup.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>

int __wrap_sd_journal_sendv(const struct iovec *iov, int n);

static char sent[8192];
static int n_sent;
static int send_result;

int __wrap_sd_journal_sendv(const struct iovec *iov, int n)
{
        char *p = sent;

        n_sent++;
        for (int i = 0; i < n; i++) {
                assert_true(iov[i].iov_len < (size_t) (sent + sizeof(sent) - p) - 2);
                p = mempcpy(p, iov[i].iov_base, iov[i].iov_len);
                *p++ = '\n';
        }
        *p = '\0';
        return send_result;
}

static void expect_field(const char *field)
{
        _cleanup_free_ char *line = NULL, *text = NULL;

        assert_true(asprintf(&line, "\n%s\n", field) > 0);
        assert_true(asprintf(&text, "\n%s", sent) > 0);
        if (!strstr(text, line))
                fail_msg("no field %s in:%s", field, text);
}

/* stderr becomes a file, and the journal's stream when is_journal. The old stderr. */
static int redirect(const char *path, bool is_journal)
{
        _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        int saved = dup(STDERR_FILENO);
        struct stat st;
        char stream[64];

        assert_true(fd >= 0 && saved >= 0);
        assert_int_equal(fstat(fd, &st), 0);
        (void) snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t) st.st_dev,
                        (uintmax_t) st.st_ino + (is_journal ? 0 : 1));
        assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
        assert_true(dup2(fd, STDERR_FILENO) >= 0);
        log_open("unit");
        n_sent = 0;
        send_result = 0;
        sent[0] = '\0';
        return saved;
}

static char *restore(const char *path, int saved)
{
        char *text = calloc(1, 8192);
        FILE *f = fopen(path, "re");

        assert_true(dup2(saved, STDERR_FILENO) >= 0);
        (void) close(saved);
        assert_non_null(text);
        assert_non_null(f);
        assert_true(fread(text, 1, 8191, f) < 8191);
        (void) fclose(f);
        return text;
}

static void fields_reach_the_journal(void **state)
{
        const LogContext context = {
                .job = 42,
                .vm = "Büro [1]",
                .disk = "2000",
                .phase = "copying",
                .node = "north",
                .principal = "uid:1000",
        };
        _cleanup_free_ char *folder = unit_folder(), *path = unit_path(folder, "stderr");
        _cleanup_free_ char *text = NULL;
        int saved = redirect(path, true), r;

        (void) state;
        r = log_event(LOG_WARNING, -ENOSPC, &context, MESSAGE_DATABASE_LOST, "Cannot write %s: %m",
                      "it");
        text = restore(path, saved);

        assert_int_equal(r, -ENOSPC);
        assert_string_equal(text, "");
        assert_int_equal(n_sent, 1);
        expect_field("MESSAGE=Cannot write it: No space left on device");
        expect_field("PRIORITY=4");
        expect_field("SYSLOG_IDENTIFIER=unit");
        expect_field("ERRNO=28");
        expect_field("MESSAGE_ID=a09d5268225d4992b30124ac015209cf");
        expect_field("SENDENSE_JOB=42");
        expect_field("SENDENSE_VM=Büro [1]");
        expect_field("SENDENSE_DISK=2000");
        expect_field("SENDENSE_PHASE=copying");
        expect_field("SENDENSE_NODE=north");
        expect_field("SENDENSE_PRINCIPAL=uid:1000");
        expect_field("CODE_FUNC=fields_reach_the_journal");
        assert_non_null(strstr(sent, "\nCODE_FILE="));
        assert_non_null(strstr(sent, "\nCODE_LINE="));
}

static void empty_fields_are_left_out(void **state)
{
        _cleanup_free_ char *folder = unit_folder(), *path = unit_path(folder, "stderr");
        int saved = redirect(path, true);

        (void) state;
        log_info("plain");
        free(restore(path, saved));
        expect_field("MESSAGE=plain");
        assert_null(strstr(sent, "SENDENSE_"));
        assert_null(strstr(sent, "MESSAGE_ID="));
        assert_null(strstr(sent, "ERRNO="));
}

static void long_texts_are_cut(void **state)
{
        _cleanup_free_ char *folder = unit_folder(), *path = unit_path(folder, "stderr");
        _cleanup_free_ char *vm = unit_repeat('v', 600), *message = unit_repeat('m', 5000);
        const LogContext context = { .vm = vm };
        int saved = redirect(path, true);
        const char *field;

        (void) state;
        (void) log_event(LOG_INFO, 0, &context, MESSAGE_NONE, "%s", message);
        free(restore(path, saved));
        field = strstr(sent, "SENDENSE_VM=");
        assert_non_null(field);
        assert_int_equal(strcspn(field, "\n"), 511);
        assert_int_equal(strcspn(sent, "\n"), 4095);
}

static void levels_are_obeyed(void **state)
{
        _cleanup_free_ char *folder = unit_folder(), *path = unit_path(folder, "stderr");
        int saved = redirect(path, true);

        (void) state;
        log_set_level(LOG_WARNING);
        log_notice("not this");
        assert_int_equal(n_sent, 0);
        assert_int_equal(log_warning(-EIO, "this"), -EIO);
        assert_int_equal(n_sent, 1);
        assert_int_equal(log_get_level(), LOG_WARNING);
        log_set_level(LOG_INFO);
        log_debug("not this");
        assert_int_equal(n_sent, 1);
        free(restore(path, saved));
}

static void plain_text_is_one_line(void **state)
{
        _cleanup_free_ char *folder = unit_folder(), *path = unit_path(folder, "stderr");
        _cleanup_free_ char *text = NULL;
        int saved = redirect(path, false);

        (void) state;
        errno = EPERM;
        (void) log_error(-ENOENT, "VM %s: %m", "a\nunit: forged \x1b[31mred\x7f");
        assert_int_equal(errno, EPERM); /* a log line in an error path must not change the error */
        text = restore(path, saved);
        assert_int_equal(n_sent, 0);
        assert_string_equal(text, "unit: VM a?unit: forged ?[31mred?: No such file or directory\n");
}

static void journal_away(void **state)
{
        _cleanup_free_ char *folder = unit_folder(), *path = unit_path(folder, "stderr");
        _cleanup_free_ char *text = NULL;
        int saved = redirect(path, true);

        (void) state;
        send_result = -ENOTCONN;
        log_info("still to be seen");
        text = restore(path, saved);
        assert_string_equal(text, "unit: still to be seen\n");
}

static void journal_stream_malformed(void **state)
{
        static const char *const streams[] = { "", ":", "1", "1:", ":1", "a:b", "1:2x", "1:2:3" };
        _cleanup_free_ char *folder = unit_folder(), *path = unit_path(folder, "stderr");

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(streams); i++) {
                int saved = redirect(path, true);

                assert_int_equal(setenv("JOURNAL_STREAM", streams[i], 1), 0);
                log_open("unit");
                log_info("text");
                free(restore(path, saved));
                assert_int_equal(n_sent, 0);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(fields_reach_the_journal),
                cmocka_unit_test(empty_fields_are_left_out),
                cmocka_unit_test(long_texts_are_cut),
                cmocka_unit_test(levels_are_obeyed),
                cmocka_unit_test(plain_text_is_one_line),
                cmocka_unit_test(journal_away),
                cmocka_unit_test(journal_stream_malformed),
        };

        return RUN_TESTS(tests);
}
