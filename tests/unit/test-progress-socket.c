/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * busd/unit/progress-socket and progress-sender: real datagrams of real processes. The control groups are
 * a folder made like the kernel's.
 */
#include "unit.h"

#include "cleanup.h"
#include "names.h"
#include "progress.h"
#include "unit/progress-sender.h"
#include "unit/progress-socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

typedef struct Scene {
        sd_event *event;
        ProgressSocket *socket;
        char *folder;
        char *path;
        unsigned n_calls;
        Progress last;
} Scene;

static void remember(uint64_t job, uint32_t disk_key, uint64_t done, uint64_t total, void *userdata)
{
        Scene *scene = userdata;

        scene->n_calls++;
        scene->last = (Progress){ job, disk_key, done, total };
}

/* The group of a job's copy unit, with what its list of processes says. */
static void make_group(const Scene *scene, uint64_t job, const char *processes)
{
        _cleanup_free_ char *slice = NULL, *path = NULL, *file = NULL;
        const char *const above[] = { "sendense.slice", "sendense.slice/sendense-jobs.slice" };

        for (size_t i = 0; i < ELEMENTSOF(above); i++) {
                _cleanup_free_ char *folder = unit_path(scene->folder, above[i]);

                assert_true(mkdir(folder, 0755) == 0 || errno == EEXIST);
        }
        assert_true(asprintf(&slice, "%s/%s/sendense-jobs-%lu.slice", scene->folder, above[1],
                             (unsigned long) job) > 0);
        assert_true(mkdir(slice, 0755) == 0 || errno == EEXIST);
        assert_true(asprintf(&path, "%s/sendense-import-%lu.service", slice, (unsigned long) job) >
                    0);
        assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
        file = unit_path(path, "cgroup.procs");
        unit_write(file, processes, strlen(processes), 0644);
}

static void own_group(const Scene *scene, uint64_t job)
{
        char text[64];

        (void) snprintf(text, sizeof(text), "1\n%i\n", getpid());
        make_group(scene, job, text);
}

static int set_up(void **state)
{
        Scene *scene = calloc(1, sizeof(*scene));

        assert_non_null(scene);
        scene->folder = unit_folder();
        scene->path = unit_path(scene->folder, "p.sock");
        assert_int_equal(sd_event_new(&scene->event), 0);
        assert_int_equal(progress_socket_new(scene->event, scene->path, UNITS_OF_HUB, remember,
                                             scene, &scene->socket),
                         0);
        progress_socket_set_root(scene->socket, scene->folder);
        *state = scene;
        return 0;
}

static int tear_down(void **state)
{
        Scene *scene = *state;

        scene->socket = progress_socket_free(scene->socket);
        assert_int_equal(access(scene->path, F_OK), -1);
        sd_event_unref(scene->event);
        free(scene->folder);
        free(scene->path);
        free(scene);
        return 0;
}

static int send_bytes(const Scene *scene, const void *data, size_t size)
{
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        assert_true(fd >= 0);
        (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s", scene->path);
        if (sendto(fd, data, size, MSG_DONTWAIT, (const struct sockaddr *) &address,
                   sizeof(address)) < 0)
                return -errno;
        return 0;
}

static int send_progress(const Scene *scene, const Progress *progress)
{
        char text[PROGRESS_TEXT_SIZE];

        assert_int_equal(progress_make(progress, text), 0);
        return send_bytes(scene, text, strlen(text));
}

/* Until nothing is waiting. */
static unsigned run_all(const Scene *scene)
{
        unsigned n = 0;

        while (sd_event_run(scene->event, 0) > 0)
                n++;
        return n;
}

static void expect_counts(const Scene *scene, uint64_t taken, uint64_t malformed, uint64_t foreign)
{
        ProgressCounts counts = progress_socket_counts(scene->socket);

        assert_int_equal(counts.n_taken, taken);
        assert_int_equal(counts.n_malformed, malformed);
        assert_int_equal(counts.n_foreign, foreign);
        assert_int_equal(scene->n_calls, taken);
}

static void own_job(void **state)
{
        Scene *scene = *state;
        struct stat st;

        assert_int_equal(stat(scene->path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0666);
        own_group(scene, 7);
        assert_int_equal(send_progress(scene, &(Progress){ 7, 2000, 1, 3 }), 0);
        assert_int_equal(send_progress(scene, &(Progress){ 7, 2001, 2, 3 }), 0);
        assert_int_equal(run_all(scene), 1);
        expect_counts(scene, 2, 0, 0);
        assert_true(scene->last.job == 7 && scene->last.disk_key == 2001);
        assert_true(scene->last.bytes_done == 2 && scene->last.bytes_total == 3);
}

static void strangers(void **state)
{
        Scene *scene = *state;
        pid_t child;
        int status;

        own_group(scene, 7);
        make_group(scene, 8, "1\n99999999\n");
        make_group(scene, 9, "");
        make_group(scene, 10, "-1\nx\n0\n\n");
        for (uint64_t job = 8; job <= 11; job++)
                assert_int_equal(send_progress(scene, &(Progress){ job, 2000, 1, 3 }), 0);
        child = fork();
        if (child == 0)
                _exit(send_progress(scene, &(Progress){ 7, 2000, 1, 3 }) < 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        (void) run_all(scene);
        expect_counts(scene, 0, 0, 5);
}

static void garbage(void **state)
{
        Scene *scene = *state;
        _cleanup_free_ char *big = unit_repeat(' ', 60000);

        own_group(scene, 7);
        assert_int_equal(send_bytes(scene, "", 0), 0);
        assert_int_equal(send_bytes(scene, "{", 1), 0);
        assert_int_equal(send_bytes(scene, "\0\0\0", 3), 0);
        assert_int_equal(send_bytes(scene, big, 60000), 0);
        assert_int_equal(send_bytes(scene, big, PROGRESS_SIZE_MAX + 1), 0);
        (void) run_all(scene);
        expect_counts(scene, 0, 5, 0);
        /* And goes on. */
        assert_int_equal(send_progress(scene, &(Progress){ 7, 2000, 1, 3 }), 0);
        (void) run_all(scene);
        expect_counts(scene, 1, 5, 0);
}

static void descriptors_do_not_stay(void **state)
{
        Scene *scene = *state;
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        struct iovec part = { .iov_base = (void *) "x", .iov_len = 1 };
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(8 * sizeof(int))];
        } control = {};
        struct msghdr message = {
                .msg_name = &address,
                .msg_namelen = sizeof(address),
                .msg_iov = &part,
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = sizeof(control),
        };
        int fds[8];
        unsigned before;

        for (size_t i = 0; i < ELEMENTSOF(fds); i++)
                fds[i] = STDIN_FILENO;
        (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s", scene->path);
        control.header = (struct cmsghdr){
                .cmsg_len = CMSG_LEN(sizeof(fds)),
                .cmsg_level = SOL_SOCKET,
                .cmsg_type = SCM_RIGHTS,
        };
        memcpy(CMSG_DATA(&control.header), fds, sizeof(fds));
        assert_int_equal(sendmsg(fd, &message, MSG_DONTWAIT), 1);
        before = unit_count_descriptors();
        (void) run_all(scene);
        expect_counts(scene, 0, 1, 0);
        assert_int_equal(unit_count_descriptors(), before);
}

static int eventfd_ready(void)
{
        int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);

        assert_true(fd >= 0);
        return fd;
}

static int on_other(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        bool *seen = userdata;

        (void) source;
        (void) fd;
        (void) events;
        *seen = true;
        return 0;
}

/* Sends until the kernel's queue is full; the number that went through. */
static uint64_t fill(const Scene *scene)
{
        uint64_t n = 0;

        while (send_bytes(scene, "flood", 5) == 0)
                n++;
        return n;
}

/* What else there is goes first, a dispatch has an end, and after its share of a second the socket is left
 * alone. */
static void flood(void **state)
{
        Scene *scene = *state;
        _cleanup_close_ int other = eventfd_ready();
        uint64_t n_seen = 0;
        unsigned n_rounds = 0;
        bool seen = false;

        assert_int_equal(sd_event_add_io(scene->event, NULL, other, EPOLLIN | EPOLLET, on_other,
                                         &seen),
                         0);
        assert_true(fill(scene) > 0);
        assert_true(sd_event_run(scene->event, 0) > 0);
        assert_true(seen);
        expect_counts(scene, 0, 0, 0);
        for (int i = 0; i < 1000; i++) {
                ProgressCounts counts;

                (void) fill(scene);
                (void) sd_event_run(scene->event, 0);
                counts = progress_socket_counts(scene->socket);
                assert_true(counts.n_malformed - n_seen <= 64);
                n_rounds += counts.n_malformed > n_seen;
                n_seen = counts.n_malformed;
        }
        print_message("of 1000 rounds against a full queue %u were served\n", n_rounds);
        assert_true(n_rounds > 0);
        assert_true(n_rounds < 1000);
}

static void paths(void **state)
{
        Scene *scene = *state;
        _cleanup_free_ char *none = unit_path(scene->folder, "none/p.sock");
        _cleanup_free_ char *left = unit_path(scene->folder, "left"), *deep = unit_repeat('x', 200);
        ProgressSocket *s = NULL;

        deep[0] = '/';
        assert_int_equal(progress_socket_new(scene->event, "p", UNITS_OF_HUB, remember, scene, &s),
                         -EINVAL);
        assert_int_equal(progress_socket_new(scene->event, deep, UNITS_OF_HUB, remember, scene, &s),
                         -ENAMETOOLONG);
        assert_int_equal(progress_socket_new(scene->event, none, UNITS_OF_HUB, remember, scene, &s),
                         -ENOENT);
        assert_null(s);
        assert_null(progress_socket_free(NULL));

        /* What an earlier hub left there is replaced. */
        unit_write(left, "", 0, 0600);
        assert_int_equal(progress_socket_new(scene->event, left, UNITS_OF_HUB, remember, scene, &s),
                         0);
        assert_null(progress_socket_free(s));
        assert_int_equal(access(left, F_OK), -1);
}

static void senders(void **state)
{
        Scene *scene = *state;
        _cleanup_free_ char *many = unit_repeat('1', 100000);

        own_group(scene, 7);
        assert_true(progress_sender_is_copy(scene->folder, UNITS_OF_HUB, 7, getpid()));
        assert_true(progress_sender_is_copy(scene->folder, UNITS_OF_HUB, 7, 1));
        assert_false(progress_sender_is_copy(scene->folder, UNITS_OF_HUB, 7, 0));
        assert_false(progress_sender_is_copy(scene->folder, UNITS_OF_HUB, 7, -1));
        assert_false(progress_sender_is_copy(scene->folder, UNITS_OF_HUB, 7, getpid() + 1));
        assert_false(progress_sender_is_copy(scene->folder, UNITS_OF_HUB, 0, getpid()));
        assert_false(progress_sender_is_copy(scene->folder, UNITS_OF_HUB, JOB_NUMBER_MAX + 1,
                                             getpid()));
        assert_false(progress_sender_is_copy("/nonexistent", UNITS_OF_HUB, 7, getpid()));
        make_group(scene, 7, many);
        assert_false(progress_sender_is_copy(scene->folder, UNITS_OF_HUB, 7, 1));
        assert_int_equal(access(progress_sender_root(), F_OK), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(own_job, set_up, tear_down),
                cmocka_unit_test_setup_teardown(strangers, set_up, tear_down),
                cmocka_unit_test_setup_teardown(garbage, set_up, tear_down),
                cmocka_unit_test_setup_teardown(descriptors_do_not_stay, set_up, tear_down),
                cmocka_unit_test_setup_teardown(flood, set_up, tear_down),
                cmocka_unit_test_setup_teardown(paths, set_up, tear_down),
                cmocka_unit_test_setup_teardown(senders, set_up, tear_down),
        };

        return RUN_TESTS(tests);
}
