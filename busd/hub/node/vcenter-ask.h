/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Questions for a vCenter, through a node: the one that reaches it, or any that answers. What a node says about a vCenter is passed
 * on as the node named it.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

typedef struct NodeLinks NodeLinks;
typedef struct Secret Secret;

typedef struct VcenterAnswer {
        int error; /* negative errno, and then why: */
        const char *name, *text; /* of the bus; one line for people */
        const json_t *body; /* the node's JSON; borrowed */
} VcenterAnswer;

typedef void (*VcenterAnswered)(const VcenterAnswer *answer, void *userdata);

/* question: certificate, test or discover; body (taken) is the node's, see vcenter-login.h. node 0: one after the other those that
 * answer, until one of them sees the vCenter. done is called once, perhaps before this returns. */
void vcenter_ask(NodeLinks *links, uint64_t node, const char *question, json_t *body,
                 VcenterAnswered done, void *userdata);

/* A body with the login of a vCenter's row. Errors of vcenter_login_add(), of which ret_name and ret_text say what to do. */
int vcenter_ask_body(const Secret *key, const json_t *row, json_t **ret_body, const char **ret_name,
                     char ret_text[static 256]);
