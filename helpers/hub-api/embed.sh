#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The bytes of a file as numbers of C, without a comma behind the last. Run by meson.
set -eu
od -An -v -tx1 "$1" | sed 's/ \(..\)/0x\1,/g; $s/,$//'
