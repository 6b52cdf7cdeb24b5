#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# sendense-node enroll is killed at each fault point that it passes: what it has written is whole, and the same call again ends with
# a node that the hub reaches. For a machine that was no node, for one that gets another key, and for one that is the hub.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/tunnel/tunnel-lab.bash"

enrol_lab_up
require "it looks at its nodes often" hub sh -c 'printf "[Tunnel]\nHealthSec=1s\n" >/etc/sendense/hub.conf.d/60-often.conf && systemctl restart sendense-hub.service'
require "it is ready again" wait_prop "$patience_sec" DatabaseState 's "ready"'
grep -q 'SENDENSE_FAULT_POINTS 1' "$SENDENSE_BUILD/build-config.h" || skip_all "no build with fault points"

# enroll MACHINE OPTION...: the bundle is on standard input; its status, and what it says in $TEST_TMP/said. POINT: where it is killed.
# The folder is its own: hub and node have the same points, and are not meant.
enroll() {
    # shellcheck disable=SC2016 # expanded in the machine
    on "$1" sh -c 'export SENDENSE_FAULT_POINT_DIR=/run/enrol-test; install -d "$SENDENSE_FAULT_POINT_DIR"
        [ -z "$1" ] || export SENDENSE_FAULT_POINT="$1"
        shift; exec sendense-node enroll "$@"' _ "${POINT:-}" "${@:2}" - >"$TEST_TMP/said" 2>&1
}
said() { tr -s '\n ' ' ' <"$TEST_TMP/said"; }

# whole MACHINE: each file that is there is one of ours from its first to its last byte.
whole() {
    # shellcheck disable=SC2016 # expanded in the machine
    on "$1" bash -c 'cd /etc/sendense
        [ ! -e tunnel/key ] || ssh-keygen -y -P "" -f tunnel/key >/dev/null || exit
        if [ -e tunnel/key.new ]; then
            case $(tail -n 1 tunnel/key.new) in
            "bundle "*" ssh-ed25519 "*) ssh-keygen -y -P "" -f tunnel/key.new >/dev/null || exit ;;
            "bundle "*" local") [ "$(wc -l <tunnel/key.new)" = 1 ] || exit ;;
            *) cat tunnel/key.new; exit 1 ;;
            esac
        fi
        [ ! -e tunnel/hub-key ] || ssh-keygen -l -f tunnel/hub-key >/dev/null || exit
        [ ! -e node.conf.d/50-hub.conf ] || [ "$(sed -n "s/=..*//p" node.conf.d/50-hub.conf | paste -sd" ")" = "Hub SshPort ReversePort Ports" ] ||
            { cat node.conf.d/50-hub.conf; exit 1; }
        [ ! -e node-api.tokens ] || ! grep -vE "^(hub|other) [0-9a-f]{64}$" node-api.tokens'
}

# reached NAME: the hub asks the node's API through its tunnel, by the token that both have.
reached() { [[ $(hub sendensectl node list | tr -s ' ') == *"$1 enrolled yes"* ]]; }

# clean MACHINE KEYS: the other's line is there, the keys are those, and nothing of the enrolment is left.
clean() {
    # shellcheck disable=SC2016 # expanded in the machine
    on "$1" bash -c 'cd /etc/sendense && [ "$(ls -A tunnel | paste -sd" ")" = "$1" ] && ! find . -name "*.partial" | grep . &&
        [ "$(cut -d" " -f1 node-api.tokens | paste -sd" ")" = "other hub" ]' _ "$2" || {
        on "$1" ls -lA /etc/sendense/tunnel /etc/sendense
        return 1
    }
}

other() { on "$1" sh -c 'install -m 600 /dev/null /etc/sendense/node-api.tokens && echo "other $(printf %064d 0)" >/etc/sendense/node-api.tokens'; }

# One begins with a machine of the kind, and sets bundle; options and machine are the kind's.
number=0
machine=node options=()
new() {
    number=$((number + 1))
    name=s$number
    bundle=$(hub sendensectl node add "$name" --hub=hub 2>/dev/null)
}
# gone: the machine is no node any more.
gone() {
    hub sendensectl node remove "$name" >/dev/null 2>&1
    on "$machine" sh -c 'systemctl stop sendense-tunnel.socket sendense-tunnel.service sendense-node-api.socket sendense-node-api.service 2>/dev/null
        rm -f /etc/sendense/tunnel/* /etc/sendense/node.conf.d/50-hub.conf /etc/sendense/node.conf.d/*.partial; systemctl daemon-reload'
    other "$machine"
}
again() { bundle=$(hub sendensectl node rotate "$name" --hub=hub 2>/dev/null); }
here() {
    number=$((number + 1))
    name=s$number
    bundle=$(hub sendensectl node add "$name" --local 2>/dev/null)
}

# rounds KIND BEGIN END KEYS WORDS: one unharmed, which says where it can be killed; then one for each of these places.
rounds() {
    local kind=$1 begin=$2 end=$3 keys=$4 words=$5 hits hit n=0 bad n_bad=0 wanted start=$EPOCHSECONDS
    on "$machine" sh -c 'install -d /run/enrol-test && : >/run/enrol-test/hits'
    $begin
    enroll "$machine" "${options[@]}" <<<"$bundle"
    is "$?" 0 "$kind: an enrolment that nobody kills" || diag "$(said)"
    hits=$(on "$machine" awk '{ print $1 ":" $2 }' /run/enrol-test/hits)
    on "$machine" rm /run/enrol-test/hits
    $end
    for hit in $hits; do
        bad=
        $begin
        POINT=$hit enroll "$machine" "${options[@]}" <<<"$bundle"
        [ $? -eq 137 ] || bad+=" was not killed: $(said)"
        whole "$machine" 2>&1 || bad+=" left something half"
        enroll "$machine" "${options[@]}" <<<"$bundle"
        # The last thing that it does has been done: the machine is a node, and the bundle used up.
        case $?,$hit,${options[*]} in
        0,*) wanted=$words ;;
        1,enroll.remove.after:*,) wanted='This machine is a node already' ;;
        1,enroll.remove.after:*,--replace)
            wanted='was used, by another key'
            on "$machine" rm /etc/sendense/tunnel/key.new
            ;;
        *) wanted='it is enrolled' ;;
        esac
        [[ $(said) == *$wanted* ]] || bad+=" again: $(said)"
        eventually "$patience_sec" reached "$name" || bad+=" is not reached: $(hub sendensectl node list)"
        clean "$machine" "$keys" || bad+=" left something"
        [ -z "$bad" ] || diag "$hit:$bad"
        n_bad=$((n_bad + (${#bad} > 0)))
        n=$((n + 1))
        $end
    done
    is "$n_bad" 0 "$kind: killed at each of $n places, the same call again makes it a node that the hub reaches"
    # A list that is too short would be a test of nothing.
    is "$(sort <<<"$hits" | grep -c "$6")" "$7" "$kind: among them each rename" || diag "$hits"
    diag "$n rounds in $((EPOCHSECONDS - start)) s"
}

other node
other hub
rounds "a new node" new gone "hub-key key" "and its tunnel to hub port 443 is up" '^small-file.rename.after:' 5
new
require "a node" enroll node <<<"$bundle"
options=(--replace)
rounds "another key" again : "hub-key key" "and its tunnel to hub port 443 is up" '^small-file.rename.after:' 5
gone
machine=hub options=()
rounds "the hub's own machine" here gone "" "is enrolled at the hub of this machine" '^small-file.rename.after:' 2
done_testing
