/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Store functions as calls (see store-call.h). The request belongs to the worker from the
 * submission to the answer; nobody else touches its JSON meanwhile, whose counters are not atomic.
 */
#include "store/store-call.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "store/statement.h"
#include "store/store-request.h"
#include "utf8.h"

#include <errno.h>
#include <string.h>

typedef struct Call {
        StoreRequest request; /* first: what work gets */
        StoreWork work;
        StoreAnswer answer;
        void *userdata;
} Call;

static Call *call_free(Call *call)
{
        if (!call)
                return NULL;
        json_decref(call->request.in);
        json_decref(call->request.out);
        free(call);
        return NULL;
}

/* In the worker's thread: what MariaDB said is gone after the next statement. Its errors may have a caller's bytes cut in two. */
static int run(MYSQL *database, void *job)
{
        Call *call = job;
        int r;

        *call->request.error_name = *call->request.error_text =
                        '\0'; /* of an attempt that was rolled back */
        r = call->work(database, &call->request);
        if (r < 0 && !*call->request.error_name && *statement_said()) {
                (void) snprintf(call->request.error_text, sizeof(call->request.error_text),
                                "MariaDB: %s", statement_said());
                utf8_make_valid(call->request.error_text);
        }
        return r;
}

/* What the function itself had nothing to say about. */
static void explain(StoreRequest *request, int error)
{
        const char *name = BUS_ERROR_FAILED, *text = strerror(-error);
        char said[STORE_REFUSAL_TEXT_SIZE];

        if (*request->error_name)
                return;
        switch (error) {
        case -ENOTCONN:
        case -ETIMEDOUT:
        case -ECANCELED:
                name = BUS_ERROR_DATABASE_UNAVAILABLE;
                text = "The database was lost in the middle of the request; whether it took effect "
                       "shows when it is back";
                break;
        case -EAGAIN:
        case -EBUSY:
                name = BUS_ERROR_BUSY;
                text = "The database is too busy at the moment, try again";
                break;
        case -ESTALE:
                name = BUS_ERROR_BUSY;
                text = "The job has changed its state meanwhile";
                break;
        default:
                (void) snprintf(said, sizeof(said), "%s", request->error_text);
                if (*said)
                        text = said;
                break;
        }
        (void) snprintf(request->error_name, sizeof(request->error_name), "%s", name);
        (void) snprintf(request->error_text, sizeof(request->error_text), "%s", text);
}

static void on_done(int error, void *job, void *userdata)
{
        Call *call = userdata;

        (void) job;
        if (error < 0)
                explain(&call->request, error);
        call->answer(error, error < 0 ? NULL : call->request.out, call->request.error_name,
                     call->request.error_text, call->userdata);
        call_free(call);
}

int store_call(Store *store, StoreWork work, json_t *in, StoreAnswer answer, void *userdata)
{
        Call *call;
        int r;

        if (!in)
                return -ENOMEM;
        call = malloc(sizeof(Call));
        if (!call) {
                json_decref(in);
                return -ENOMEM;
        }
        *call = (Call){
                .request = { .in = in },
                .work = work,
                .answer = answer,
                .userdata = userdata,
        };
        r = store_submit(store, run, on_done, call, call);
        if (r < 0)
                call_free(call);
        return r;
}
