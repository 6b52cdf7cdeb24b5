# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # variables of the tests that source it, and of image.bash
#
# The walk over the points at which a deletion is killed. Source it after merge.bash.

# problems_of HIT: what scan may say after a kill: nothing, or the one thing about the deletion.
problems_of() {
    image scan "$(spec_health "$repo")" || bad+=$'\n'"scan after $1: $out"
    case $(field '"\(.problems) \(.n_strays)"') in
    '0 0') ;;
    '1 0') [[ $out == *'"the deletion of '* ]] || bad+=$'\n'"scan after $1: $out" ;;
    # Before the point of no return a copy is a file that belongs to none, and a record that is written one for a moment.
    '0 '* | '1 1') field '.strays[]' | grep -qv '\.partial$' && bad+=$'\n'"scan after $1: $out" ;;
    *) bad+=$'\n'"scan after $1: $out" ;;
    esac
}

# walk_delete BACKUP-ID HITS UNDO-EACH: from the repository kept as base; delete-undo takes the place of the second delete
# at every so many points.
walk_delete() {
    local hit before after want_base want n=0 n_kept=0 n_forward=0
    back base
    before=$(contents) want_base=$(truth)
    image delete "$(spec_delete "$1")" || fail "deleted without a kill" "$out"
    after=$(contents) want=$(truth)
    is "$after" "$(without "$1" <<<"$before")" "without a kill the others read as before"
    bad=''
    for hit in $2; do
        n=$((n + 1))
        [ $((n % 20)) -ne 0 ] || diag "$n of $(wc -w <<<"$2") places"
        back base
        kill_at "$hit" delete "$(spec_delete "$1")"
        [ "$(contents | without "$1")" = "$after" ] || bad+=$'\n'"after $hit: a backup reads otherwise"
        problems_of "$hit"
        image undo "$(spec_undo "$repo" "$1")"
        if [ $(((n - 1) % $3)) -ne 0 ]; then
            image delete "$(spec_delete "$1")" || bad+=$'\n'"delete after $hit: $out"
        else
            image delete-undo "$(spec_delete "$1")" || bad+=$'\n'"delete-undo after $hit: $out"
            if [ "$(field .outcome)" = kept ]; then
                n_kept=$((n_kept + 1))
                [ "$(truth)" = "$want_base" ] || bad+=$'\n'"kept after $hit: $(diff <(echo "$want_base") <(truth))"
                continue
            fi
            n_forward=$((n_forward + 1))
        fi
        [ "$(contents)" = "$after" ] || bad+=$'\n'"delete after $hit: a backup reads otherwise"
        [ "$(truth)" = "$want" ] || bad+=$'\n'"delete after $hit: $(diff <(echo "$want") <(truth))"
        in_order || bad+=$'\n'"scan at the end, after $hit"
    done
    is "$bad" "" "delete killed at each of $n places: again, or ended by delete-undo"
    diag "delete-undo kept it $n_kept times and went on $n_forward times"
    ok "delete-undo has done both" test $n_kept -ge 1 -a $n_forward -ge 1
}
