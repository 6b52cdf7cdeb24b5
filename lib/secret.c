/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Secrets (see secret.h), kept by libsodium's guarded allocator: it locks the pages, keeps them out of
 * core dumps and wipes them. A secret never passes through memory of another kind.
 */
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

struct Secret {
        size_t size;
        char *data; /* size bytes and a NUL */
};

static int secret_allocate(size_t size, Secret **ret_secret)
{
        CLEANUP(secret_free_p) Secret *secret = NULL;

        if (size == 0)
                return -ENODATA;
        if (size > SECRET_SIZE_MAX)
                return -EFBIG;
        if (sodium_init() < 0)
                return -EIO;

        secret = malloc(sizeof(Secret));
        if (!secret)
                return -ENOMEM;
        *secret = (Secret){ .size = size };
        secret->data = sodium_malloc(size + 1);
        if (!secret->data)
                return -ENOMEM;
        secret->data[size] = '\0';

        *ret_secret = TAKE(secret);
        return 0;
}

int secret_new(const void *data, size_t size, Secret **ret_secret)
{
        Secret *secret;
        int r;

        r = secret_allocate(size, &secret);
        if (r < 0)
                return r;
        memcpy(secret->data, data, size);
        *ret_secret = secret;
        return 0;
}

Secret *secret_free(Secret *secret)
{
        if (!secret)
                return NULL;
        sodium_free(secret->data); /* wipes it; takes NULL */
        free(secret);
        return NULL;
}

const char *secret_data(const Secret *secret)
{
        return secret->data;
}

size_t secret_size(const Secret *secret)
{
        return secret->size;
}

bool secret_equal(const Secret *a, const Secret *b)
{
        return a->size == b->size && sodium_memcmp(a->data, b->data, a->size) == 0;
}

/* Reads the whole of a file from its beginning. size is what fstat() said; the file must still have
 * exactly that many bytes. */
static int read_whole(int fd, uint64_t size, size_t max_size, Secret **ret_secret)
{
        CLEANUP(secret_free_p) Secret *secret = NULL;
        size_t done = 0;
        char beyond;
        int r;

        if (size > max_size)
                return -EFBIG;
        r = secret_allocate((size_t) size, &secret);
        if (r < 0)
                return r;

        while (done < size) {
                ssize_t n = pread(fd, secret->data + done, size - done, (off_t) done);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : -EBUSY;
                done += (size_t) n;
        }
        if (pread(fd, &beyond, 1, (off_t) done) != 0)
                return -EBUSY; /* somebody is writing it: half a secret is a wrong one */

        *ret_secret = TAKE(secret);
        return 0;
}

static int open_regular(int folder, const char *path, struct stat *ret_stat)
{
        _cleanup_close_ int fd = -1;

        fd = openat(folder, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0)
                return -errno;
        if (fstat(fd, ret_stat) < 0)
                return -errno;
        if (!S_ISREG(ret_stat->st_mode))
                return S_ISDIR(ret_stat->st_mode) ? -EISDIR : -EINVAL;
        return take_fd(&fd);
}

int secret_read_credential(const char *name, size_t max_size, Secret **ret_secret)
{
        const char *path = getenv("CREDENTIALS_DIRECTORY");
        _cleanup_close_ int folder = -1, fd = -1;
        struct stat st = {};

        if (name[0] == '\0' || strlen(name) > CREDENTIAL_NAME_MAX || strchr(name, '/') ||
            strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
                return -EINVAL;
        if (!path || path[0] != '/')
                return -ENXIO;

        folder = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
        if (folder < 0)
                return -errno;
        fd = open_regular(folder, name, &st);
        return fd < 0 ? fd : read_whole(fd, (uint64_t) st.st_size, max_size, ret_secret);
}

int secret_read_memfd(int fd, size_t max_size, Secret **ret_secret)
{
        const int sealed = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
        struct stat st = {};
        int seals;

        seals = fcntl(fd, F_GET_SEALS);
        if (seals < 0)
                return -errno;
        if ((seals & sealed) != sealed)
                return -EPERM;
        if (fstat(fd, &st) < 0)
                return -errno;
        return read_whole(fd, (uint64_t) st.st_size, max_size, ret_secret);
}

int secret_make_memfd(const void *data, size_t size, int *ret_fd)
{
        _cleanup_close_ int fd = memfd_create("sendense", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        if (fd < 0)
                return -errno;
        for (size_t done = 0; done < size;) {
                ssize_t n = pwrite(fd, (const char *) data + done, size - done, (off_t) done);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : -EIO;
                done += (size_t) n;
        }
        if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
                return -errno;
        *ret_fd = take_fd(&fd);
        return 0;
}

int secret_read_file(const char *path, size_t max_size, Secret **ret_secret)
{
        _cleanup_close_ int fd = -1;
        struct stat st = {};

        fd = open_regular(AT_FDCWD, path, &st);
        if (fd < 0)
                return fd;
        if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0 || (st.st_uid != 0 && st.st_uid != geteuid()))
                return -EPERM;
        return read_whole(fd, (uint64_t) st.st_size, max_size, ret_secret);
}
