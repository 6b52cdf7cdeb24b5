#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# delete is killed around each step that changes what others see: every backup that has a record reads as before, undo harms
# nothing, scan explains what it sees; delete run again ends as if nothing had happened, and so does delete-undo, one way or the
# other. The suite merge-long does it at every single step.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../image/image.bash"
. "$(dirname "$0")/merge.bash"
. "$(dirname "$0")/walk.bash"

chain_mixed
keep base
hits_of delete "$(spec_delete $b)"
ok "delete passes many points" test "$(wc -l <<<"$hits")" -ge 60
hits=$(grep -E '^(merge\.(seal.after:1|abandon|commit.before|commit.after|swap.before:2|swap.after|manifest.after:1)|delete\.(mark|record)|layers.unlink.after:3)' <<<"$hits")
walk_delete $b "$hits" 3
done_testing
