#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The repository fills up while the copy of a layer is filled: that is what is said, and no layer is called damaged.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../image/image.bash"
. "$(dirname "$0")/merge.bash"

chain_mixed
now=$(contents)
faulty() { pgrep -f "^$image_faulty delete\$"; }
stopped() { grep -qs '^State:.*T' "/proc/$(faulty)/status"; }
copies() { find "$repo" -name '*.merge.partial' -printf '%f\n'; }

# It has looked at the room that there is, and somebody else takes it.
SENDENSE_FAULT_POINT=merge.fill.before:stop image_now=$image_faulty image delete "$(spec_delete $b)" &
running=$!
require "it is stopped before it fills the copy" eventually 30 stopped
is "$(copies)" "$c.qcow2.merge.partial" "which is there"
head -c 300M /dev/zero >"$fast/other" 2>/dev/null
is "$(df --output=avail "$fast" | tail -n 1 | tr -d ' ')" 0 "no room is left"
kill -CONT "$(faulty)"
wait "$running"
is "$(field '"\(.result) \(.error_name)"')" "failed com.sendense.Error.RepositoryFull" "the repository is full" || diag "$(<"$TEST_TMP/out")"
like "$(field .error_text)" "disk 2001.*: No space left on device; free space" "which disk, and what to do"
unlike "$(field .error_text)" "chain" "and not to begin a new chain"
image delete-undo "$(spec_delete $b)"
is "$rc $(field .outcome) $(copies)" "0 kept " "it is kept, without a copy" || diag "$out"
rm "$fast/other"
is "$(contents)" "$now" "and all reads as before"
image delete "$(spec_delete $b)"
is "$rc $(field .outcome)" "0 deleted" "with room again it is deleted" || diag "$out"
is "$(contents)" "$(without $b <<<"$now")" "what remains reads as before"
done_testing
