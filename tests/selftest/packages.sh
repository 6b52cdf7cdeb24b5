#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# deploy/lib/packages.sh against a dpkg-query and an apt-get that answer from files, so that every
# answer of a mirror and every state of a machine can be had without either.

. "$(dirname "$0")/../lib/tap.sh"

bin=$TEST_TMP/bin
export FAKE=$TEST_TMP/fake
mkdir "$bin" "$FAKE" "$TEST_TMP/lists"

cat >"$bin/dpkg-query" <<'EOF'
#!/bin/bash
sed 's/^/installed /' "$FAKE/have"; echo "config-files half"
EOF
cat >"$bin/apt-get" <<'EOF'
#!/bin/bash
line="$*"; verb=install; [[ $line == *" update"* ]] && verb=update; [[ $line == *" -s "* ]] && verb=plan
echo "$verb" >>"$FAKE/verbs"
[ /dev/stdin -ef /dev/null ] || echo "stdin is open" >>"$FAKE/odd"
[ "$DEBIAN_FRONTEND" = noninteractive ] || echo "would ask" >>"$FAKE/odd"
[ ! -e "$FAKE/$verb-kills" ] || kill -s TERM "$PPID"
[ ! -e "$FAKE/policy" ] || cp -p "$FAKE/policy" "$FAKE/policy-seen"
n=$(grep -cx "$verb" "$FAKE/verbs")
[ ! -e "$FAKE/$verb-$n" ] || { cat "$FAKE/$verb-$n"; exit 100; }
[ "$verb" != install ] || { printf '%s\n' "${@#-*}" | grep -E '^(one|two|three|half)$' >>"$FAKE/have"; }
exit 0
EOF
chmod +x "$bin"/*
printf 'one  # first\n\n# only a comment\ntwo# tight\n' >"$TEST_TMP/lists/a"
printf 'three\ntwo\nhalf\n' >"$TEST_TMP/lists/b"

# ensure ARG...: packages_ensure with the fakes; sets says, status and verbs.
ensure() {
    rm -f "$FAKE/verbs"
    says=$(
        unset DEBIAN_FRONTEND
        # shellcheck disable=SC2030 # for this subshell only
        PATH=$bin:$PATH
        . "$SENDENSE_SRC/deploy/lib/packages.sh"
        packages_dir=$TEST_TMP/lists packages_policy=$FAKE/policy
        packages_ensure "$@" 2>&1 <"$FAKE/have"
    )
    status=$?
    verbs=$(tr '\n' ' ' 2>/dev/null <"$FAKE/verbs")
}
have() { printf '%s\n' "$@" >"$FAKE/have"; }

have one two three half
ensure a b
is "$status/$verbs/$says" "0//" "nothing is missing: apt is not asked"

have one two
ensure a b
is "$status/$verbs" "0/plan install " "two are missing: no update when apt can plan"
like "$says" 'installing half three$' "only those are installed, half removed ones too"
ok "no service could start meanwhile" test -x "$FAKE/policy-seen"
is "$(sh "$FAKE/policy-seen"; echo $?)" 101 "the policy denied it"
not_ok "and the policy is gone afterwards" test -e "$FAKE/policy"

have one
echo 'E: Unable to locate package two' >"$FAKE/plan-1"
ensure a
is "$status/$verbs" "0/plan update install " "apt cannot plan: the lists are fetched first"
have one
echo 'E: Failed to fetch http://x/two.deb  404  Not Found' >"$FAKE/install-1"
rm "$FAKE/plan-1"
ensure a
is "$status/$verbs" "0/plan install update install " "a stale list: fetched, tried again"

# fails NAME VERB APT-OUTPUT PATTERN
fails() {
    rm -f "$FAKE"/{plan,update,install}-*
    have one
    [ "$2" = plan ] || echo "$3" >"$FAKE/$2-1"
    echo "$3" >"$FAKE/plan-1"
    ensure a
    is "$status" 1 "$1: fails"
    like "$says" "$4" "$1: says the remedy"
    not_ok "$1: the policy is gone" test -e "$FAKE/policy"
}
fails "no network" update "W: Failed to fetch http://x  Temporary failure resolving 'x'" 'cannot be reached; check network'
fails "unknown package" install 'E: Unable to locate package two' "no Debian source offers: two;"
fails "locked" install 'E: Could not get lock /var/lib/dpkg/lock-frontend' 'wait for it to end'
fails "interrupted" install "E: dpkg was interrupted, you must manually run" "dpkg --configure -a"
fails "disk full" install 'No space left on device' 'the disk is full'
rm -f "$FAKE"/{plan,update,install}-*

echo '# the administrator says so' >"$FAKE/policy"
have one
ensure a
is "$status/$(<"$FAKE/policy")" "0/# the administrator says so" "a policy that was there stays"
printf '#!/bin/sh\n%s\nexit 101\n' "$(. "$SENDENSE_SRC/deploy/lib/packages.sh" && echo "$packages_policy_mark")" >"$FAKE/policy"
have one
ensure a
not_ok "one that a killed run left behind is removed" test -e "$FAKE/policy"
have one
touch "$FAKE/install-kills"
ensure a
not_ok "ended in the middle: the policy is removed" test -e "$FAKE/policy"
is "$status" 1 "ended in the middle: fails"
rm "$FAKE/install-kills" "$FAKE/policy-seen"
have one
ensure --with-services a
is "$status" 0 "--with-services installs"
not_ok "and sets no policy" test -e "$FAKE/policy-seen"

ensure none
is "$status" 1 "a list that does not exist: fails"
like "$says" 'no package list .*/none' "and is named"
not_ok "apt was never given a stdin or a chance to ask" test -e "$FAKE/odd"

for list in "$SENDENSE_SRC"/deploy/packages/*; do
    is "$(grep -vE '^(#.*|[a-z0-9][a-z0-9.+-]+ +# .+)$' "$list")" "" "${list##*/}: every package has a reason"
done

done_testing
