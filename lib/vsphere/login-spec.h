/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The object "vcenter" of a spec: where, who, whom to trust, and the name of a credential. The password itself
 * comes from $CREDENTIALS_DIRECTORY, or from a private file that a person names on the command line; a spec
 * that has one in it is refused.
 */
#pragma once

#include "vsphere/session.h"

#include <jansson.h>

typedef struct LoginSpec {
        VSphereLogin login; /* its strings are the spec's */
        Secret *password;
} LoginSpec;

/* vcenter is borrowed until login_spec_done(). password_file: instead of the credential, or NULL. One line feed
 * at the end of either is not part of the password. -EINVAL and the like, with error set. */
int login_spec_read(const json_t *vcenter, const char *password_file, LoginSpec *ret_spec,
                    VSphereError *error);
void login_spec_done(LoginSpec *spec);
