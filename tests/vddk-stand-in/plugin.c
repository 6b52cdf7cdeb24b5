/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An nbdkit plugin that stands in for "vddk" in tests: it takes the same parameters, checks what the real one
 * checks, reads the password the same way, and executes itself once more after it has read its
 * parameters, as the real one does to set LD_LIBRARY_PATH: what systemd's socket activation handed over is
 * gone then, and the password goes on by a descriptor. It shows that our command line and our way of the data
 * are right. It shows nothing about VDDK or NFC.
 *
 * libdir= is where the real one finds its library. Here it is the folder of a stand-in host:
 *   datastores/NAME  the files of that datastore: "[NAME] a/b.vmdk" is datastores/NAME/a/b-flat.vmdk
 *   thumbprint       what thumbprint= must be, as VDDK itself demands it
 *   password         what the password must be
 *   log              if it is there, a line for each start and each connection is added
 *   die-at-read      a number: the process kills itself at the read of that number, once
 *   stop-at-read     the same, but it stops itself, after it has made the file "stopped"
 *   open-takes       a number: opening takes so many seconds, as one of a busy vCenter or behind a blocked port
 *   complain         connections fail, and the error holds what no error should: the password and a control sequence
 */
#define NBDKIT_API_VERSION 2

#include <nbdkit-plugin.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL

enum {
        SECTOR = 512,
        WORDS_MAX = 64,
        TEXT_MAX = 4096,
};

static char *arg_libdir, *arg_file, *arg_server, *arg_user, *arg_password, *arg_thumbprint, *arg_vm,
                *arg_snapshot;
static bool arg_again; /* we are the second execution */
static atomic_uint_fast64_t n_reads;

/* Kept, or checked and of no effect here. */
static const struct {
        const char *key;
        char **value;
} keys[] = {
        { "libdir", &arg_libdir },
        { "file", &arg_file },
        { "server", &arg_server },
        { "user", &arg_user },
        { "thumbprint", &arg_thumbprint },
        { "vm", &arg_vm },
        { "snapshot", &arg_snapshot },
        { "port", NULL },
        { "nfchostport", NULL },
        { "transports", NULL },
        { "config", NULL },
        { "cookie", NULL },
        { "unbuffered", NULL },
        { "single-link", NULL },
        { "vimapiver", NULL },
};

static int set_compression(const char *value)
{
        static const char *const known[] = { "none", "zlib", "fastlz", "skipz" };

        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
                if (strcmp(value, known[i]) == 0)
                        return 0;
        nbdkit_error("unknown compression type: %s", value);
        return -1;
}

static int stand_in_config(const char *key, const char *value)
{
        if (strcmp(key, "password") == 0) {
                free(arg_password);
                return nbdkit_read_password(value, &arg_password);
        }
        if (strcmp(key, "compression") == 0)
                return set_compression(value);
        if (strcmp(key, "reexeced_") == 0) {
                arg_again = true;
                return 0;
        }
        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
                if (strcmp(key, keys[i].key) != 0)
                        continue;
                if (!keys[i].value)
                        return 0;
                free(*keys[i].value);
                *keys[i].value = NULL;
                return asprintf(keys[i].value, "%s", value) < 0 ? -1 : 0;
        }
        nbdkit_error("unknown parameter '%s'", key);
        return -1;
}

/* The first line of libdir/name. 0: there is none; -1: said why. */
static int read_note(const char *name, char ret_line[static TEXT_MAX])
{
        char path[TEXT_MAX];
        FILE *f;
        bool found;

        (void) snprintf(path, sizeof(path), "%s/%s", arg_libdir, name);
        f = fopen(path, "re");
        if (!f && errno == ENOENT)
                return 0;
        if (!f) {
                nbdkit_error("%s: %s", path, strerror(errno));
                return -1;
        }
        found = fgets(ret_line, TEXT_MAX, f);
        (void) fclose(f);
        if (!found)
                ret_line[0] = '\0';
        ret_line[strcspn(ret_line, "\n")] = '\0';
        return 1;
}

static void note(const char *what)
{
        char path[TEXT_MAX];
        int fd;

        (void) snprintf(path, sizeof(path), "%s/log", arg_libdir);
        fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
        if (fd < 0)
                return;
        (void) dprintf(fd, "%s pid=%i vm=%s snapshot=%s file=%s listen_fds=%s\n", what,
                       (int) getpid(), arg_vm, arg_snapshot, arg_file,
                       getenv("LISTEN_FDS") ? "yes" : "no");
        (void) close(fd);
}

/* The words of our own command line, from the kernel, as the real one takes them. */
static size_t own_words(char *text, size_t size, char *words[static WORDS_MAX])
{
        int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
        size_t used = 0, n = 0;
        ssize_t got;

        while (fd >= 0 && used < size - 1 && (got = read(fd, text + used, size - 1 - used)) > 0)
                used += (size_t) got;
        if (fd >= 0)
                (void) close(fd);
        text[used] = '\0';
        for (char *p = text; p < text + used && n < WORDS_MAX - 2; p += strlen(p) + 1)
                words[n++] = p;
        return n;
}

/* "password=-FD": whatever way it came, it goes on by a pipe. */
static int password_word(char ret_word[static 32])
{
        int fds[2];
        size_t n = strlen(arg_password);

        if (pipe(fds) < 0 || write(fds[1], arg_password, n) != (ssize_t) n) {
                nbdkit_error("cannot pass the password on: %s", strerror(errno));
                return -1;
        }
        (void) close(fds[1]);
        (void) snprintf(ret_word, 32, "password=-%i", fds[0]);
        return 0;
}

static int execute_again(void)
{
        static char text[64 * 1024], word[32], mark[] = "reexeced_=";
        char *words[WORDS_MAX];
        size_t n = own_words(text, sizeof(text), words);

        if (password_word(word) < 0)
                return -1;
        for (size_t i = 0; i < n; i++)
                if (strncmp(words[i], "password=", strlen("password=")) == 0)
                        words[i] = word;
        words[n++] = mark;
        words[n] = NULL;
        (void) setenv("LD_LIBRARY_PATH", arg_libdir, true);
        (void) execv("/proc/self/exe", words);
        nbdkit_error("cannot execute itself again: %s", strerror(errno));
        return -1;
}

static int stand_in_config_complete(void)
{
        static const struct {
                const char *key;
                char **value;
        } wanted[] = {
                { "server", &arg_server }, { "user", &arg_user }, { "password", &arg_password },
                { "vm", &arg_vm },         { "file", &arg_file }, { "libdir", &arg_libdir },
        };

        for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
                if (!*wanted[i].value) {
                        nbdkit_error("remote connection requested, missing parameter: %s",
                                     wanted[i].key);
                        return -1;
                }
        if (strncmp(arg_vm, "moref=", 6) != 0 || !arg_snapshot) {
                nbdkit_error("vm= and snapshot= must name the snapshot of a machine");
                return -1;
        }
        if (!arg_again)
                return execute_again();
        note("start");
        return 0;
}

/* What VDDK's connection refuses. */
static int check_login(void)
{
        char want[TEXT_MAX];
        int r;

        r = read_note("complain", want);
        if (r > 0) {
                nbdkit_error("VixDiskLib_ConnectEx: not with '%s' \033[2J%s", arg_password, want);
                return -1;
        }
        r = read_note("thumbprint", want);
        if (r > 0 && (!arg_thumbprint || strcasecmp(want, arg_thumbprint) != 0)) {
                nbdkit_error("VixDiskLib_ConnectEx: The thumbprint of the host is another one");
                return -1;
        }
        if (r >= 0)
                r = read_note("password", want);
        if (r > 0 && strcmp(want, arg_password) != 0) {
                nbdkit_error("VixDiskLib_ConnectEx: Cannot complete login due to an incorrect "
                             "user name or password");
                return -1;
        }
        return r < 0 ? -1 : 0;
}

/* "[NAME] a/b.vmdk" to the path of its data. */
static int find_file(char ret_path[static 2 * TEXT_MAX])
{
        const char *end = arg_file[0] == '[' ? strstr(arg_file, "] ") : NULL;
        size_t n = end ? strlen(end + 2) : 0;

        if (!end || n <= 5 || n > TEXT_MAX / 2 || strcmp(end + 2 + n - 5, ".vmdk") != 0 ||
            strstr(arg_file, "/../")) {
                nbdkit_error("VixDiskLib_Open: %s: A file was not found", arg_file);
                return -1;
        }
        (void) snprintf(ret_path, (size_t) 2 * TEXT_MAX, "%s/datastores/%.*s/%.*s-flat.vmdk",
                        arg_libdir, (int) (end - arg_file - 1), arg_file + 1, (int) n - 5, end + 2);
        return 0;
}

static int wait_if_asked(void)
{
        char line[TEXT_MAX];

        if (read_note("open-takes", line) <= 0)
                return 0;
        return nbdkit_nanosleep((unsigned) strtoul(line, NULL, 10), 0);
}

static void *stand_in_open(int readonly)
{
        char path[2 * TEXT_MAX];
        int *fd;

        (void) readonly;
        if (wait_if_asked() < 0 || check_login() < 0 || find_file(path) < 0)
                return NULL;
        fd = malloc(sizeof(*fd));
        if (!fd)
                return NULL;
        *fd = open(path, O_RDONLY | O_CLOEXEC);
        if (*fd < 0) {
                nbdkit_error("VixDiskLib_Open: %s: %s", arg_file, strerror(errno));
                free(fd);
                return NULL;
        }
        note("open");
        return fd;
}

static void stand_in_close(void *handle)
{
        (void) close(*(int *) handle);
        free(handle);
}

static int64_t stand_in_get_size(void *handle)
{
        struct stat st;

        return fstat(*(int *) handle, &st) < 0 ? -1 : (int64_t) st.st_size;
}

static int stand_in_block_size(void *handle, uint32_t *minimum, uint32_t *preferred,
                               uint32_t *maximum)
{
        (void) handle;
        *minimum = SECTOR;
        *preferred = 4096;
        *maximum = UINT32_MAX;
        return 0;
}

static int stand_in_can_multi_conn(void *handle)
{
        (void) handle;
        return 1;
}

/* At the read of the number in the note; once, because the note is gone before. */
static bool is_asked(const char *name, uint64_t number)
{
        char path[TEXT_MAX], line[TEXT_MAX];

        if (read_note(name, line) <= 0 || strtoull(line, NULL, 10) != number)
                return false;
        (void) snprintf(path, sizeof(path), "%s/%s", arg_libdir, name);
        return unlink(path) >= 0;
}

static void die_if_asked(void)
{
        uint64_t number = atomic_fetch_add(&n_reads, 1) + 1;
        char path[TEXT_MAX];
        int fd;

        if (is_asked("die-at-read", number))
                (void) kill(getpid(), SIGKILL);
        if (!is_asked("stop-at-read", number))
                return;
        (void) snprintf(path, sizeof(path), "%s/stopped", arg_libdir);
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (fd >= 0)
                (void) close(fd);
        (void) kill(getpid(), SIGSTOP);
}

static int stand_in_pread(void *handle, void *buffer, uint32_t count, uint64_t offset,
                          uint32_t flags)
{
        char *to = buffer;

        (void) flags;
        die_if_asked();
        if (count % SECTOR != 0 || offset % SECTOR != 0) {
                nbdkit_error("read is not aligned to sectors");
                errno = EINVAL;
                return -1;
        }
        while (count > 0) {
                ssize_t n = pread(*(int *) handle, to, count, (off_t) offset);

                if (n <= 0) {
                        nbdkit_error("VixDiskLib_Read: %s", n < 0 ? strerror(errno) : "the end");
                        errno = EIO;
                        return -1;
                }
                to += n;
                count -= (uint32_t) n;
                offset += (uint64_t) n;
        }
        return 0;
}

static int stand_in_can_extents(void *handle)
{
        (void) handle;
        return 1;
}

static int stand_in_extents(void *handle, uint32_t count, uint64_t offset, uint32_t flags,
                            struct nbdkit_extents *extents)
{
        uint64_t end = offset + count;
        int fd = *(int *) handle;

        while (offset < end) {
                off_t data = lseek(fd, (off_t) offset, SEEK_DATA), next;
                bool hole = data < 0 || (uint64_t) data > offset;

                next = hole ? data : lseek(fd, (off_t) offset, SEEK_HOLE);
                if (next < 0 || (uint64_t) next > end)
                        next = (off_t) end;
                if (nbdkit_add_extent(extents, offset, (uint64_t) next - offset,
                                      hole ? NBDKIT_EXTENT_HOLE | NBDKIT_EXTENT_ZERO : 0) < 0)
                        return -1;
                offset = (uint64_t) next;
                if (flags & NBDKIT_FLAG_REQ_ONE)
                        break;
        }
        return 0;
}

static void stand_in_unload(void)
{
        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
                if (keys[i].value)
                        free(*keys[i].value);
        free(arg_password);
}

/* As the real one, which by this says whether VDDK is there. */
static void stand_in_dump_plugin(void)
{
        (void) printf("vddk_default_libdir=/usr/lib/vmware-vix-disklib\n");
        (void) printf("vddk_stand_in=1\n");
}

static struct nbdkit_plugin plugin = {
        .name = "vddk",
        .longname = "stand-in for VDDK in tests",
        .version = "1",
        .unload = stand_in_unload,
        .config = stand_in_config,
        .config_complete = stand_in_config_complete,
        .magic_config_key = "file",
        .dump_plugin = stand_in_dump_plugin,
        .open = stand_in_open,
        .close = stand_in_close,
        .get_size = stand_in_get_size,
        .block_size = stand_in_block_size,
        .can_multi_conn = stand_in_can_multi_conn,
        .pread = stand_in_pread,
        .can_extents = stand_in_can_extents,
        .extents = stand_in_extents,
};

/* The macro defines it without declaring it first, which clang minds. */
struct nbdkit_plugin *plugin_init(void);
NBDKIT_REGISTER_PLUGIN(plugin)
