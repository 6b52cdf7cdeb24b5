/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Questions to polkit: may this caller do that? Each is one call to polkit, answered by a callback.
 * Says once in the journal that polkit is lost and that it is back. Called by authorise.c, which
 * knows the calls and answers them; must not block.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

typedef struct Polkit Polkit;
typedef struct PolkitQuestion PolkitQuestion;

typedef enum PolkitVerdict {
        POLKIT_ALLOWED,
        POLKIT_REFUSED,
        POLKIT_LEFT, /* polkit says that the caller left the bus */
} PolkitVerdict;

/* The answer, once. why: of a refusal, the last part of what the caller is told. It may free the
 * question. */
typedef int (*PolkitAnswered)(PolkitVerdict verdict, const char *why, void *userdata);

/* A process that asks by way of another one. */
typedef struct PolkitPeer {
        uint32_t pid, uid;
} PolkitPeer;

/* Borrows the bus, which must outlive it. */
int polkit_new(sd_bus *bus, Polkit **ret_polkit);

/* After all its questions. Returns NULL. */
Polkit *polkit_free(Polkit *polkit);

/* Asks whether sender, a unique name, may do action; both are borrowed. peer: it asks for that process, which is the one that must be
 * allowed; NULL: for itself. interactive: polkit may ask for a password. */
int polkit_ask(Polkit *polkit, const char *sender, const PolkitPeer *peer, const char *action,
               bool interactive, PolkitAnswered answered, void *userdata,
               PolkitQuestion **ret_question);

/* Nobody waits any more: without this polkit would go on asking for a password. Frees nothing. */
void polkit_question_withdraw(const PolkitQuestion *question);

/* The answer is not waited for. Returns NULL. */
PolkitQuestion *polkit_question_free(PolkitQuestion *question);
