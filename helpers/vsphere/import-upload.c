/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Uploads (see import-upload.h). The body of a request is made while it is sent, so nobody knows its length before: it goes in chunks.
 */
#include "import-upload.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "clock.h"
#include "parse.h"
#include "utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>

enum {
        CONNECT_SEC = 30,
        STALL_SEC = 300, /* without a byte taken, while there is one to take */
        ANSWER_SIZE = 256,
        BUFFER_BYTES = 512 * 1024,
};

typedef struct Transfer {
        Upload *upload;
        int stop_fd;
        VmdkStream *stream;
        int r; /* of the stream */
        uint64_t alive_usec; /* when something went on last */
        uint64_t seen_sent; /* then */
        char answer[ANSWER_SIZE]; /* what it begins with */
        size_t answer_size;
} Transfer;

static size_t on_read(char *data, size_t one, size_t size, void *userdata)
{
        Transfer *transfer = userdata;
        size_t n = 0;

        transfer->r = vmdk_stream_read(transfer->stream, data, one * size, &n);
        transfer->alive_usec = clock_monotonic_usec();
        if (transfer->r < 0)
                return CURL_READFUNC_ABORT;
        transfer->upload->position = vmdk_stream_position(transfer->stream);
        transfer->upload->sent += n;
        return n;
}

static size_t on_answer(char *data, size_t one, size_t size, void *userdata)
{
        Transfer *transfer = userdata;
        size_t n = ANSWER_SIZE - 1 - transfer->answer_size;

        n = one * size < n ? one * size : n;
        (void) memcpy(transfer->answer + transfer->answer_size, data, n);
        transfer->answer_size += n;
        return one * size;
}

/* curl asks at least once a second. */
static int on_progress(void *userdata, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
        Transfer *transfer = userdata;
        struct pollfd fd = { .fd = transfer->stop_fd, .events = POLLIN };
        uint64_t now = clock_monotonic_usec();

        (void) down_total;
        (void) down;
        (void) up_total;
        if ((uint64_t) up != transfer->seen_sent) {
                transfer->seen_sent = (uint64_t) up;
                transfer->alive_usec = now;
        }
        return poll(&fd, 1, 0) > 0 || now - transfer->alive_usec > STALL_SEC * USEC_PER_SEC;
}

static struct curl_slist *make_headers(void)
{
        static const char *const lines[] = {
                "Content-Type: application/x-vnd.vmware-streamVmdk",
                "Transfer-Encoding: chunked",
                "Expect:",
        };
        struct curl_slist *headers = NULL, *longer;

        for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
                longer = curl_slist_append(headers, lines[i]);
                if (!longer) {
                        curl_slist_free_all(headers);
                        return NULL;
                }
                headers = longer;
        }
        return headers;
}

static void set_options(CURL *curl, Transfer *transfer, struct curl_slist *headers, char *message)
{
        tls_setup(&transfer->upload->tls, curl);
        (void) curl_easy_setopt(curl, CURLOPT_URL, transfer->upload->url);
        (void) curl_easy_setopt(curl, CURLOPT_POST, 1L);
        (void) curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
        (void) curl_easy_setopt(curl, CURLOPT_UPLOAD_BUFFERSIZE, (long) BUFFER_BYTES);
        (void) curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_read);
        (void) curl_easy_setopt(curl, CURLOPT_READDATA, transfer);
        (void) curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_answer);
        (void) curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
        (void) curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, message);
        (void) curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long) CONNECT_SEC);
        (void) curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
        (void) curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
        (void) curl_easy_setopt(curl, CURLOPT_XFERINFODATA, transfer);
}

static int source_failed(const Upload *upload, int r, VSphereError *error)
{
        if (r == -ECANCELED)
                return vsphere_error_set(error, BUS_ERROR_CANCELLED, "cancelled");
        if (r == -EFBIG)
                return vsphere_error_set(error, BUS_ERROR_TARGET_FAILED,
                                         "the disk %" PRIu32 " is larger than a VMDK can be",
                                         upload->disk->disk_key);
        return vsphere_error_set(error, BUS_ERROR_SOURCE_FAILED,
                                 "the disk %" PRIu32 " cannot be read near offset %" PRIu64 ": %s",
                                 upload->disk->disk_key, (uint64_t) upload->position,
                                 upload->source.why[0] ? upload->source.why : strerror(-r));
}

/* In this order: what the source did, what somebody wanted, what the peer said before it hung up, what curl says. */
static int judge(Transfer *transfer, CURLcode code, long status, const char *message,
                 VSphereError *error)
{
        const Upload *upload = transfer->upload;
        struct pollfd fd = { .fd = transfer->stop_fd, .events = POLLIN };

        if (transfer->r < 0)
                return source_failed(upload, transfer->r, error);
        if (poll(&fd, 1, 0) > 0)
                return vsphere_error_set(error, BUS_ERROR_CANCELLED, "cancelled");
        if (status >= 300)
                return vsphere_error_set(error, BUS_ERROR_TARGET_FAILED,
                                         "vCenter does not take the disk %" PRIu32 ": HTTP %li %s",
                                         upload->disk->disk_key, status, transfer->answer);
        if (code == CURLE_OK && status >= 200)
                return 0;
        if (tls_explain(&upload->tls, code, message, "the host of the upload", error))
                return bus_error_to_errno(error->name);
        return vsphere_error_set(error, BUS_ERROR_TARGET_FAILED,
                                 "the upload of the disk %" PRIu32 " broke off: %s",
                                 upload->disk->disk_key,
                                 code == CURLE_ABORTED_BY_CALLBACK ? "it stood still for too long"
                                 : *message                        ? message
                                                                   : curl_easy_strerror(code));
}

static int run_one(Upload *upload, int stop_fd, VSphereError *error)
{
        CLEANUP(vmdk_stream_free_p) VmdkStream *stream = NULL;
        const VmdkSource source = import_source_as_vmdk(&upload->source);
        Transfer transfer = { .upload = upload,
                              .stop_fd = stop_fd,
                              .alive_usec = clock_monotonic_usec() };
        char message[CURL_ERROR_SIZE] = "";
        struct curl_slist *headers = make_headers();
        CURL *curl = curl_easy_init();
        long status = 0;
        CURLcode code;
        int r;

        r = curl && headers ? vmdk_stream_new(&source, upload->disk->capacity_bytes,
                                              import_disk_adapter(upload->disk), &stream)
                            : -ENOMEM;
        if (r >= 0) {
                transfer.stream = stream;
                set_options(curl, &transfer, headers, message);
                code = curl_easy_perform(curl);
                (void) curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
                utf8_make_line(transfer.answer);
                r = judge(&transfer, code, status, message, error);
        } else
                (void) vsphere_error_errno(error, r, "Cannot upload a disk");
        if (curl)
                curl_easy_cleanup(curl);
        curl_slist_free_all(headers);
        return r;
}

static void signal_to(int fd)
{
        (void) eventfd_write(fd, 1);
}

static void *run(void *userdata)
{
        Uploads *uploads = userdata;
        size_t i;

        while ((i = uploads->next++) < uploads->n_uploads) {
                Upload *upload = &uploads->uploads[i];

                upload->r = run_one(upload, uploads->stop_fd, &upload->error);
                if (upload->r < 0)
                        signal_to(uploads->stop_fd); /* the others need not go on */
                uploads->n_ended++;
                signal_to(uploads->done_fd);
        }
        return NULL;
}

int uploads_init(Uploads *uploads, size_t n)
{
        *uploads = (Uploads){
                .uploads = calloc(n > 0 ? n : 1, sizeof(Upload)),
                .n_uploads = n,
                .stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
                .done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
        };
        if (!uploads->uploads)
                return -ENOMEM;
        return uploads->stop_fd < 0 || uploads->done_fd < 0 ? -EMFILE : 0;
}

void uploads_done(Uploads *uploads)
{
        uploads_stop(uploads);
        for (size_t i = 0; uploads->uploads && i < uploads->n_uploads; i++)
                import_source_close(&uploads->uploads[i].source);
        free(uploads->uploads);
        cleanup_close_p(&uploads->stop_fd);
        cleanup_close_p(&uploads->done_fd);
        *uploads = (Uploads){ .stop_fd = -1, .done_fd = -1 };
}

int uploads_start(Uploads *uploads)
{
        int r = 0;

        while (r == 0 && uploads->n_threads < UPLOADS_AT_ONCE &&
               uploads->n_threads < uploads->n_uploads) {
                r = pthread_create(&uploads->threads[uploads->n_threads], NULL, run, uploads);
                if (r == 0)
                        uploads->n_threads++;
        }
        return -r;
}

bool uploads_are_over(Uploads *uploads)
{
        eventfd_t n;

        (void) eventfd_read(uploads->done_fd, &n);
        return uploads->n_ended == uploads->n_uploads;
}

void uploads_stop(Uploads *uploads)
{
        if (uploads->n_threads > 0 && uploads->n_ended < uploads->n_uploads)
                signal_to(uploads->stop_fd);
        while (uploads->n_threads > 0)
                (void) pthread_join(uploads->threads[--uploads->n_threads], NULL);
}

const Upload *uploads_failed(const Uploads *uploads)
{
        const Upload *cancelled = NULL;

        for (size_t i = 0; i < uploads->n_uploads; i++) {
                if (uploads->uploads[i].r < 0 && uploads->uploads[i].r != -ECANCELED)
                        return &uploads->uploads[i];
                if (uploads->uploads[i].r < 0)
                        cancelled = &uploads->uploads[i];
        }
        return cancelled;
}
