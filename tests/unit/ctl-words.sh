#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# One list of words, three places: what --help says is what the man page and the completion say; and the
# settings that the reader knows are those of sendense-hub.conf(5), with the same defaults.

. "$(dirname "$0")/../lib/tap.sh"

ctl=$SENDENSE_BUILD/cli/sendensectl
man=$SENDENSE_SRC/docs/man
: >"$TEST_TMP/empty.conf"
mkdir "$TEST_TMP/folder"

# plain: roff without its escapes and fonts.
plain() { sed -E 's/\\f[RIBP]//g; s/\\-/-/g; s/\\&//g' "$1"; }

help=$("$ctl" --help)
# The words of a verb are small, those of its arguments are not.
verbs=$(awk '/^Verbs:/ { on = 1; next } /^$/ { on = 0 } on' <<<"$help" | cut -c3-28 |
    sed -E 's/( +\[?[A-Z]+\]?)* *$//' | sort)
options=$(awk '/^Options:/ { on = 1; next } /^$/ { on = 0 } on' <<<"$help" | grep -oE -e '--[a-z-]+' | sort)
is "$(wc -l <<<"$verbs")" "$(grep -c '^        { "[a-z]' "$SENDENSE_SRC/cli/verbs.c")" "--help lists the verbs of cli/verbs.c"

man_verbs=$(plain "$man/sendensectl.1" |
    awk '/^\.SH VERBS/ { on = 1; next } /^\.SH/ { on = 0 } on && tp { print } { tp = /^\.TP/ }' |
    sed -E 's/^\.(BR|BI|B) //; s/"//g; s/( +\[?[A-Z]+\]?)+$//' | sort)
is "$man_verbs" "$verbs" "sendensectl(1) has the verbs of --help"

man_options=$(plain "$man/sendensectl.1" |
    awk '/^\.SH OPTIONS/ { on = 1; next } /^\.SH/ { on = 0 } on && tp { print } { tp = /^\.TP/ }' |
    grep -oE -e '--[a-z-]+' | sort)
is "$man_options" "$options" "sendensectl(1) has the options of --help"

man_statuses=$(plain "$man/sendensectl.1" |
    awk '/^\.SH EXIT/ { on = 1; next } /^\.SH/ { on = 0 } on && /^\.B [0-9]/ { print $2 }' | sort -n)
statuses=$(sed -nE 's/^ +CTL_[A-Z_]+ = ([0-9]+),.*/\1/p' "$SENDENSE_SRC/cli/ctl.h" | sort -n)
is "$man_statuses" "$statuses" "sendensectl(1) has the exit statuses of cli/ctl.h"

# complete WORD...: what bash would offer for the last word.
complete_words() {
    bash -c '
        . "$1"
        shift
        COMP_WORDS=(sendensectl "$@")
        COMP_CWORD=$#
        COMPREPLY=()
        _sendensectl
        [ "${#COMPREPLY[@]}" -eq 0 ] || printf "%s\n" "${COMPREPLY[@]}"
    ' - "$SENDENSE_SRC/cli/completions/sendensectl" "$@"
}

# complete_verbs WORD...: all verbs that begin with these.
complete_verbs() {
    local word more
    more=$(complete_words "$@" '')
    case $*:$more in
    log-level:* | *:) echo "$*" ;; # what follows are levels
    "config "*:* | "vm set:"*) echo "$*" ;; # files
    *)
        [ "$*" != backup ] || echo "$*" # what follows may be a VM, too
        while IFS= read -r word; do complete_verbs "$@" "$word"; done <<<"$more"
        ;;
    esac
}
completed=$(complete_verbs | sort)
is "$completed" "$verbs" "the completion has the verbs of --help"
is "$(complete_words -- | sed 's/=$//' | sort)" "$options" "the completion has the options of --help"
is "$(complete_words st)" status "a word that has begun is completed"
is "$(complete_words --json config ch)" check "options before a verb do not confuse the completion"
is "$(complete_words --root = /tmp config sh)" show "nor does the value of an option"
is "$(complete_words --type = in)" incremental "the value of an option is completed"
is "$(complete_words job list --state =  | tr '\n' ' ')" \
    "$(sed -nE 's/^ +\[JOB_[A-Z]+\] = .*/&/p' "$SENDENSE_SRC/lib/job-types.c" | grep -A9 -F '[JOB_QUEUED]' |
        grep -oE '"[a-z]+"' | tr -d '"' | tr '\n' ' ')" "the completion has all states of a job"
is "$(complete_words repository add name "$TEST_TMP/fol")" "$TEST_TMP/folder" "folders are completed"
is "$(cd "$TEST_TMP" && complete_words config check em)" empty.conf "files are completed"
levels=$("$ctl" log-level --help | sed -nE 's/.*one of ([a-z, ]+)\..*/\1/p' | tr -d ,)
is "$(complete_words log-level '' | tr '\n' ' ')" "$levels " "the completion has all levels"

# verb_options VERB: those in the help of a verb; man_options VERB: those in its paragraph of the man page.
man_verb_options() {
    plain "$man/sendensectl.1" | awk -v verb="$1" '
        /^\.SH VERBS/ { on = 1; next } /^\.SH/ { on = 0 }
        on && tp { name = $0; sub(/^\.(BR|BI|B) /, "", name); gsub(/"/, "", name); sub(/( +\[?[A-Z]+\]?)+$/, "", name) }
        on && !tp && name == verb { print }
        { tp = /^\.TP/ }' | grep -oE -e '--[a-z-]+' | sort -u
}
while IFS= read -r verb; do
    # shellcheck disable=SC2086 # each word is an argument
    text=$("$ctl" $verb --help)
    like "$text" "^Usage: sendensectl \[OPTIONS...\] $verb" "$verb --help"
    own=$(awk '/^Options:/ { on = 1; next } on' <<<"$text" | grep -oE -e '--[a-z-]+' | sort)
    # shellcheck disable=SC2086
    is "$(complete_words $verb -- | sed 's/=$//' | sort)" "$own" "$verb: the completion has its options"
    is "$(man_verb_options "$verb")" "$(grep -vxE -e '--(help|json)' <<<"$own")" "$verb: sendensectl(1) has its options"
done <<<"$verbs"

settings=$("$ctl" config show --json "$TEST_TMP/empty.conf" | jq -r '.[] | "[\(.section | ascii_upcase)] \(.key)= \(.default)"')
documented=$(plain "$man/sendense-hub.conf.5" | awk '
    /^\.SH "\[/ { section = $2; gsub(/"/, "", section) }
    /^\.BR [A-Za-z]+= "? ?\(default: / {
        key = $2
        sub(/.*\(default: /, ""); sub(/\)"$/, "")
        print section, key, $0
    }')
is "$documented" "$settings" "sendense-hub.conf(5) has the settings of the reader, with their defaults"

for page in "$man"/*; do
    is "$(man --warnings -E UTF-8 -l "$page" 2>&1 >/dev/null)" "" "${page##*/}: rendered without a warning"
done
done_testing
