# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Public keys for tests that need some and no secret ones.

# public_key NUMBER: one of 255, its bytes all this number.
public_key() {
    printf 'ssh-ed25519 '
    {
        printf '\0\0\0\013ssh-ed25519\0\0\0\040'
        printf "\\x$(printf %02x "$1")%.0s" {1..32}
    } | base64 -w 0
}
