/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kinds of value a setting can have. Each reader has the signature of ConfigParse and says in
 * its comment what the field is. Used in the tables of hub-config.c and its like.
 */
#pragma once

#include "config.h"

/* An inclusive range of TCP ports, "10100-10200". */
typedef struct PortRange {
        uint16_t first;
        uint16_t last;
} PortRange;

/* What runs the appliance that reads guests' file systems. */
typedef enum GuestAccel {
        GUEST_ACCEL_AUTO, /* KVM where it runs it */
        GUEST_ACCEL_KVM,
        GUEST_ACCEL_TCG,
        GUEST_ACCEL_MAX,
        GUEST_ACCEL_INVALID = -22,
} GuestAccel;

const char *guest_accel_to_string(GuestAccel accel);

int config_parse_port(const ConfigKey *key, const char *value, void *field); /* uint16_t */
int config_parse_port_range(const ConfigKey *key, const char *value,
                            void *field); /* PortRange; at most key->max ports */
int config_parse_span(const ConfigKey *key, const char *value, void *field); /* uint64_t usec */
int config_parse_size(const ConfigKey *key, const char *value,
                      void *field); /* uint64_t bytes, "512M" */
int config_parse_number(const ConfigKey *key, const char *value, void *field); /* uint64_t */
int config_parse_bool(const ConfigKey *key, const char *value, void *field); /* bool */
int config_parse_level(const ConfigKey *key, const char *value, void *field); /* int */
int config_parse_accel(const ConfigKey *key, const char *value, void *field); /* GuestAccel */
int config_parse_path(const ConfigKey *key, const char *value,
                      void *field); /* char *, absolute, at most key->max bytes */
int config_parse_paths(
                const ConfigKey *key, const char *value,
                void *field); /* char *, such paths with one blank between them, or nothing; at most key->max bytes in all */
int config_parse_word(const ConfigKey *key, const char *value,
                      void *field); /* char *, [a-z][a-z0-9_]*, at most key->max bytes */
int config_parse_plain_path(
                const ConfigKey *key, const char *value,
                void *field); /* char *, the same without what a unit file would read otherwise; or nothing */
int config_parse_address(const ConfigKey *key, const char *value,
                         void *field); /* char *, an IPv4 or IPv6 address, or nothing */
int config_parse_host(const ConfigKey *key, const char *value,
                      void *field); /* char *, a host name or an address, or nothing */
