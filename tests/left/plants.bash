# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# For the tests of nothing-left: plants one leftover, looks, takes it away, looks again. Source it after tap.sh, define
# look() so that it calls nothing-left, and call plants for each. A kind counts as tried when a plant showed it.

tried=' '

# plants NAME "KIND..." [TEXT]: plant_NAME puts it there, unplant_NAME takes it away. Exactly these kinds must be seen,
# and TEXT in one of the lines.
plants() {
    local out rc kinds want
    want=$(tr ' ' '\n' <<<"$2" | sort | paste -sd' ')
    "plant_$1" >"$TEST_TMP/plant.out" 2>&1 || fail "$1 can be planted" "$(cat "$TEST_TMP/plant.out")"
    out=$(look)
    rc=$?
    kinds=$(sed -n 's/^leftover \([^:]*\):.*/\1/p' <<<"$out" | sort -u | paste -sd' ')
    is "$rc $kinds" "1 $want" "$1: exactly $want" || diag "$out"
    [ -z "${3:-}" ] || like "$out" "$3" "$1: says what it is"
    [ "$kinds" != "$want" ] || tried+="$want "
    "unplant_$1" >"$TEST_TMP/plant.out" 2>&1 || fail "$1 can be taken away" "$(cat "$TEST_TMP/plant.out")"
    out=$(look --within 5)
    rc=$?
    is "$rc$out" 0 "$1: taken away, nothing is left"
}

# all_tried OPTION...: every kind that nothing-left knows, with these options, was seen by a plant.
all_tried() {
    is "$(tr ' ' '\n' <<<"$tried" | sed '/^$/d' | sort -u | paste -sd' ')" \
        "$("$NOTHING_LEFT" --list-kinds "$@" | sort | paste -sd' ')" "every kind was tried"
}
