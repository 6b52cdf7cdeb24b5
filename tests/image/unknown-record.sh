#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Whether a backup has a record cannot be told, because the disk does not say: undo and prepare take it for a backup, and
# touch nothing of it.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/image.bash"

repo=$TEST_TMP/repo id=backup-web-1700000000
repository_make "$repo"
image health "$(spec_health "$repo")"
backup "$repo" $id '' 'write -P 1 0 1M'
want=$(tree "$repo")

# unsure ERRNO NTH: runs the helper with this answer to its question for a record's name, the NTH of two.
cat >"$TEST_TMP/unsure" <<'END'
#!/bin/bash
exec strace -qq -o "$TEST_TMP/trace" -e trace=faccessat,faccessat2 \
    -e "inject=faccessat,faccessat2:error=$UNSURE_ERRNO:when=$UNSURE_NTH" "$UNSURE_PROGRAM" "$@"
END
chmod 755 "$TEST_TMP/unsure"
install -m 666 /dev/null "$TEST_TMP/trace"
# Leaks cannot be looked for under a tracer.
export TEST_TMP UNSURE_PROGRAM=$image_program ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
for UNSURE_ERRNO in EIO EACCES ESTALE EUCLEAN; do
    export UNSURE_ERRNO UNSURE_NTH=1
    image_now=$TEST_TMP/unsure image undo "$(spec_undo "$repo" $id)"
    [[ "$(<"$TEST_TMP/trace")" == *"$UNSURE_ERRNO"*INJECTED* ]] || fail "the question for the record got $UNSURE_ERRNO" "$(<"$TEST_TMP/trace")"
    is "$rc $(field .result) $(tree "$repo")" "1 failed $want" "$UNSURE_ERRNO: undo fails and has removed nothing"
done
image_now=$TEST_TMP/unsure image prepare "$(spec_prepare "$repo" $id)"
is "$rc $(field .result) $(tree "$repo")" "1 failed $want" "nor has prepare"

# The other name, of one whose deletion has begun.
mv "$repo/$VM/backups/$id.json" "$repo/$VM/backups/$id.deleting"
want=$(tree "$repo")
UNSURE_NTH=2 image_now=$TEST_TMP/unsure image undo "$(spec_undo "$repo" $id)"
is "$rc $(field .result) $(tree "$repo")" "1 failed $want" "of one that is being deleted: undo fails and has removed nothing"
image undo "$(spec_undo "$repo" $id)"
is "$rc $(field .outcome) $(tree "$repo")" "0 committed $want" "and knows it when it is told"
done_testing
