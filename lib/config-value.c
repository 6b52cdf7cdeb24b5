/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Readers for the kinds of value a setting can have (see config-value.h). Pure; errors are plain
 * -EINVAL, because the sentence that the operator reads stands in the table (`expected`).
 */
#include "config-value.h"

#include "cleanup.h"
#include "parse.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

static int replace_string(char **field, const char *value)
{
        char *copy = strdup(value);

        if (!copy)
                return -ENOMEM;
        free(*field);
        *field = copy;
        return 0;
}

int config_parse_port(const ConfigKey *key, const char *value, void *field)
{
        uint16_t port;

        (void) key;
        if (parse_port(value, &port) < 0)
                return -EINVAL;
        *(uint16_t *) field = port;
        return 0;
}

int config_parse_port_range(const ConfigKey *key, const char *value, void *field)
{
        const char *dash = strchr(value, '-');
        char first[sizeof("65535")];
        PortRange range;

        if (!dash || (size_t) (dash - value) >= sizeof(first))
                return -EINVAL;
        memcpy(first, value, (size_t) (dash - value));
        first[dash - value] = '\0';

        if (parse_port(first, &range.first) < 0 || parse_port(dash + 1, &range.last) < 0)
                return -EINVAL;
        if (range.first > range.last || (uint64_t) (range.last - range.first) + 1 > key->max)
                return -EINVAL;

        *(PortRange *) field = range;
        return 0;
}

int config_parse_span(const ConfigKey *key, const char *value, void *field)
{
        return parse_span_usec(value, key->min, key->max, field) < 0 ? -EINVAL : 0;
}

int config_parse_size(const ConfigKey *key, const char *value, void *field)
{
        return parse_size(value, key->min, key->max, field);
}

int config_parse_number(const ConfigKey *key, const char *value, void *field)
{
        return parse_uint64(value, key->min, key->max, field) < 0 ? -EINVAL : 0;
}

int config_parse_bool(const ConfigKey *key, const char *value, void *field)
{
        (void) key;
        return parse_bool(value, field);
}

int config_parse_level(const ConfigKey *key, const char *value, void *field)
{
        (void) key;
        return parse_log_level(value, field);
}

static const char *const accels[GUEST_ACCEL_MAX] = {
        [GUEST_ACCEL_AUTO] = "auto",
        [GUEST_ACCEL_KVM] = "kvm",
        [GUEST_ACCEL_TCG] = "tcg",
};

const char *guest_accel_to_string(GuestAccel accel)
{
        return accel >= 0 && accel < GUEST_ACCEL_MAX ? accels[accel] : NULL;
}

int config_parse_accel(const ConfigKey *key, const char *value, void *field)
{
        (void) key;
        for (int i = 0; i < GUEST_ACCEL_MAX; i++)
                if (strcmp(value, accels[i]) == 0) {
                        *(GuestAccel *) field = (GuestAccel) i;
                        return 0;
                }
        return -EINVAL;
}

int config_parse_path(const ConfigKey *key, const char *value, void *field)
{
        size_t n = strlen(value);

        if (value[0] != '/' || n > key->max || strstr(value, "/../") ||
            (n >= 3 && strcmp(value + n - 3, "/..") == 0))
                return -EINVAL;
        return replace_string(field, value);
}

/* Absolute, without "..", "." and "//", and not "/". */
static bool is_plain_path(const char *path, size_t n)
{
        for (size_t i = 0; i < n;) {
                size_t part = strcspn(path + i + 1, "/ ");

                if (path[i] != '/' || part == 0 || (part == 1 && path[i + 1] == '.') ||
                    (part == 2 && strncmp(path + i + 1, "..", 2) == 0))
                        return false;
                i += part + 1;
        }
        return n > 0;
}

int config_parse_paths(const ConfigKey *key, const char *value, void *field)
{
        if (strlen(value) > key->max)
                return -EINVAL;
        for (const char *path = value; *path;) {
                size_t n = strcspn(path, " ");

                if (!is_plain_path(path, n))
                        return -EINVAL;
                path += n;
                if (*path && *++path == '\0')
                        return -EINVAL;
        }
        return replace_string(field, value);
}

int config_parse_plain_path(const ConfigKey *key, const char *value, void *field)
{
        static const char plain[] =
                        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._+@-";

        if (value[strspn(value, plain)] != '\0')
                return -EINVAL;
        return *value ? config_parse_path(key, value, field) : replace_string(field, value);
}

int config_parse_address(const ConfigKey *key, const char *value, void *field)
{
        struct in6_addr address; /* has room for the other kind */

        (void) key;
        if (*value && inet_pton(AF_INET, value, &address) <= 0 &&
            inet_pton(AF_INET6, value, &address) <= 0)
                return -EINVAL;
        return replace_string(field, value);
}

/* With the interface of one that counts on one link only, "fe80::1%eth0". */
static bool is_ipv6_address(const char *value)
{
        char text[INET6_ADDRSTRLEN];
        size_t n = strcspn(value, "%");
        struct in6_addr address;

        if (n >= sizeof(text) || (value[n] == '%' && value[n + 1] == '\0'))
                return false;
        memcpy(text, value, n);
        text[n] = '\0';
        return inet_pton(AF_INET6, text, &address) == 1;
}

/* What has a colon is an address, and no name with a port. */
int config_parse_host(const ConfigKey *key, const char *value, void *field)
{
        static const char letters[] =
                        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        size_t n = strlen(value);

        if (n > key->max)
                return -EINVAL;
        for (size_t i = 0; i < n; i++)
                if (!strchr(letters, value[i]) && !strchr(i == 0 ? ":" : "-.:%", value[i]))
                        return -EINVAL;
        if (strpbrk(value, ":%") && !is_ipv6_address(value))
                return -EINVAL;
        return replace_string(field, value);
}

int config_parse_word(const ConfigKey *key, const char *value, void *field)
{
        if (value[0] < 'a' || value[0] > 'z' || strlen(value) > key->max)
                return -EINVAL;
        if (value[strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789_")] != '\0')
                return -EINVAL;
        return replace_string(field, value);
}
