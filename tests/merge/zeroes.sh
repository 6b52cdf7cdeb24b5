#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Zeroes that a layer brings stay zeroes when it is merged: they take no room in a copy, and give back that of a full layer.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../image/image.bash"
. "$(dirname "$0")/merge.bash"

bytes_of() { echo $(($(stat -c %b "$(sealed_of "$repo" "$1" 2000)") * 512)); } # BACKUP-ID
length_of() { stat -c %s "$(sealed_of "$repo" "$1" 2000)"; }

repository_make "$repo"
image health "$(spec_health "$repo")"
backup "$repo" $a '' 'write -P 1 0 16M'
backup "$repo" $b $a 'write -z 2M 12M'
backup "$repo" $c $b 'write -P 4 17M 64k'

want=$(contents | without $b)
before=$(length_of $c)
image delete "$(spec_delete $b)"
is "$rc $(contents)" "0 $want" "the layer of zeroes is merged into the one above it" || diag "$out"
ok "which has not grown by them" test "$(length_of $c)" -le $((before + MIB))
diag "its file had $before bytes and has $(length_of $c)"

want=$(contents | without $a)
before=$(bytes_of $a)
image delete "$(spec_delete $a)"
is "$rc $(contents)" "0 $want" "and that into the full layer" || diag "$out"
ok "which has given back their room" test "$(bytes_of $c)" -le $((before - 11 * MIB))
diag "it took $before bytes and takes $(bytes_of $c)"
ok "all is in order" in_order
is "$(false_digests)" "" "and all digests are true"
done_testing
