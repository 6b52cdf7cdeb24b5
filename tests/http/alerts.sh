#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The alert rules as Prometheus reads them, and what they do at the figures of deploy/alerts/sendense.test.yml.

. "$(dirname "$0")/../lib/tap.sh"

command -v promtool >/dev/null || skip_all "promtool is not installed: it comes with prometheus, whose server nobody wants here"
cd "$SENDENSE_SRC/deploy/alerts" || exit 1
out=$(promtool check rules sendense.rules.yml 2>&1)
is "$?" 0 "the rules are good" || diag "$out"
out=$(promtool test rules sendense.test.yml 2>&1)
is "$?" 0 "each does what it should" || diag "$out"
done_testing
