#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the lab says when it cannot: each message names the thing and the remedy, nothing is started, the status is not 0.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/lab/with-lab.bash"

# refuses NAME REGEX ARG...
refuses() {
    local name=$1 regex=$2 out
    shift 2
    out=$("$LAB" "$@" 2>&1)
    ok "$name: status" test $? -ne 0
    like "$out" "$regex" "$name: message"
}

refuses "unknown verb" "unknown verb frobnicate" frobnicate
refuses "unknown option" "unknown option --frobnicate" --frobnicate up
refuses "option without its argument" "--names takes an argument" up --names
refuses "stray argument" "up takes no argument: now" up now
refuses "no verb" "^Usage:"
refuses "name too long" "'abcdefghijklm' cannot name a machine" up --names abcdefghijklm
refuses "name with a slash" "'../x' cannot name a machine" up --names ../x
refuses "name twice" "two machines are called a" up --names "a a"
refuses "no names" "at least one machine" up --names ""
refuses "unknown root" "'moon' is no root" up --root=moon
refuses "no lab" "no lab is up in $LAB_STATE" exec hub true
refuses "journal of nobody" "no journal of 'hub'" journal hub
refuses "hook that cannot run" "cannot be executed" up --hook /etc/passwd
refuses "bind of nothing" "there is no /nowhere" up --bind /nowhere
refuses "bind to a relative path" "INSIDE begins with /" up --bind /etc:etc
mkdir "$TEST_TMP/foreign"
touch "$TEST_TMP/foreign/precious"
refuses "a foreign folder as state" "holds other things" --state "$TEST_TMP/foreign" up
ok "which is left alone" test -e "$TEST_TMP/foreign/precious"
like "$("$LAB" --help)" "^Usage: lab" "--help helps"
# Another user, who may read the tree wherever it lies.
as_other=(setpriv --reuid 65534 --clear-groups --inh-caps +dac_read_search --ambient-caps +dac_read_search)
ok "--help needs no root" "${as_other[@]}" "$LAB" --help
refused=$("${as_other[@]}" "$LAB" --state /nowhere up 2>&1)
like "$refused" "takes root" "without root, up says so"
# Every verb that the program knows is in the help, and the other way round.
in_help=$("$LAB" --help | sed -n '/^  up /,/^Options/s/^  \([a-z][a-z-]*\) .*/\1/p' | sort -u)
in_code=$(sed -n '/^    case \$verb in/,/^    esac/s/^    \([a-z][a-z |-]*\)) .*/\1/p' "$LAB" | tr -s ' |' '\n' | grep -v help | sort -u)
is "$in_help" "$in_code" "help and verbs agree"

[ "$EUID" -eq 0 ] || skip_all "the rest needs root"
# A machine whose systemd cannot start: lab up must say which, show its console and leave nothing.
printf '#!/bin/sh\nrm "$2/usr/lib/systemd/systemd"; : >"$2/usr/lib/systemd/systemd"\n' >"$TEST_TMP/hook"
chmod +x "$TEST_TMP/hook"
refuses "a machine that cannot boot" "node: its systemd ended with status" up --names node --hook "$TEST_TMP/hook"
cat >"$TEST_TMP/hook" <<'X'
#!/bin/sh
printf '[Service]\nType=oneshot\nExecStart=sleep 1000\n[Install]\nWantedBy=multi-user.target\n' \
    >"$2/etc/systemd/system/endless.service"
systemctl -q --root="$2" enable endless.service
X
export LAB_BOOT_SEC=3
refuses "a boot that does not end" "endless.service +start +running" up --names node --hook "$TEST_TMP/hook"
out=$(cat "$LAB_STATE/holder.log")
like "$out" '^lab: node: its PID 1 is systemd, process [0-9]+, state [A-Z] \([a-z ]+\), waits in [a-z0-9_?]+' \
    "what its PID 1 waits for is told"
like "$out" '^lab: node: nspawn is systemd-nspawn' "and nspawn"
like "$out" '^lab: node: systemctl --failed' "and what has failed in it"
like "$out" ' systemd\[1\]: .*Starting .*endless' "and its journal"
# The same with a PID 1 that answers nobody.
cat >"$TEST_TMP/hook" <<'X'
#!/bin/sh
printf '#!/bin/sh\nexec sleep 1000\n' >"$2/usr/sbin/lab-init"
X
refuses "a PID 1 that does nothing" "systemctl --failed .*, status [0-9]+:" up --names node --hook "$TEST_TMP/hook"
refuses "nothing is left of it" "no lab is up" exec node true
done_testing
