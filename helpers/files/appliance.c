/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Making the appliance and trying KVM (see appliance.h). A /dev/kvm that opens is no proof: there are machines where it does and no guest
 * ever says a word. So the very kernel of the appliance is started without a disk; where KVM works it has soon panicked, which ends it.
 */
#include "appliance.h"

#include "bus/bus-error.h"
#include "child.h"
#include "cleanup.h"
#include "failure.h"
#include "hub-config.h"
#include "log.h"
#include "place.h"
#include "result-file.h"
#include "small-file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum {
        BUILD_SEC = 200,
        PROBE_SEC = 10,
};

#define CACHE_DIR "/var/cache/sendense-files"
#define MARK_FILE FILES_APPLIANCE_DIR "/README.fixed"

/* The end of what a program said, which says why it ended. */
static const char *last_words(char *said)
{
        size_t n = strlen(said);
        const char *line;

        while (n > 0 && (said[n - 1] == '\n' || said[n - 1] == '\r'))
                said[--n] = '\0';
        line = strrchr(said, '\n');
        return line ? line + 1 : said;
}

static int build(char *said, Failure *failure)
{
        const char *const argv[] = {
                "supermin", "--build",           "--if-newer",
                "--lock",   (CACHE_DIR "/lock"), "-f",
                "ext2",     "--copy-kernel",     FILES_SUPERMIN_DIR,
                "-o",       FILES_APPLIANCE_DIR, NULL,
        };
        int status = 0, r;

        if (access(FILES_SUPERMIN_DIR, R_OK) < 0)
                return failure_set(failure, BUS_ERROR_TOOL_MISSING,
                                   "%s is missing; install the package libguestfs0",
                                   FILES_SUPERMIN_DIR);
        r = child_run(argv, BUILD_SEC, said, &status);
        if (r == -ENOENT)
                return failure_set(failure, BUS_ERROR_TOOL_MISSING,
                                   "supermin is missing; install the package supermin");
        if (r < 0)
                return failure_set(failure, BUS_ERROR_FAILED, "supermin: %s", strerror(-r));
        if (status != 0 && strstr(said, "kernel"))
                return failure_set(failure, BUS_ERROR_TOOL_MISSING,
                                   "There is no kernel to read file systems with; install the "
                                   "package linux-image-amd64 or linux-image-cloud-amd64 (%.200s)",
                                   last_words(said));
        return status == 0 ? 0
                           : failure_set(failure, BUS_ERROR_FAILED, "supermin: %.400s",
                                         last_words(said));
}

/* Whether nothing that it is made of has changed since: packages, kernels, and what libguestfs wants of them. Looking at all of that in
 * detail takes supermin seconds. */
static bool is_current(void)
{
        static const char *const sources[] = { "/var/lib/dpkg/status", "/boot", "/lib/modules",
                                               FILES_SUPERMIN_DIR };
        struct stat made, source;

        if (stat(MARK_FILE, &made) < 0)
                return false;
        for (size_t i = 0; i < ELEMENTSOF(sources); i++)
                if (stat(sources[i], &source) >= 0 && source.st_mtime >= made.st_mtime)
                        return false;
        return true;
}

/* By this name libguestfs knows that nothing of it is to be made. */
static int mark(Failure *failure)
{
        _cleanup_close_ int fd = open(MARK_FILE, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

        return fd < 0 || futimens(fd, NULL) < 0 ? failure_set(failure, BUS_ERROR_FAILED, "%s: %s",
                                                              FILES_APPLIANCE_DIR, strerror(errno))
                                                : 0;
}

static const char *probe(char *said)
{
        const char *const argv[] = {
                "qemu-system-x86_64",
                "-nodefaults",
                "-no-user-config",
                "-no-reboot",
                "-display",
                "none",
                "-machine",
                "accel=kvm",
                "-cpu",
                "max",
                "-m",
                "128",
                "-serial",
                "stdio",
                "-kernel",
                (FILES_APPLIANCE_DIR "/kernel"),
                "-append",
                "console=ttyS0 panic=-1",
                NULL,
        };
        int status = 0, r = child_run(argv, PROBE_SEC, said, &status);

        if (r >= 0 && status == 0 && strstr(said, "Linux version")) {
                log_info("KVM runs the appliance");
                return "kvm";
        }
        log_info("KVM does not run the appliance (%s), it is emulated",
                 r == -ETIMEDOUT ? "no word of it in time"
                 : r < 0         ? strerror(-r)
                                 : last_words(said));
        return "tcg";
}

/* What the probe of this boot has said. */
static const char *known_accel(void)
{
        CLEANUP(json_decrefp) json_t *state = NULL;
        _cleanup_free_ char *text = NULL;
        const char *accel;
        size_t size;

        if (small_file_read(FILES_STATE_FILE, FILES_STATE_SIZE_MAX, &text, &size) < 0 ||
            result_parse(text, size, &state) < 0)
                return NULL;
        accel = json_string_value(json_object_get(state, "accel"));
        if (!accel)
                return NULL;
        return strcmp(accel, "kvm") == 0 ? "kvm" : "tcg";
}

static int wants_probe(bool *ret_wants, Failure *failure)
{
        CLEANUP(hub_config_done) HubConfig config = {};
        _cleanup_free_ char *error = NULL;

        if (hub_config_load(&config, NULL, &error) < 0)
                return failure_set(failure, BUS_ERROR_FAILED, "%s",
                                   error ?: "The hub's settings cannot be read");
        *ret_wants = config.files_accel == GUEST_ACCEL_AUTO;
        return 0;
}

static int prepare(json_t **ret_state, Failure *failure)
{
        _cleanup_free_ char *said = malloc(CHILD_SAID_SIZE);
        const char *accel;
        bool wants = false;
        int r;

        if (!said)
                return failure_set(failure, BUS_ERROR_FAILED, "Out of memory");
        r = wants_probe(&wants, failure);
        if (r >= 0 && !is_current()) {
                r = build(said, failure);
                if (r >= 0)
                        r = mark(failure);
        }
        if (r < 0)
                return r;
        accel = wants ? known_accel() : NULL;
        if (wants && !accel)
                accel = access("/dev/kvm", R_OK | W_OK) == 0 ? probe(said) : "tcg";
        *ret_state = json_pack("{s:s*}", "accel", accel);
        return 0;
}

int appliance_prepare(void)
{
        CLEANUP(json_decrefp) json_t *state = NULL;
        _cleanup_free_ char *text = NULL;
        Failure failure = {};
        int r, written;

        r = prepare(&state, &failure);
        if (r < 0) {
                log_error(r, "%s", failure.text);
                state = json_pack("{s:s, s:s}", "error_name", failure.name, "error_text",
                                  failure.text);
        }
        text = state ? json_dumps(state, JSON_COMPACT) : NULL;
        written = text ? small_file_write(FILES_STATE_FILE, 0644, text, strlen(text)) : -ENOMEM;
        return written < 0 ? log_error(written, "Cannot write %s: %m", FILES_STATE_FILE) : r;
}
