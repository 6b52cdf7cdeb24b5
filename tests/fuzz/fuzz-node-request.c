/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a hub asks a node for, of any bytes: refused with one line of text, or a request that keeps every bound and holds
 * no password any more. The same bytes are tried as a login alone.
 */
#include "fuzz.h"

#include "names.h"
#include "request.h"
#include "utf8.h"

#include <errno.h>
#include <string.h>

static void must_be_refusal(int r, const char *error)
{
        MUST(r == -EBADMSG);
        MUST(*error && utf8_is_valid(error) && !strchr(error, '\n'));
}

static void check_request(const Request *request)
{
        const json_t *targets = json_object_get(request->public, "nbd_targets");

        MUST(request->job >= 1 && request->attempt >= 1);
        MUST(request->password && secret_size(request->password) > 0);
        MUST(!json_object_get(request->public, "vcenter_password"));
        MUST(strspn(request->digest, "0123456789abcdef") == REQUEST_DIGEST_SIZE - 1);
        MUST(json_object_size(targets) >= 1 && json_object_size(targets) <= REQUEST_DISKS_MAX);
        MUST(json_array_size(json_object_get(request->public, "disks")) <= REQUEST_DISKS_MAX);
}

static void try_request(const char *data, size_t size)
{
        char error[REQUEST_ERROR_SIZE] = "";
        Request request = {}, again = {};
        char *text;
        int r;

        r = request_read(data, size, &request, error);
        if (r < 0) {
                must_be_refusal(r, error);
                MUST(!request.public && !request.password);
                return;
        }
        check_request(&request);
        /* What the ledger keeps is read as the same request, but for the password, which it has not. */
        text = json_dumps(request.public, 0);
        MUST(text && request_read(text, strlen(text), &again, error) == -EBADMSG);
        free(text);
        request_done(&request);
}

static void try_login(const char *data, size_t size)
{
        char error[REQUEST_ERROR_SIZE] = "";
        Login login = {};
        int r;

        r = login_read(data, size, NULL, NULL, &login, error);
        if (r < 0) {
                must_be_refusal(r, error);
                MUST(!login.host && !login.password && !login.jobs);
                return;
        }
        MUST(*login.host && *login.user && secret_size(login.password) > 0);
        for (size_t i = 0; i < login.n_jobs; i++)
                MUST(login.jobs[i] >= 1);
        login_done(&login);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        try_request((const char *) data, size);
        try_login((const char *) data, size);
        return 0;
}
