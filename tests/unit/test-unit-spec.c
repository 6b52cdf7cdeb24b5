/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * busd/hub/unit/unit-spec and unit-message: what each kind of unit asks of systemd, as it stands on the bus;
 * what is refused; and unit-state, which reads systemd's answers.
 */
#include "unit.h"

#include "build-config.h"
#include "cleanup.h"
#include "names.h"
#include "unit-spec.h"
#include "unit/unit-message.h"
#include "unit/unit-state.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static sd_bus *bus;

/* A bus that nobody is at the other end of: messages can be made, and are never sent. */
static int open_bus(void **state)
{
        int pair[2];

        (void) state;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 || sd_bus_new(&bus) < 0 ||
            sd_bus_set_fd(bus, pair[0], pair[0]) < 0 || sd_bus_start(bus) < 0)
                return -1;
        *state = (void *) (intptr_t) pair[1];
        return 0;
}

static int close_bus(void **state)
{
        (void) close((int) (intptr_t) *state);
        sd_bus_close_unref(bus);
        return 0;
}

static sd_bus_message *new_message(void)
{
        sd_bus_message *m = NULL;

        assert_true(sd_bus_message_new_method_call(bus, &m, "a.b", "/a", "a.b", "C") >= 0);
        return m;
}

/* A property as it came over the bus, in words: Name=signature:value value … */
static void print_value(FILE *f, sd_bus_message *m)
{
        const char *contents;
        char type;

        while (sd_bus_message_peek_type(m, &type, &contents) > 0) {
                union {
                        const char *text;
                        uint64_t t;
                        uint32_t u;
                        int32_t b;
                } as;

                if (strchr("ar", type)) {
                        bool is_bytes = strcmp(contents, "y") == 0;
                        const void *bytes;
                        size_t n;

                        if (is_bytes) {
                                assert_true(sd_bus_message_read_array(m, 'y', &bytes, &n) >= 0);
                                (void) fprintf(f, " %.*s", (int) n, (const char *) bytes);
                                continue;
                        }
                        assert_true(sd_bus_message_enter_container(m, type, contents) > 0);
                        print_value(f, m);
                        assert_true(sd_bus_message_exit_container(m) >= 0);
                        continue;
                }
                assert_true(sd_bus_message_read_basic(m, type, &as) > 0);
                if (type == 't')
                        (void) fprintf(f, " %lli", (long long) as.t);
                else if (type == 'u')
                        (void) fprintf(f, " %u", as.u);
                else if (type == 'b')
                        (void) fprintf(f, " %s", as.b ? "yes" : "no");
                else if (type == 'h')
                        (void) fprintf(f, " a descriptor");
                else
                        (void) fprintf(f, " %s", as.text);
        }
}

static void print_properties(FILE *f, sd_bus_message *m)
{
        assert_true(sd_bus_message_enter_container(m, 'a', "(sv)") > 0);
        while (sd_bus_message_enter_container(m, 'r', "sv") > 0) {
                const char *name, *signature;
                char type;

                assert_true(sd_bus_message_read(m, "s", &name) > 0);
                assert_true(sd_bus_message_peek_type(m, &type, &signature) > 0);
                (void) fprintf(f, "%s %s:", name, signature);
                assert_true(sd_bus_message_enter_container(m, 'v', signature) > 0);
                print_value(f, m);
                (void) fprintf(f, "\n");
                assert_true(sd_bus_message_exit_container(m) >= 0);
                assert_true(sd_bus_message_exit_container(m) >= 0);
        }
        assert_true(sd_bus_message_exit_container(m) >= 0);
}

/* The whole call, as PID 1 would read it. Takes the specification. */
static void expect_call(json_t *spec, const char *want)
{
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *m = new_message();
        _cleanup_free_ char *text = NULL;
        const char *unit, *mode;
        size_t size;
        FILE *f;

        assert_int_equal(unit_message_append_spec(m, spec), 0);
        json_decref(spec);
        assert_true(sd_bus_message_seal(m, 1, 0) >= 0);
        assert_string_equal(sd_bus_message_get_signature(m, true), "ssa(sv)a(sa(sv))");
        f = open_memstream(&text, &size);
        if (!f)
                abort();
        assert_true(sd_bus_message_read(m, "ss", &unit, &mode) > 0);
        (void) fprintf(f, "[%s] %s\n", unit, mode);
        print_properties(f, m);
        assert_true(sd_bus_message_enter_container(m, 'a', "(sa(sv))") > 0);
        while (sd_bus_message_enter_container(m, 'r', "sa(sv)") > 0) {
                assert_true(sd_bus_message_read(m, "s", &unit) > 0);
                (void) fprintf(f, "[%s]\n", unit);
                print_properties(f, m);
                assert_true(sd_bus_message_exit_container(m) >= 0);
        }
        (void) fclose(f);
        assert_string_equal(text, want);
}

static const ExportUnit an_export = {
        .job = 7,
        .disk_key = 2000,
        .port = 10100,
        .export_name = "x-$1",
        .image_path = "/r/a b$c%d.partial",
        .error_path = "/run/e.err",
};

static void export_call(void **state)
{
        json_t *spec = NULL;

        (void) state;
        assert_int_equal(unit_spec_export(&an_export, &spec), 0);
        expect_call(spec, "[sendense-export-7-2000.socket] fail\n"
                          "Description s: Sendense Socket of Disk 2000, Job 7\n"
                          "PartOf as: sendense-job@7.target\n"
                          "Slice s: sendense-jobs-7.slice\n"
                          "Listen a(ss): Stream 127.0.0.1:10100\n"
                          "[sendense-export-7-2000.service]\n"
                          "Description s: Sendense Export of Disk 2000, Job 7\n"
                          "PartOf as: sendense-job@7.target\n"
                          "Slice s: sendense-jobs-7.slice\n"
                          "LogExtraFields aay: SENDENSE_JOB=7 SENDENSE_DISK=2000\n"
                          "BindsTo as: sendense-export-7-2000.socket\n"
                          "ReadWritePaths as: -/r/a b$c%d.partial\n"
                          "StandardErrorFileToAppend s: /run/e.err\n"
                          "MemoryMax t: 536870912\n"
                          "Environment as: SENDENSE_EXPORT_NAME=x-$1 SENDENSE_IMAGE=/r/a "
                          "b$c%d.partial SENDENSE_CACHE=writeback SENDENSE_TLS=\n");
}

static void direct_export_is_not_cached(void **state)
{
        const ExportUnit export = {
                .job = 7,
                .disk_key = 2000,
                .port = 10107,
                .export_name = "x",
                .image_path = "/r/a",
                .error_path = "/run/e.err",
                .direct = true,
        };
        json_t *spec = NULL;
        char *text;

        (void) state;
        assert_int_equal(unit_spec_export(&export, &spec), 0);
        text = json_dumps(spec, 0);
        assert_non_null(text);
        assert_non_null(strstr(text, "SENDENSE_CACHE=none"));
        free(text);
        json_decref(spec);
}

/* Where the key is, and not what it is. */
static void export_with_key(void **state)
{
        ExportUnit export = an_export;
        json_t *spec = NULL;
        char *text;

        (void) state;
        export.psk_path = "/run/e.psk";
        assert_int_equal(unit_spec_export(&export, &spec), 0);
        text = json_dumps(spec, JSON_COMPACT);
        assert_non_null(text);
        assert_non_null(strstr(text, "[\"LoadCredential\",\"a(ss)\",[[\"keys.psk\",\"/run/e.psk\"],"
                                     "[\"dh-params.pem\",\"" SENDENSE_DH_PARAMS "\"]]]"));
        assert_non_null(strstr(text, "SENDENSE_TLS=--object tls-creds-psk,id=tls,endpoint=server,"
                                     "dir=/run/credentials/sendense-export-7-2000.service "
                                     "--tls-creds tls\""));
        free(text);
        json_decref(spec);
        export.psk_path = "relative";
        assert_int_equal(unit_spec_export(&export, &spec), -EINVAL);
}

static void image_calls(void **state)
{
        static const char *const paths[] = { "/r/1", "/r/2" };
        ImageUnit image = {
                .job = 7,
                .step = "create-2000",
                .verb = "create",
                .as_export_user = true,
                .write_paths = paths,
                .n_write_paths = 2,
                .in_path = "/run/i",
                .out_path = "/run/o",
                .timeout_usec = 5,
        };
        json_t *spec = NULL;

        (void) state;
        assert_int_equal(unit_spec_image(&image, "/i", &spec), 0);
        expect_call(spec, "[sendense-image-7-create-2000.service] fail\n"
                          "Description s: Sendense Image Work of Job 7, create-2000\n"
                          "PartOf as: sendense-job@7.target\n"
                          "Slice s: sendense-jobs-7.slice\n"
                          "LogExtraFields aay: SENDENSE_JOB=7 SENDENSE_DISK=2000\n"
                          "User s: sendense-export\n"
                          "ReadWritePaths as: -/r/1 -/r/2\n"
                          "StandardInputFile s: /run/i\n"
                          "StandardOutputFileToTruncate s: /run/o\n"
                          "TimeoutStartUSec t: 5\n"
                          "ExecStart a(sasb): /i i create no\n");

        image.step = "commit";
        image.as_export_user = false;
        image.n_write_paths = 0;
        image.timeout_usec = 0;
        assert_int_equal(unit_spec_image(&image, "/i", &spec), 0);
        expect_call(spec, "[sendense-image-7-commit.service] fail\n"
                          "Description s: Sendense Image Work of Job 7, commit\n"
                          "PartOf as: sendense-job@7.target\n"
                          "Slice s: sendense-jobs-7.slice\n"
                          "LogExtraFields aay: SENDENSE_JOB=7\n"
                          "User s: sendense\n"
                          "ReadWritePaths as:\n"
                          "StandardInputFile s: /run/i\n"
                          "StandardOutputFileToTruncate s: /run/o\n"
                          "TimeoutStartUSec t: -1\n"
                          "ExecStart a(sasb): /i i create no\n");

        image.job = 0;
        image.repository_id = 3;
        image.step = "health";
        assert_int_equal(unit_spec_image(&image, "/i", &spec), 0);
        expect_call(spec, "[sendense-repository-3-health.service] fail\n"
                          "Description s: Sendense Repository 3, health\n"
                          "Slice s: sendense-jobs.slice\n"
                          "ReadWritePaths as:\n"
                          "StandardInputFile s: /run/i\n"
                          "StandardOutputFileToTruncate s: /run/o\n"
                          "TimeoutStartUSec t: -1\n"
                          "ExecStart a(sasb): /i i create no\n");
}

static void copy_call(void **state)
{
        CopyUnit copy = {
                .job = 7, .in_path = "/run/i", .out_path = "/run/o", .program = "/x/c d"
        };
        json_t *spec = NULL;

        (void) state;
        assert_int_equal(unit_spec_copy(&copy, &spec), 0);
        expect_call(spec, "[sendense-import-7.service] fail\n"
                          "Description s: Sendense Copy of Job 7\n"
                          "PartOf as: sendense-job@7.target\n"
                          "Slice s: sendense-jobs-7.slice\n"
                          "LogExtraFields aay: SENDENSE_JOB=7\n"
                          "StandardInputFile s: /run/i\n"
                          "StandardOutputFileToTruncate s: /run/o\n"
                          "ExecStart a(sasb): /x/c d c d no\n");
        copy.psk_path = "/run/k";
        assert_int_equal(unit_spec_copy(&copy, &spec), 0);
        expect_call(spec, "[sendense-import-7.service] fail\n"
                          "Description s: Sendense Copy of Job 7\n"
                          "PartOf as: sendense-job@7.target\n"
                          "Slice s: sendense-jobs-7.slice\n"
                          "LogExtraFields aay: SENDENSE_JOB=7\n"
                          "StandardInputFile s: /run/i\n"
                          "StandardOutputFileToTruncate s: /run/o\n"
                          "LoadCredential a(ss): keys.psk /run/k\n"
                          "ExecStart a(sasb): /x/c d c d no\n");
}

/* Root reads sealed layers by its group, not by its power. */
static void work_call(void **state)
{
        const char *const paths[] = { "/srv/back" };
        WorkUnit unit = {
                .kind = UNIT_RESTORE_SERVICE,
                .job = 7,
                .program = "/x/image",
                .verb = "restore",
                .user = "root",
                .write_paths = paths,
                .n_write_paths = 1,
                .in_path = "/run/i",
                .out_path = "/run/o",
        };
        json_t *spec = NULL;

        (void) state;
        assert_int_equal(unit_spec_work(&unit, &spec), 0);
        expect_call(spec, "[sendense-restore-7.service] fail\n"
                          "Description s: Sendense Restore of Job 7\n"
                          "PartOf as: sendense-job@7.target\n"
                          "Slice s: sendense-jobs-7.slice\n"
                          "LogExtraFields aay: SENDENSE_JOB=7\n"
                          "User s: root\n"
                          "SupplementaryGroups as: sendense-export\n"
                          "ReadWritePaths as: -/srv/back\n"
                          "PrivateDevices b: yes\n"
                          "StandardInputFile s: /run/i\n"
                          "StandardOutputFileToTruncate s: /run/o\n"
                          "ExecStart a(sasb): /x/image image restore no\n");
        unit.device = "/dev/x";
        unit.n_write_paths = 0;
        assert_int_equal(unit_spec_work(&unit, &spec), 0);
        expect_call(spec, "[sendense-restore-7.service] fail\n"
                          "Description s: Sendense Restore of Job 7\n"
                          "PartOf as: sendense-job@7.target\n"
                          "Slice s: sendense-jobs-7.slice\n"
                          "LogExtraFields aay: SENDENSE_JOB=7\n"
                          "User s: root\n"
                          "SupplementaryGroups as: sendense-export\n"
                          "ReadWritePaths as:\n"
                          "PrivateDevices b: no\n"
                          "DeviceAllow a(ss): /dev/x rw\n"
                          "StandardInputFile s: /run/i\n"
                          "StandardOutputFileToTruncate s: /run/o\n"
                          "ExecStart a(sasb): /x/image image restore no\n");
        unit.device = "x";
        assert_int_equal(unit_spec_work(&unit, &spec), -EINVAL);
        unit.device = NULL;
        unit.verb = "a b";
        assert_int_equal(unit_spec_work(&unit, &spec), -EINVAL);
        unit.verb = NULL;
        unit.kind = UNIT_IMAGE_SERVICE;
        assert_int_equal(unit_spec_work(&unit, &spec), -EINVAL);
}

/* Its standard input is where files go, so its task is a credential. */
static void files_call(void **state)
{
        const WorkUnit unit = {
                .kind = UNIT_FILES_SERVICE,
                .job = 7,
                .program = "/x/files",
                .verb = "read",
                .stream = 1,
                .in_path = "/run/i",
                .out_path = "/run/o",
        };
        json_t *spec = NULL;

        (void) state;
        assert_int_equal(unit_spec_work(&unit, &spec), 0);
        expect_call(spec, "[sendense-files-7.service] fail\n"
                          "Description s: Sendense Files of Job 7\n"
                          "PartOf as: sendense-job@7.target\n"
                          "Slice s: sendense-jobs-7.slice\n"
                          "LogExtraFields aay: SENDENSE_JOB=7\n"
                          "ReadWritePaths as:\n"
                          "StandardInputFileDescriptor h: a descriptor\n"
                          "LoadCredential a(ss): spec /run/i\n"
                          "StandardOutputFileToTruncate s: /run/o\n"
                          "ExecStart a(sasb): /x/files files read no\n");
}

static void expect_no_spec(ExportUnit bad)
{
        json_t *spec = NULL;

        assert_int_equal(unit_spec_export(&bad, &spec), -EINVAL);
        assert_null(spec);
}

#define expect_no_export(member, value)            \
        do {                                       \
                ExportUnit bad_export = an_export; \
                bad_export.member = (value);       \
                expect_no_spec(bad_export);        \
        } while (0)

static void refused(void **state)
{
        _cleanup_free_ char *longest = unit_repeat('x', 256), *path = unit_repeat('/', 5000);
        const char *wrong[] = { "/r/1", "relative" };
        ImageUnit image = { .job = 7, .step = "x", .verb = "x", .in_path = "/i", .out_path = "/o" };
        const CopyUnit copy = { 0, "/i", "/o", NULL };
        json_t *spec = NULL;

        (void) state;
        expect_no_export(job, 0);
        expect_no_export(job, JOB_NUMBER_MAX + 1);
        expect_no_export(disk_key, 0);
        expect_no_export(port, 0);
        expect_no_export(export_name, NULL);
        expect_no_export(export_name, "");
        expect_no_export(export_name, longest);
        expect_no_export(export_name, "\xff");
        expect_no_export(export_name, "a\nb");
        expect_no_export(image_path, NULL);
        expect_no_export(image_path, "relative");
        expect_no_export(image_path, "/");
        expect_no_export(image_path, path);
        expect_no_export(image_path, "/\xff");
        expect_no_export(image_path, "/r/a\nUser=root");
        expect_no_export(image_path, "/r/a\"b");
        expect_no_export(image_path, "/r/a\\b");
        expect_no_export(image_path, "/r/a\x7f");
        expect_no_export(error_path, "");
        expect_no_export(memory_max, UINT64_MAX);
        longest[255] = '\0';
        {
                ExportUnit good = an_export;

                good.export_name = longest;
                assert_int_equal(unit_spec_export(&good, &spec), 0);
                json_decref(spec);
                spec = NULL;
        }

        assert_int_equal(unit_spec_copy(&copy, &spec), -EINVAL);
        image.write_paths = wrong;
        image.n_write_paths = 2;
        assert_int_equal(unit_spec_image(&image, "/i", &spec), -EINVAL);
        image.n_write_paths = 1;
        assert_int_equal(unit_spec_image(&image, "i", &spec), -EINVAL);
        assert_int_equal(unit_spec_image(&image, "/i$", &spec), -EINVAL);
        image.verb = "x y";
        assert_int_equal(unit_spec_image(&image, "/i", &spec), -EINVAL);
        image.verb = "x";
        image.step = "Not a step";
        assert_int_equal(unit_spec_image(&image, "/i", &spec), -EINVAL);
        image.step = "x";
        image.job = 0;
        assert_int_equal(unit_spec_image(&image, "/i", &spec), -EINVAL);
        image.repository_id = 1;
        image.as_export_user = true;
        assert_int_equal(unit_spec_image(&image, "/i", &spec), -EINVAL);
        assert_null(spec);
}

/* Value and signature, and whether they fit. */
static void values(void **state)
{
        static const struct {
                const char *signature, *value;
                int want;
        } known[] = {
                { "s", "\"x\"", 0 },
                { "s", "1", -EINVAL },
                { "b", "true", 0 },
                { "b", "1", -EINVAL },
                { "y", "255", 0 },
                { "y", "256", -ERANGE },
                { "u", "4294967295", 0 },
                { "u", "4294967296", -ERANGE },
                { "u", "-1", -ERANGE },
                { "i", "-2147483648", 0 },
                { "i", "2147483648", -ERANGE },
                { "t", "-1", 0 },
                { "t", "-2", -ERANGE },
                { "x", "-2", 0 },
                { "t", "\"1\"", -EINVAL },
                { "as", "[]", 0 },
                { "as", "[\"a\",1]", -EINVAL },
                { "as", "\"a\"", -EINVAL },
                { "ay", "\"abc\"", 0 },
                { "ay", "[1,2]", 0 },
                { "(sb)", "[\"a\",true]", 0 },
                { "(sb)", "[\"a\"]", -EINVAL },
                { "(sb)", "[\"a\",true,1]", -EINVAL },
                { "a(sasb)", "[[\"a\",[\"b\",\"c\"],false],[\"a\",[],false]]", 0 },
                { "ss", "[\"a\",\"a\"]", -EINVAL },
                { "", "1", -EINVAL },
                { "a", "[]", -EINVAL },
                { "(s", "[\"a\"]", -EINVAL },
                { ")", "1", -EINVAL },
                { "v", "1", -EINVAL },
                { "a{sv}", "{}", -EINVAL },
                { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaas", "[]", -EINVAL },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(known); i++) {
                CLEANUP(sd_bus_message_unrefp) sd_bus_message *m = new_message();
                json_t *value = json_loads(known[i].value, JSON_DECODE_ANY, NULL);
                int r = unit_message_append(m, known[i].signature, value);

                json_decref(value);
                if ((r < 0 ? r : 0) != known[i].want)
                        fail_msg("%s %s: %i", known[i].signature, known[i].value, r);
        }
}

static void states(void **state)
{
        static const uint8_t id[16] = { 0x01, 0xab, [15] = 0xff };
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *m = new_message();
        UnitState s = { .n_restarts = 9 }, other;
        char job[64] = "untouched", why[UNIT_WHY_SIZE];

        (void) state;
        assert_true(sd_bus_message_open_container(m, 'a', "{sv}") >= 0);
        assert_true(sd_bus_message_append(m, "{sv}", "LoadState", "s", "loaded") >= 0);
        assert_true(sd_bus_message_append(m, "{sv}", "Unknown", "a(ss)", 1, "a", "b") >= 0);
        assert_true(sd_bus_message_append(m, "{sv}", "ActiveState", "s", "failed") >= 0);
        assert_true(sd_bus_message_append(m, "{sv}", "Result", "s", "exit-code") >= 0);
        assert_true(sd_bus_message_append(m, "{sv}", "MainPID", "u", 77) >= 0);
        assert_true(sd_bus_message_append(m, "{sv}", "ExecMainStatus", "i", 203) >= 0);
        assert_true(sd_bus_message_append(m, "{sv}", "ExecMainCode", "i", CLD_EXITED) >= 0);
        assert_true(sd_bus_message_append(m, "{sv}", "Job", "(uo)", 0, "/") >= 0);
        assert_true(sd_bus_message_open_container(m, 'e', "sv") >= 0);
        assert_true(sd_bus_message_append(m, "s", "InvocationID") >= 0);
        assert_true(sd_bus_message_open_container(m, 'v', "ay") >= 0);
        assert_true(sd_bus_message_append_array(m, 'y', id, sizeof(id)) >= 0);
        assert_true(sd_bus_message_close_container(m) >= 0);
        assert_true(sd_bus_message_close_container(m) >= 0);
        assert_true(sd_bus_message_close_container(m) >= 0);
        assert_true(sd_bus_message_seal(m, 1, 0) >= 0);

        assert_true(unit_state_read(m, &s, job, sizeof(job)) >= 0);
        assert_true(s.exists);
        assert_string_equal(s.active, "failed");
        assert_string_equal(s.sub, "");
        assert_int_equal(s.main_pid, 77);
        assert_int_equal(s.n_restarts, 9);
        assert_string_equal(s.invocation_id, "01ab00000000000000000000000000ff");
        assert_string_equal(job, "");

        unit_state_why(&s, why);
        assert_string_equal(why, "result exit-code, status 203 (its program is missing or cannot "
                                 "be run)");
        assert_int_equal(unit_state_to_errno(&s), -ENOEXEC);
        s.exec_status = 226;
        assert_int_equal(unit_state_to_errno(&s), -EIO);
        s.exec_status = 1;
        assert_int_equal(unit_state_to_errno(&s), -EREMOTEIO);
        other = s;
        assert_true(unit_state_equal(&s, &other));
        other.n_restarts++;
        assert_false(unit_state_equal(&s, &other));
        s = (UnitState){ .exists = true, .result = "signal", .exec_code = CLD_KILLED };
        s.exec_status = SIGKILL;
        assert_int_equal(unit_state_to_errno(&s), -EIO);
        unit_state_why(&s, why);
        assert_string_equal(why, "result signal, signal KILL");
        s.exists = false;
        unit_state_why(&s, why);
        assert_string_equal(why, "it is gone");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(export_call),     cmocka_unit_test(direct_export_is_not_cached),
                cmocka_unit_test(export_with_key), cmocka_unit_test(image_calls),
                cmocka_unit_test(copy_call),       cmocka_unit_test(work_call),
                cmocka_unit_test(files_call),      cmocka_unit_test(refused),
                cmocka_unit_test(values),          cmocka_unit_test(states),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, open_bus, close_bus);
}
