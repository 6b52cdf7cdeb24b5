#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A deletion that ended behind its point of no return and cannot go on: every backup that has a record can be restored, its
# digests compared, and a newest backup can be deleted.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../image/image.bash"
. "$(dirname "$0")/merge.bash"

bad=''
chain_mixed
keep base
install -d -o $HUB_UID "$fast/out"
spec_restore() { # BACKUP-ID KEY
    spec_delete "$1" | jq -c --argjson key "$2" --arg path "$fast/out/raw" '. + {disk_key: $key, job: 7, target: {kind: "file", format: "raw", $path}}'
}
# restored: as `contents` of the two above, by restore.
restored() {
    local id key
    for id in $c $d; do
        for key in 2000 2001; do
            if image restore "$(spec_restore "$id" $key)"; then
                printf '%s %s %s\n' "$id" $key "$(sha256sum <"$fast/out/raw")"
            else
                printf '%s %s %s\n' "$id" $key "$out"
            fi
            rm -rf "$fast/out"/{,.}[!.]*
        done
    done 2>>"$TEST_TMP/err"
}

want=$(contents | without $a | without $b)
for hit in merge.commit.after:1 merge.swap.after:1 merge.swap.after:2 merge.manifest.after:2; do
    back base
    kill_at $hit delete "$(spec_delete $b)"
    is "$(restored)" "$want" "killed at $hit: each backup can be restored"
done
is "$bad" "" "each was killed where it should be"

# It cannot go on: the manifest of what is being deleted is damaged after one disk is merged, and the other not.
back base
kill_at merge.manifest.after:1 delete "$(spec_delete $b)"
cp -a "$(folder_of "$repo" 2001)/$b.json" "$fast/kept.json"
rm "$(folder_of "$repo" 2001)/$b.json"
echo '{' >"$(folder_of "$repo" 2001)/$b.json"
now=$(truth 2>/dev/null)
for id in $b $a $c; do
    image delete "$(spec_delete "$id")"
    is "$rc $(field .result)" "1 failed" "${id##*-}, below or above it, is not deleted"
done
image delete-undo "$(spec_delete $a)"
is "$rc $(field .outcome)" "0 kept" "delete-undo of another one keeps it" || diag "$out"
image delete-undo "$(spec_delete $b)"
is "$rc $(field .result)" "1 failed" "of itself it fails"
is "$(truth 2>/dev/null)" "$now" "and nothing has changed"
want=$(contents | without $d)
image delete "$(spec_delete $d)"
is "$rc $(field .outcome)" "0 deleted" "the newest goes its own way" || diag "$out"
is "$(contents)" "$want" "what remains reads as before"
image delete "$(spec_delete $d)"
is "$rc $(field .outcome)" "0 gone" "once more: it is gone"
keep stuck
image delete "$(spec_delete $c)"
is "$rc $(field .outcome)" "0 deleted" "so does the next one, which builds on what is being deleted" || diag "$out"
is "$(contents)" "$(without $c <<<"$want")" "what remains reads as before"
for name in stuck now; do
    [ $name = now ] || { keep now && back stuck; }
    cp -a "$fast/kept.json" "$(folder_of "$repo" 2001)/$b.json"
    want=$(contents)
    image delete "$(spec_delete $b)"
    is "$rc $(field .outcome)" "0 deleted" "$name: mended, it ends" || diag "$out"
    is "$(contents)" "$want" "$name: what remains reads as before"
    ok "$name: all is in order" in_order
    [ $name = now ] || back now
done

# What is not explained by the deletion is damage still.
back base
kill_at delete.mark.after:1 delete "$(spec_delete $b)"
truncate -s -65536 "$(sealed_of "$repo" $c 2001)"
fails "a layer cut off above it" ImageDamaged "bytes and had" restore "$(spec_restore $d 2001)"
back base
kill_at delete.mark.after:1 delete "$(spec_delete $b)"
qemu-img rebase -u -b "$d.qcow2" -F qcow2 "$(sealed_of "$repo" $c 2001)"
fails "a link to another layer" ImageDamaged "builds on another layer" restore "$(spec_restore $c 2001)"
back base
kill_at delete.mark.after:1 delete "$(spec_delete $b)"
chmod u+w "$(folder_of "$repo" 2001)/$c.json"
sed -i 's/"created_usec": 1/"created_usec": 2/' "$(folder_of "$repo" 2001)/$c.json"
fails "a manifest that was changed" ImageDamaged "not the one that was committed" restore "$(spec_restore $c 2001)"
done_testing
