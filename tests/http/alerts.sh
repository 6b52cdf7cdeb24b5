#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The alert rules as Prometheus reads them, and what they do at the figures of deploy/alerts/sendense.test.yml. promtool comes with Debian's
# package prometheus, whose server nobody wants on the machine of a test: where it is not installed the tool alone is taken out of it.

. "$(dirname "$0")/../lib/tap.sh"

kept=$SENDENSE_BUILD/promtool
take_promtool() {
    (cd "$TEST_TMP" && timeout 120 apt-get -q download prometheus && dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x ./usr/bin/promtool) >"$TEST_TMP/download" 2>&1 &&
        mv "$TEST_TMP/usr/bin/promtool" "$kept.$$" && mv "$kept.$$" "$kept"
}
promtool=$(command -v promtool) || promtool=$kept
[ -x "$promtool" ] || take_promtool || skip_all "promtool is not installed, and Debian's package prometheus cannot be had: $(tail -n 1 "$TEST_TMP/download")"
cd "$SENDENSE_SRC/deploy/alerts" || exit 1
out=$("$promtool" check rules sendense.rules.yml 2>&1)
is "$?" 0 "the rules are good" || diag "$out"
out=$("$promtool" test rules sendense.test.yml 2>&1)
is "$?" 0 "each does what it should" || diag "$out"
alerts=$(sed -nE 's/^ *- alert: //p' sendense.rules.yml)
is "$(for alert in $alerts; do grep -q "alertname: $alert\b" sendense.test.yml || echo "$alert"; done)" "" "there is a figure for each"
done_testing
