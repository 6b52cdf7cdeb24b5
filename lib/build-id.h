/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a program was built from: version, git commit, and the linker's build id, which differs
 * whenever the code does. Of the running program and of any program of ours on disk, so that a process
 * older than its file can be reported. Every program calls build_print_version().
 */
#pragma once

#include <stdio.h>

enum {
        BUILD_ID_BYTES_MAX = 32,
        BUILD_TEXT_SIZE = 65, /* of each text below, with its NUL */
};

typedef struct BuildIdentity {
        char version[BUILD_TEXT_SIZE]; /* "0.1.0" */
        char commit[BUILD_TEXT_SIZE]; /* "1a2b3c4d5e6f", "…-dirty", "unknown" outside of git */
        char id[BUILD_TEXT_SIZE]; /* lower-case hex, empty when linked without one */
} BuildIdentity;

/* Of the running program. Static strings. */
const char *build_version(void);
const char *build_commit(void);
const char *build_id(void);

/* Of a file. -ENOEXEC: no program of this machine's kind; -ENODATA: none of ours; -EBADMSG: it
 * contradicts itself; others from opening and reading. */
int build_identity_of_file(const char *path, BuildIdentity *ret_identity);

/* One note as elf_walk_file() gives it; identity starts zeroed and is filled bit by bit. For
 * build_identity_of_file() and its fuzzer. 0, or -EBADMSG. */
int build_identity_add_note(const char *owner, unsigned type, const unsigned char *data,
                            size_t size, void *identity);

/* "sendense-hub 0.1.0 (commit 1a2b3c4d5e6f, build-id 12ab…)" and a newline, to f. Returns 0, or -EIO
 * when it cannot be written. */
int build_write_version(FILE *f, const char *program);

/* The same to stdout, for --version. */
void build_print_version(const char *program);
