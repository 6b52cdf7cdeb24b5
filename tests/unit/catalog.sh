#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# systemd's own reader takes the message catalog, all of it. That it holds the right ids is tested in
# test-message-id.c.

. "$(dirname "$0")/../lib/tap.sh"

folder=/usr/lib/systemd/catalog
root=$TEST_TMP/root
mkdir -p "$root$folder" "$root/var/lib/systemd/catalog"
cp "$SENDENSE_SRC/units/sendense.catalog" "$root$folder"
ok "journalctl compiles it without a word" \
    test -z "$(journalctl --root="$root" --update-catalog 2>&1)"
is "$(journalctl --root="$root" --list-catalog 2>/dev/null | wc -l)" \
    "$(grep -c '^-- ' "$SENDENSE_SRC/units/sendense.catalog")" "and lists every entry"
like "$(journalctl --root="$root" --dump-catalog 2>/dev/null)" \
    "^Subject: The Sendense hub has lost its database\$" "with its subject"
# Whatever error a call or a job can end with, the list of errors has it.
errors() { sed -n '/^## Errors of jobs/,/^## Without an event/p' "$SENDENSE_SRC/docs/TROUBLESHOOTING.md" | grep '^|' | cut -d'|' -f2; }
is "$(grep -oE 'com\.sendense\.Error\.[A-Za-z]+' "$SENDENSE_SRC/lib/bus/bus-error.h" | cut -d. -f4 | sort -u |
    grep -vxFf <(errors | grep -oE '`[A-Za-z]+`' | tr -d '`'))" "" "each error of the bus stands in TROUBLESHOOTING"
done_testing
