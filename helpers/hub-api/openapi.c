/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * GET /openapi.json: the description of the API, openapi.json of this folder, for everybody (see api.h).
 */
#include "api.h"
#include "http/http-server.h"

static const char description[] = {
#include "openapi.h"
        ,
        0,
};

void api_openapi(HttpRequest *request, void *userdata)
{
        (void) userdata;
        http_request_answer_text(request, "application/json", description);
}
