#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# How far a merge is: it is told while the layers are read and compared, too, and not only where its halves meet; never backwards, and
# all of it in the end.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../image/image.bash"
. "$(dirname "$0")/merge.bash"

chain_mixed
told=$TEST_TMP/told
(umask 0 && exec socat -u UNIX-RECV:"$TEST_TMP/socket" STDOUT >"$told") &
at_end "kill $!"
require "somebody listens" eventually 30 test -S "$TEST_TMP/socket"
words() { jq -s '[.[] | select(.disk_key == 2000) | .bytes_done] | .[]' "$told"; }
has_words() { [ "$(words | wc -l)" -ge "$1" ]; }
faulty() { pgrep -f "^$image_faulty delete\$"; }
stopped() { grep -qs '^State:.*T' "/proc/$(faulty)/status"; }

# It is stopped between the reading and the comparing, for longer than two words are apart.
SENDENSE_FAULT_POINT=merge.rebase.after:stop image_now=$image_faulty image delete \
    "$(spec_delete $c | jq -c --arg path "$TEST_TMP/socket" '. + {job: 7, progress: $path}')" &
running=$!
require "it is stopped in its first half" eventually 30 stopped
ok "it has told of its beginning" eventually 30 has_words 1
is "$(words | head -n 1)" 0 "which is nothing yet"
sleep 0.6
kill -CONT "$(faulty)"
wait "$running"
is "$(field .outcome)" deleted "it goes on, and deletes"
# Who listens writes down what he was told when he comes to it.
all_told() { [ "$(words | tail -n 1)" = "$(jq -s '[.[] | select(.disk_key == 2000).bytes_total] | last' "$told")" ]; }
eventually 30 all_told
diag "$(words | paste -sd' ')"
# Beginning and end of each half are four.
ok "it has told more than its halves" has_words 5
is "$(words | sort -n)" "$(words)" "never backwards"
is "$(words | tail -n 1)" "$(jq -s '[.[] | select(.disk_key == 2000).bytes_total] | last' "$told")" "and all of it in the end"
ok "which is something" test "$(words | tail -n 1)" -gt 0
done_testing
