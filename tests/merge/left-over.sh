#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Copies that a killed deletion has left: delete-undo removes them, whatever else is damaged, and they are in nobody's way.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../image/image.bash"
. "$(dirname "$0")/merge.bash"

bad=''
chain_mixed
keep base
copies() { find "$repo" -name '*.merge.partial' -printf '%P\n'; }
left_copy() { # a deletion of the second is killed when its copy is whole
    back base
    kill_at merge.seal.after:1 delete "$(spec_delete $b)"
    like "$(copies)" "2001/$c.qcow2.merge.partial" "a copy is left"
}
damage_file() { chmod u+w "$1" && echo '{' >"$1" && chmod u-w "$1"; }

left_copy
damage_file "$(folder_of "$repo" 2001)/$c.json"
fails "a manifest that cannot be read" ImageDamaged "manifest" delete "$(spec_delete $b)"
now=$(truth 2>/dev/null)
image delete-undo "$(spec_delete $b)"
is "$rc $(field .outcome) $(copies)" "0 kept " "it is refused, and delete-undo ends it" || diag "$out"
is "$(truth 2>/dev/null)" "$now" "and changes nothing"

left_copy
rm "$(sealed_of "$repo" $c 2000)"
image delete-undo "$(spec_delete $b)"
is "$rc $(field .outcome) $(copies)" "0 kept " "a layer is missing: delete-undo" || diag "$out"

left_copy
echo '{' >"$repo/$VM/backups/backup-web-1.json"
fails "a record that cannot be read" Failed "backup-web-1.json is damaged" delete "$(spec_delete $b)"
image delete-undo "$(spec_delete $b)"
is "$rc $(field .outcome) $(copies)" "0 kept " "it is refused, and delete-undo ends it" || diag "$out"
image delete-undo "$(spec_delete backup-web-2)"
is "$rc $(field .outcome)" "0 gone" "of one that never was"

# Nobody calls delete-undo: the copy builds on the first backup, and its own one is deleted.
left_copy
image delete "$(spec_delete $d)"
is "$rc $(field .outcome) $(copies)" "0 deleted " "the next deletion of the VM removes it" || diag "$out"
left_copy
cp -a "$(folder_of "$repo" 2001)/$c.qcow2.merge.partial" "$fast/copy"
image delete "$(spec_delete $d)"
cp -a "$fast/copy" "$(folder_of "$repo" 2001)/$c.qcow2.merge.partial"
image delete "$(spec_delete $c)"
is "$rc $(find "$repo" -name "$c*")" "0 " "with its backup it goes, too" || diag "$out"
cp -a "$fast/copy" "$(folder_of "$repo" 2001)/$c.qcow2.merge.partial"
want=$(contents | without $a)
image delete "$(spec_delete $a)"
is "$rc $(field .outcome) $(copies)" "0 deleted " "one of a backup that is gone is in nobody's way" || diag "$out"
is "$(contents)" "$want" "what remains reads as before"
ok "and all is in order" in_order
image prepare "$(spec_prepare "$repo" backup-web-1700000900)"
as_hub cp "$fast/copy" "$(folder_of "$repo" 2001)/backup-web-1700000900.qcow2.merge.partial" 2>/dev/null ||
    cp -a "$fast/copy" "$(folder_of "$repo" 2001)/backup-web-1700000900.qcow2.merge.partial"
image undo "$(spec_undo "$repo" backup-web-1700000900)"
is "$rc $(field .outcome) $(copies)" "0 removed " "undo of a backup removes one, too"
is "$bad" "" "each was killed where it should be"
done_testing
