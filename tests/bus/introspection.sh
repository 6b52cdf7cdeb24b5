#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# No list is kept by hand: what the running hub says about itself is compared with the golden XML,
# the bus policy, the polkit actions, the API reference and the man page.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/private-bus.bash"
. "$(dirname "$0")/hub.bash"

private_bus_start "$hub_policy" || exit 1
hub_start || exit 1

golden=$SENDENSE_SRC/tests/bus/golden/$hub_manager.xml
actions_file=$SENDENSE_SRC/deploy/polkit/com.sendense.hub.policy
reference=$SENDENSE_SRC/docs/API_REFERENCE.md
man_page=$SENDENSE_SRC/docs/man/sendense-hub.8

# same NAME WANT GOT: two sets of lines; shows only what differs.
same() {
    local difference
    difference=$(diff <(sort <<<"$2") <(sort <<<"$3"))
    is "$difference" '' "$1"
    ok "$1: it is not empty" test -n "$2"
}

xml=$TEST_TMP/hub.xml
busctl --system --xml-interface introspect "$hub_name" "$hub_path" >"$xml"
ours=$(xmllint --xpath '//interface[starts-with(@name,"com.sendense.")]' "$xml")

# Golden. To accept a change: SENDENSE_GOLDEN_UPDATE=1 tests/bus/introspection.sh, and review the diff.
[ -z "${SENDENSE_GOLDEN_UPDATE:-}" ] || printf '%s\n' "$ours" >"$golden"
is "$(diff "$golden" <(printf '%s\n' "$ours") 2>&1)" '' "the interface is the golden one"

# Prints what the XML holds, one a line, as the documents write it:
# method GetStatus(a{sv} options) -> a{sv} status / property State s emits-change
signatures() {
    awk -F'"' '
        function attribute(name,   i) {
            for (i = 1; i < NF; i += 2)
                if ($i ~ "(^|[ <])" name "=$") return $(i + 1)
            return ""
        }
        /<method /   { method = attribute("name"); args = results = "" }
        /<arg / && method != "" {
            text = attribute("type") " " attribute("name")
            if (attribute("direction") == "out") results = results (results == "" ? "" : ", ") text
            else args = args (args == "" ? "" : ", ") text
        }
        /<\/method>|<method .*\/>/ {
            print "method " method "(" args ")" (results == "" ? "" : " -> " results)
            method = ""
        }
        /<signal /   { print "signal " attribute("name") }
        /<property / {
            property = attribute("name") " " attribute("type")
            change = attribute("access") == "read" ? "emits-change" : "WRITABLE"
        }
        /<annotation .*EmitsChangedSignal/ { change = attribute("value") }
        /<\/property>|<property .*\/>/ { print "property " property " " change }
    ' <<<"$1"
}
running=$(signatures "$ours")

# The API reference: headings of methods, rows of properties.
documented=$(
    sed -n 's/^#### `\(.*\)`$/method \1/p' "$reference"
    awk -F'[|]' '/^\| `[A-Z][A-Za-z0-9]*` \| `/ { gsub(/[` ]/, "", $2); gsub(/[` ]/, "", $3); gsub(/ /, "", $4)
                 print "property " $2 " " $3 " " $4 }' "$reference"
    sed -n 's/^| `\([A-Za-z]*\)` (`.*/signal \1/p' "$reference"
)
same "the API reference has the methods and properties of the hub" "$running" "$documented"

# The man page: the .B lines of two sections.
in_man=$(awk '
    /^\.SH / { kind = $0 == ".SH BUS METHODS" ? "method" : $0 == ".SH BUS PROPERTIES" ? "property" : "" }
    kind != "" && previous == ".TP" { gsub(/\\-/, "-"); print kind substr($0, 3) }
    { previous = $0 }' "$man_page")
same "the man page has the methods and properties of the hub" "$(grep -v '^signal ' <<<"$running")" "$in_man"
sed -n 's/^signal //p' <<<"$running" >"$TEST_TMP/signals"
while read -r signal; do
    like "$(<"$man_page")" "^\.B $signal$" "the man page has the signal $signal"
done <"$TEST_TMP/signals"

# The bus policy: every method of every interface but Set, as nothing can be written.
# EnrolNode and Authenticate are for two users alone, and everybody else is told so by the bus.
# A Job object lives as long as its job, which needs systemd; its one method stands in the policy.
callable=$(echo com.sendense.Hub1.Job.Cancel && awk -F'"' '/<interface / { interface = $2 } /<method / { print interface "." $2 }' "$xml" |
    grep -vxE 'org.freedesktop.DBus.Properties.Set|com.sendense.Hub1.Manager.(EnrolNode|Authenticate)')
allowed=$(xmllint --xpath '//policy[@context="default"]/allow[@send_destination="com.sendense.Hub1"
        and @send_type="method_call"]/@*[name()="send_interface" or name()="send_member"]' \
    --nonet "$hub_policy" |
    awk -F'"' '/send_interface/ { interface = $2 } /send_member/ { print interface "." $2 }')
same "the bus policy allows the methods of the hub, one by one" "$callable" "$allowed"
is "$(xmllint --nonet --xpath 'count(//policy[@context="default"]/*)' "$hub_policy")" "$(wc -l <<<"$allowed")" \
    "and nothing else"
declare -A alone=([root]=$'EnrolNode\nAuthenticate' [sendense-enroll]=EnrolNode)
for user in root sendense-enroll; do
    same "$user may what others may not, and $user's policy has no other method" "${alone[$user]}" \
        "$(xmllint --nonet --xpath "//policy[@user='$user']/allow[@send_destination='com.sendense.Hub1']/@send_member" "$hub_policy" | cut -d'"' -f2)"
done
is "$(xmllint --nonet --xpath "//policy[@user='sendense-enroll']/*" "$hub_policy" | sed -E 's/ *(send_[a-z]+=)/ \1/g' | tr -s ' \n' ' ')" \
    '<deny send_type="method_call"/> <deny send_type="signal"/> <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"/> <allow send_destination="com.sendense.Hub1" send_type="method_call" send_interface="com.sendense.Hub1.Manager" send_member="EnrolNode"/> ' \
    "that user may send nothing else to anybody but the bus"
is "$(xmllint --nonet --xpath "//policy[@user='sendense-hub-api']/*" "$hub_policy" | sed -E 's/ *(send_[a-z]+=)/ \1/g' | tr -s ' \n' ' ')" \
    '<deny send_type="method_call"/> <deny send_type="signal"/> <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"/> <allow send_destination="com.sendense.Hub1" send_type="method_call" send_interface="org.freedesktop.DBus.Properties" send_member="GetAll"/> <allow send_destination="com.sendense.Hub1" send_type="method_call" send_interface="com.sendense.Hub1.Manager"/> <deny send_destination="com.sendense.Hub1" send_interface="com.sendense.Hub1.Manager" send_member="EnrolNode"/> ' \
    "the HTTP API may speak to the hub and the bus alone, and enrol nobody"
is "$(xmllint --nonet --xpath "//policy[@user='sendense-policy']/*" "$hub_policy" | sed -E 's/ *(send_[a-z]+=)/ \1/g' | tr -s ' \n' ' ')" \
    '<deny send_type="method_call"/> <deny send_type="signal"/> <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"/> <allow send_destination="com.sendense.Hub1" send_type="method_call" send_interface="com.sendense.Hub1.Manager" send_member="RunPolicy"/> <allow send_destination="com.sendense.Hub1" send_type="method_call" send_interface="com.sendense.Hub1.Manager" send_member="VerifyAll"/> ' \
    "what timers start may ask for runs and verification, and nothing else"
is "$(xmllint --nonet --xpath "//policy[@user='sendense']/allow/@send_member" "$hub_policy" | tr -d ' ')" 'send_member="CleanUnit"' \
    "the hub may have systemd forget a timer, beyond what everybody may send it"
same "root and the hub's user may own the name" $'root\nsendense' \
    "$(xmllint --nonet --xpath '//policy[allow/@own="com.sendense.Hub1"]/@user' "$hub_policy" | sed 's/.*"\(.*\)"/\1/')"

# The rights: which action a method needs says the hub itself when it refuses nobody.
declare -A sample=([s]=info [t]=1 [u]=2000 ['a{sv}']='@a{sv} {}' ['aa{sv}']='@aa{sv} []' [as]="['inspect']")
needed='' unanswered=
install -m 755 "$SENDENSE_BUILD/tests/bus/password-call" "$TEST_TMP/password-call"
install -m 755 "$SENDENSE_BUILD/cli/sendensectl" "$TEST_TMP/sendensectl"
while read -r method types; do
    arguments=()
    # Those that take a socket, and those that take another descriptor.
    case $method in
    ListFiles | GetFiles)
        verb=tar
        [ "$method" = GetFiles ] || verb='ls'
        answer=$(as_nobody "$TEST_TMP/sendensectl" backup files "$verb" backup-web-1 / 2>&1)
        action=$(sed -n 's/.*uid:65534 may not call .*(polkit action \([^)]*\)).*/\1/p' <<<"$answer")
        [ -n "$action" ] || unanswered+=" $method: $answer;"
        needed+="$method $action"$'\n'
        continue
        ;;
    esac
    case " $types " in
    *' h '*)
        for type in $types; do
            [ "$type" != s ] || arguments+=(info)
        done
        answer=$(as_nobody "$TEST_TMP/password-call" "$method" "${arguments[@]}" +user=x <<<geheim)
        action=$(sed -n 's/.*uid:65534 may not call .*(polkit action \([^)]*\)).*/\1/p' <<<"$answer")
        [ -n "$action" ] || unanswered+=" $method: $answer;"
        needed+="$method $action"$'\n'
        continue
        ;;
    esac
    for type in $types; do
        [ -n "${sample[$type]:-}" ] || unanswered+=" no sample of type $type for $method;"
        arguments+=("${sample[$type]:-}")
    done
    # What a handler refuses before it asks who calls must be right.
    case $method in
    AddRepository) arguments[1]=/srv/info ;;
    CreateToken) arguments[1]=$(printf '0%.0s' {1..64}) ;;
    VerifyBackup | DeleteBackup) arguments[0]=backup-web-1 ;;
    AddNode | RotateNode) arguments[1]=$(public_key 1) ;;
    esac
    answer=$(as_nobody gdbus call --system --dest "$hub_name" --object-path "$hub_path" \
        --method "$hub_manager.$method" -- "${arguments[@]}" 2>&1)
    action=$(sed -n 's/.*AccessDenied: uid:65534 may not call .*(polkit action \([^)]*\)).*/\1/p' <<<"$answer")
    [ -n "$action" ] || unanswered+=" $method: $answer;"
    needed+="$method $action"$'\n'
done < <(signatures "$ours" | grep -vE '^method (EnrolNode|Authenticate)\(' | sed -n 's/^method \([^(]*\)(\([^)]*\)).*/\1 \2/p' | sed 's/ [a-z0-9_]*,/ /g; s/ [a-z0-9_]*$//')
is "$unanswered" '' "nobody is refused every method, by the hub and with the action"
needed=${needed%$'\n'}

known=$(xmllint --nonet --xpath '//action/@id' "$actions_file" | sed 's/.*"\(.*\)"/\1/')
same "the API reference has the polkit actions" "$known" \
    "$(sed -n 's/^| `\(com\.sendense\.hub\.[a-z]*\)`.*/\1/p' "$reference")"
is "$(grep -vxF -e "$known" <<<"$(cut -d' ' -f2 <<<"$needed" | sort -u)")" '' "polkit has every action that a method needs"
same "the API reference names the action of each method" "$needed" \
    "$(awk '/^#### `/ { name = $2; gsub(/`|\(.*/, "", name) } /^Action: / { gsub(/`/, "", $2); print name " " $2 }' "$reference")"
same "the man page names the action of each method" "$needed" \
    "$(awk '/^\.SH BUS PROPERTIES/ { exit } /^\.B / { name = $2; sub(/\(.*/, "", name) }
            /^\.BR com\.sendense\.hub\./ { print name " " $2 }' "$man_page")"

# The errors.
same "the API reference has our errors" \
    "$(grep -o '"com\.sendense\.Error\.[A-Za-z]*"' "$SENDENSE_SRC/lib/bus/bus-error.h" | tr -d '"' | sort -u)" \
    "$(sed -n 's/^| `\(com\.sendense\.Error\.[A-Za-z]*\)`.*/\1/p' "$reference" | sort -u)"

# The words of the states.
words=$(grep -hoE '\[(HUB|DATABASE)_[A-Z_]+\] = "[a-z-]+"' "$SENDENSE_SRC"/busd/hub/{,store/}*.c | cut -d'"' -f2)
ok "there are words for the states" test "$(wc -l <<<"$words")" -ge 9
for word in $words; do
    like "$(grep -E '^\| `(Database)?State`' "$reference")" "\`$word\`" "the API reference has the state $word"
    like "$(sed 's/\\-/-/g' "$man_page")" "^([a-z, ]*|.*, |.* or )$word( |,|\.)" "the man page has the state $word"
done

# The options of the command line.
same "the man page has the options of --help" \
    "$("$hub_program" --help | grep -Eo -e '--[a-z-]+' | sort -u)" \
    "$(awk '/^\.SH OPTIONS/ { on = 1; next } /^\.SH/ { on = 0 } on && previous == ".TP" { gsub(/\\-/, "-"); print }
            { previous = $0 }' "$man_page" | grep -Eo -e '--[a-z-]+' | sort -u)"
is "$(man -l --warnings "$man_page" 2>&1 >/dev/null)" '' "the man page is well-formed"
ok "the polkit file is well-formed" xmllint --nonet --noout "$actions_file"

# What the lists say, the bus does.
like "$(as_nobody busctl --system call "$hub_name" "$hub_path" org.freedesktop.DBus.Introspectable Introspect 2>&1)" \
    'com.sendense.Hub1.Manager' "everybody may introspect"
like "$(as_nobody busctl --system call "$hub_name" "$hub_path" org.freedesktop.DBus.Properties Set ssv \
    "$hub_manager" LogLevel s debug 2>&1)" 'Access denied|Rejected' "the bus lets no Set through"
like "$(busctl --system call "$hub_name" "$hub_path" "$hub_manager" NoSuchMethod 2>&1)" 'Access denied|Rejected' \
    "nor a method that has no line"
# The errors after which a backup is tried again: the table of the program, and the page.
passing() {
    sed -n '/^static const char \*const passing/,/^};/p' "$SENDENSE_SRC/lib/bus/bus-error.c" | grep -o 'BUS_ERROR_[A-Z_]*' |
        while read -r name; do sed -nE "s/^#define $name +\"com\.sendense\.Error\.(.*)\"/\1/p" "$SENDENSE_SRC/lib/bus/bus-error.h"; done
}
is "$(sed -n '/^A backup by a node that failed with one of these/,/^## /p' "$reference" | grep '^`' | grep -o '`[A-Za-z]*`' | tr -d '`')" "$(passing)" \
    "the page lists the errors after which a backup is tried again"

done_testing
