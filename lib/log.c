/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where log lines go (see log.h). The journal gets every field by sd_journal_sendv(); a terminal or
 * a pipe gets the text alone. Thread-safe: what changes while threads run is atomic.
 */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include "log.h"

#include "cleanup.h"
#include "journal-barrier.h"
#include "parse.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>

enum {
        LOG_FIELDS_MAX = 16,
        LOG_FIELD_SIZE = 512,
        LOG_TEXT_SIZE = 4096,
};

/* How long a program that is through waits for a journald that does not read. */
#define LOG_BARRIER_USEC (5 * USEC_PER_SEC)

typedef struct LogRecord {
        struct iovec fields[LOG_FIELDS_MAX];
        char text[LOG_FIELDS_MAX][LOG_FIELD_SIZE];
        int n_fields;
} LogRecord;

static const char *log_identifier = "sendense";
static atomic_int log_level = LOG_INFO;
static bool log_to_journal = false;
static atomic_bool log_has_sent = false;

/* systemd names the device and inode of the stream it connected us to: only then is the journal at
 * the other end of stderr, and only then may we go to it directly. */
static bool stderr_is_journal(void)
{
        const char *stream = getenv("JOURNAL_STREAM");
        char *end, *inode_end;
        unsigned long long device, inode;
        struct stat st;

        if (!stream || fstat(STDERR_FILENO, &st) < 0)
                return false;
        errno = 0;
        device = strtoull(stream, &end, 10);
        if (errno || end == stream || *end != ':')
                return false;
        inode = strtoull(end + 1, &inode_end, 10);
        if (errno || inode_end == end + 1 || *inode_end)
                return false;

        return (dev_t) device == st.st_dev && (ino_t) inode == st.st_ino;
}

/* What went into the journal is nothing that may fail a program. */
static void wait_for_journal(void)
{
        if (atomic_load(&log_has_sent))
                (void) journal_barrier(JOURNAL_SOCKET, LOG_BARRIER_USEC);
}

static void open_log(const char *identifier, bool to_journal)
{
        static bool is_registered = false;

        log_identifier = identifier;
        log_to_journal = to_journal;
        if (to_journal && !is_registered)
                is_registered = atexit(wait_for_journal) == 0;
}

void log_open(const char *identifier)
{
        open_log(identifier, stderr_is_journal());
}

void log_open_journal(const char *identifier)
{
        open_log(identifier, true);
}

void log_set_level(int level)
{
        atomic_store(&log_level, level);
}

int log_get_level(void)
{
        return atomic_load(&log_level);
}

__attribute__((format(printf, 2, 3))) static void record_add(LogRecord *record, const char *format,
                                                             ...)
{
        char *text;
        va_list ap;
        int n;

        if (record->n_fields >= LOG_FIELDS_MAX)
                return;
        text = record->text[record->n_fields];

        va_start(ap, format);
        n = vsnprintf(text, LOG_FIELD_SIZE, format, ap);
        va_end(ap);
        if (n < 0)
                return;

        record->fields[record->n_fields++] = (struct iovec){
                .iov_base = text,
                .iov_len = n < LOG_FIELD_SIZE ? (size_t) n : (size_t) LOG_FIELD_SIZE - 1,
        };
}

static void record_add_context(LogRecord *record, const LogContext *context)
{
        if (context->job > 0)
                record_add(record, "SENDENSE_JOB=%" PRIu64, context->job);
        if (context->vm)
                record_add(record, "SENDENSE_VM=%s", context->vm);
        if (context->disk)
                record_add(record, "SENDENSE_DISK=%s", context->disk);
        if (context->phase)
                record_add(record, "SENDENSE_PHASE=%s", context->phase);
        if (context->node)
                record_add(record, "SENDENSE_NODE=%s", context->node);
        if (context->principal)
                record_add(record, "SENDENSE_PRINCIPAL=%s", context->principal);
}

static int send_to_journal(int level, int error, const LogContext *context, MessageId id,
                           const char *file, int line, const char *function, char *message)
{
        LogRecord record;

        record.n_fields = 1;
        record.fields[0] = (struct iovec){ .iov_base = message, .iov_len = strlen(message) };
        record_add(&record, "PRIORITY=%i", level);
        record_add(&record, "SYSLOG_IDENTIFIER=%s", log_identifier);
        record_add(&record, "CODE_FILE=%s", file);
        record_add(&record, "CODE_LINE=%i", line);
        record_add(&record, "CODE_FUNC=%s", function);
        if (error < 0)
                record_add(&record, "ERRNO=%i", -error);
        if (message_id_to_string(id))
                record_add(&record, "MESSAGE_ID=%s", message_id_to_string(id));
        if (context)
                record_add_context(&record, context);

        atomic_store(&log_has_sent, true);
        return sd_journal_sendv(record.fields, record.n_fields);
}

/* Elsewhere a line is a line: what a name brings along must not begin another, nor move a cursor. */
static void print_plain(char *text)
{
        for (char *p = text; *p; p++)
                if ((unsigned char) *p < ' ' || *p == 0x7f)
                        *p = '?';
        (void) fprintf(stderr, "%s: %s\n", log_identifier, text);
}

int log_line(int level, int error, const LogContext *context, MessageId id, const char *file,
             int line, const char *function, const char *format, ...)
{
        static const char prefix[] = "MESSAGE=";
        char message[LOG_TEXT_SIZE];
        int saved_errno = errno;
        va_list ap;

        if (level > log_get_level())
                return error;

        memcpy(message, prefix, sizeof(prefix));
        errno = -error;
        va_start(ap, format);
        (void) vsnprintf(message + strlen(prefix), sizeof(message) - strlen(prefix), format, ap);
        va_end(ap);

        if (!log_to_journal ||
            send_to_journal(level, error, context, id, file, line, function, message) < 0)
                print_plain(message + strlen(prefix));

        errno = saved_errno;
        return error;
}
