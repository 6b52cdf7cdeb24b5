#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# commit, undo and prepare are killed at each of their durable steps: run again, they end as if nothing had
# happened; and undo after a killed commit leaves either a whole backup or nothing.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/image.bash"

# In memory: a kill keeps the page cache, so that nothing is shown by a disk, which is slow.
fast=$TEST_TMP/fast
mkdir "$fast"
require "a tmpfs" mount -t tmpfs -o size=256M,mode=755 tmpfs "$fast"
at_end 'umount "$fast"'
repo=$fast/repo
full=backup-web-1700000000
next=backup-web-1700000100
export SENDENSE_FAULT_POINT_DIR=$TEST_TMP/faults
install -d -m 777 "$SENDENSE_FAULT_POINT_DIR"

# state: names, modes and the content of all that is small.
state() {
    tree "$repo"
    (cd "$repo" && find . -name '*.json*' -exec sha256sum {} + | LC_ALL=C sort)
}
keep() { rm -rf "${fast:?}/$1" && cp -a "$repo" "$fast/$1"; }
back() { rm -rf "$repo" && cp -a "$fast/$1" "$repo"; }

# hits_of VERB SPEC: NAME:HIT of each fault point that this run passes.
hits_of() {
    install -m 666 /dev/null "$SENDENSE_FAULT_POINT_DIR/hits"
    image_now=$image_faulty image "$1" "$2" || diag "$out"
    hits=$(cut -d' ' -f1,2 "$SENDENSE_FAULT_POINT_DIR/hits" | tr ' ' :)
    rm "$SENDENSE_FAULT_POINT_DIR/hits"
}
# kill_at HIT VERB SPEC: it must be killed there.
kill_at() {
    { SENDENSE_FAULT_POINT=$1:kill image_now=$image_faulty image "$2" "$3"; } 2>/dev/null
    [ "$rc" -eq 137 ] || bad+=$'\n'"$2 at $1 was not killed but ended with $rc: $out"
}
expect() { # WHERE WANT
    local got
    got=$(state)
    [ "$got" = "$2" ] || bad+=$'\n'"$1: $(diff <(echo "$2") <(echo "$got"))"
}

repository_make "$repo"
image health "$(spec_health "$repo")"
backup "$repo" $full '' 'write -P 1 0 1M'
base=$(state)
keep base

# prepare
hits_of prepare "$(spec_prepare "$repo" $next)"
want=$(state)
prepare=$(spec_prepare "$repo" $next) undo=$(spec_undo "$repo" $next)
ok "prepare passes many points" test "$(wc -l <<<"$hits")" -ge 15
# One folder is made like the other: the first and the last hit of each point.
hits=$({ sort -t: -k1,1 -u <<<"$hits" && tac <<<"$hits" | sort -t: -k1,1 -u -s; } | sort -u)
bad='' n=0
for hit in $hits; do
    back base
    kill_at "$hit" prepare "$prepare"
    keep killed
    image prepare "$prepare" || bad+=$'\n'"prepare after $hit: $out"
    expect "prepare after $hit" "$want"
    back killed
    image undo "$undo" || bad+=$'\n'"undo after $hit: $out"
    expect "undo after $hit" "$base"
    n=$((n + 1))
done
is "$bad" "" "prepare killed at each of $n places: again, or undone"

# commit
back base
backup_written "$repo" $next $full 'write -P 2 3M 1M' || diag "$out"
keep written
hits_of commit "$(spec_commit "$repo" $next $full)"
want=$(state)
commit=$(spec_commit "$repo" $next $full)
is "$(find "$repo" -name "*.partial")" "" "commit leaves no partial file"
ok "commit passes many points" test "$(wc -l <<<"$hits")" -ge 25
bad='' n=0 n_committed=0 n_removed=0
for hit in $hits; do
    back written
    kill_at "$hit" commit "$commit"
    keep killed
    record=$(find "$repo/$VM/backups" -name "$next.json")
    image commit "$commit" || bad+=$'\n'"commit after $hit: $out"
    expect "commit after $hit" "$want"
    back killed
    image undo "$undo" || bad+=$'\n'"undo after $hit: $out"
    if [ -n "$record" ]; then
        n_committed=$((n_committed + 1))
        [[ $out == *'"outcome":"committed"'* ]] || bad+=$'\n'"undo after $hit: $out"
        expect "undo after $hit" "$want"
    else
        n_removed=$((n_removed + 1))
        [[ $out == *'"outcome":"removed"'* ]] || bad+=$'\n'"undo after $hit: $out"
        expect "undo after $hit" "$base"
    fi
    n=$((n + 1))
done
is "$bad" "" "commit killed at each of $n places: again, or undone"
ok "both ends were seen" test $n_committed -ge 2 -a $n_removed -ge 20

# The results of finish are gone after a reboot; what is written of them already is enough.
back written
kill_at seal.rename.before:2 commit "$(spec_commit "$repo" $next $full)"
mv "$TEST_TMP/$next-2000.out" "$TEST_TMP/$next-2001.out" "$TEST_TMP/faults"
image commit "$(spec_commit "$repo" $next $full)"
is "$rc" 0 "without the results of finish, by the manifests" || diag "$out"
is "$(state)" "$want" "it ends the same"
back written
image commit "$(spec_commit "$repo" $next $full)"
is "$rc $(field .error_name)" "1 com.sendense.Error.Failed" "with neither it fails"
mv "$TEST_TMP/faults/$next"-* "$TEST_TMP"

# undo, of a commit that got as far as it can without a record
back written
record_rename=$(grep -c '^small-file.rename.before:' <<<"$hits")
kill_at "small-file.rename.before:$record_rename" commit "$(spec_commit "$repo" $next $full)"
ok "both layers are sealed and the record is not there" test -e "$(sealed_of "$repo" $next 2000)" -a -e "$(sealed_of "$repo" $next 2001)" -a \
    -e "$repo/$VM/backups/$next.json.partial"
keep half
hits_of undo "$(spec_undo "$repo" $next)"
is "$(state)" "$base" "undo takes all of it back"
ok "undo passes many points" test "$(wc -l <<<"$hits")" -ge 20
bad='' n=0
for hit in $hits; do
    back half
    kill_at "$hit" undo "$undo"
    image undo "$undo" || bad+=$'\n'"undo after $hit: $out"
    [[ $out == *'"outcome":"removed"'* ]] || bad+=$'\n'"undo after $hit: $out"
    expect "undo after $hit" "$base"
    n=$((n + 1))
done
is "$bad" "" "undo killed at each of $n places: again"

# create and finish change one file, and are begun anew by prepare.
back base
image prepare "$(spec_prepare "$repo" $next)"
for hit in image.create.before:1 image.create.after:1; do
    kill_at $hit create "$(spec_disk "$repo" $next 2000 $full)"
    image create "$(spec_disk "$repo" $next 2000 $full)"
    is "$rc" 0 "create after $hit"
done
for hit in image.sync.before:1 image.sync.after:1; do
    kill_at $hit finish "$(spec_disk "$repo" $next 2000 $full)"
    image finish "$(spec_disk "$repo" $next 2000 $full)"
    is "$rc" 0 "finish after $hit"
done
is "$bad" "" "they were killed there"
done_testing
