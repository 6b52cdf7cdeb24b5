/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What all verbs do first: check the spec against a table and log in.
 */
#pragma once

#include "json-fields.h"
#include "verbs.h"
#include "vsphere/login-spec.h"

/* -EINVAL with error set. */
int spec_check(const json_t *spec, const JsonField *fields, size_t n_fields, VSphereError *error);

/* Reads the credential and logs in. *ret_login must outlive *ret; both are the caller's. */
int spec_open(const Task *task, LoginSpec *ret_login, VSphere **ret, VSphereError *error);
