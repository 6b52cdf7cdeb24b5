# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# SOAP with plain curl, for the tests of the vCenter peer and for later suites
# that want to look at it from outside. Source tests/lib/tap.sh first. Answers
# go to stdout, the HTTP status to $TEST_TMP/status. Cookies are kept in $jar.

# shellcheck source-path=SCRIPTDIR
simdir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
jar=$TEST_TMP/jar
envelope='<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema"><soapenv:Body>'

simctl() { "$simdir/simctl" -C "$sim" "$@"; }

# sim_start [OPTION…]: a peer of this test's own; it ends with the test.
# shellcheck disable=SC2120 # its callers are other files
sim_start() {
    local tool
    for tool in curl jq xmllint; do
        command -v "$tool" >/dev/null || skip_all "$tool is not installed"
    done
    command -v go >/dev/null || skip_all "golang-go is not installed: the vCenter peer cannot be built"
    [ -d /usr/share/gocode/src/github.com/vmware/govmomi/simulator ] ||
        skip_all "golang-github-vmware-govmomi-dev is not installed: the vCenter peer cannot be built"
    sim=$TEST_TMP/sim
    "$simdir/simctl" start "$sim" -parent $$ "$@" >"$TEST_TMP/ready" || {
        fail "the vCenter peer starts" "$(tail -n 5 "$sim/log" 2>&1)"
        exit 1
    }
    at_end 'sim_stop'
    url=$(simctl ready url)
    base=${url%/sdk}
    ca=$(simctl ready ca)
    user=$(simctl ready user)
    password=$(head -n 1 "$sim/password")
}

# sim_stop: at the end of the test, unless the test itself has stopped it.
sim_stop() { [ ! -e "$sim/ready" ] || simctl stop; }

xml_text() { sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g'; }

# soap BODY: one call. SOAP faults come as HTTP 500, so only curl's own errors fail.
soap() {
    printf '%s%s</soapenv:Body></soapenv:Envelope>' "$envelope" "$1" |
        curl -sS --cacert "$ca" -b "$jar" -c "$jar" -H 'Content-Type: text/xml; charset=utf-8' \
            -H 'SOAPAction: "urn:vim25/6.5"' --data-binary @- -w '%{stderr}%{http_code}' "$url" 2>"$TEST_TMP/status"
}
status() { cat "$TEST_TMP/status"; }

# method NAME TYPE REF [INNER-XML]
method() {
    soap "<$1 xmlns=\"urn:vim25\"><_this type=\"$2\">$3</_this>${4:-}</$1>"
}

# xget NAME: the text of the first element of that name; xall: of all, a line each.
xget() { xmllint --xpath "string(//*[local-name()='$1'])" - 2>/dev/null; }
xall() { xmllint --xpath "//*[local-name()='$1']/text()" - 2>/dev/null; }
xpath() { xmllint --xpath "$1" - 2>/dev/null; }

# fault_of: the type of the fault in the answer on stdin, empty if there is none.
fault_of() { xmllint --xpath "string(//*[local-name()='detail']/*/@*[local-name()='type'])" - 2>/dev/null; }

# shellcheck disable=SC2120 # its callers are other files
login() { # [USER PASSWORD]
    method Login SessionManager SessionManager \
        "<userName>${1:-$user}</userName><password>$(printf '%s' "${2:-$password}" | xml_text)</password>"
}
logout() { method Logout SessionManager SessionManager; }

# props TYPE REF PATH…
props() {
    local type=$1 ref=$2 set=
    shift 2
    for p in "$@"; do set+="<pathSet>$p</pathSet>"; done
    method RetrievePropertiesEx PropertyCollector propertyCollector \
        "<specSet><propSet><type>$type</type>$set</propSet><objectSet><obj type=\"$type\">$ref</obj></objectSet></specSet><options/>"
}

# by_path INVENTORY-PATH: the reference, or nothing.
by_path() {
    method FindByInventoryPath SearchIndex SearchIndex \
        "<inventoryPath>$(printf '%s' "$1" | xml_text)</inventoryPath>" | xget returnval
}

# task_end TASK: waits for its end and prints the state; the info is in $TEST_TMP/task.
task_end() {
    local state
    while :; do
        props Task "$1" info >"$TEST_TMP/task" || return 1
        state=$(xget state <"$TEST_TMP/task")
        case $state in
            success | error) break ;;
            running | queued) sleep 0.02 ;;
            *) echo "no state: $(cat "$TEST_TMP/task")"; return 1 ;;
        esac
    done
    echo "$state"
}
task_result() { xget result <"$TEST_TMP/task"; }
task_fault() { xpath "string(//*[local-name()='error']/*[local-name()='fault']/@*[local-name()='type'])" <"$TEST_TMP/task"; }

# start_task NAME TYPE REF [INNER]: prints the task's reference.
start_task() { method "$@" | xget returnval; }

snapshot_args() { # NAME QUIESCE
    printf '<name>%s</name><description>test</description><memory>false</memory><quiesce>%s</quiesce>' "$(printf '%s' "$1" | xml_text)" "${2:-false}"
}

# snapshot VM NAME [QUIESCE]: the new snapshot's reference.
snapshot() {
    local task
    task=$(start_task CreateSnapshot_Task VirtualMachine "$1" "$(snapshot_args "$2" "${3:-false}")")
    [ "$(task_end "$task")" = success ] && task_result
}

# unsnapshot SNAPSHOT: prints the end state of its removal.
unsnapshot() {
    task_end "$(start_task RemoveSnapshot_Task VirtualMachineSnapshot "$1" \
        '<removeChildren>false</removeChildren><consolidate>true</consolidate>')"
}

tracking_on() { # VM
    task_end "$(start_task ReconfigVM_Task VirtualMachine "$1" '<spec><changeTrackingEnabled>true</changeTrackingEnabled></spec>')"
}

# disk_xml TYPE REF KEY: the device of that key in the config of a machine or snapshot.
disk_xml() {
    props "$1" "$2" config.hardware.device |
        xpath "//*[local-name()='VirtualDevice'][*[local-name()='key']='$3']"
}
disk_file() { disk_xml "$@" | xpath "string(/*/*[local-name()='backing']/*[local-name()='fileName'])"; }
disk_change_id() { disk_xml "$@" | xpath "string(/*/*[local-name()='backing']/*[local-name()='changeId'])"; }

# areas VM SNAPSHOT KEY OFFSET CHANGEID: the raw answer.
areas() {
    method QueryChangedDiskAreas VirtualMachine "$1" \
        "<snapshot type=\"VirtualMachineSnapshot\">$2</snapshot><deviceKey>$3</deviceKey><startOffset>$4</startOffset><changeId>$5</changeId>"
}

# pages VM SNAPSHOT KEY CHANGEID CAPACITY: walks to the end, a line "START LENGTH [AREA,LENGTH]…" a page.
pages() {
    local at=0 answer length
    while [ "$at" -lt "$5" ]; do
        answer=$(areas "$1" "$2" "$3" "$at" "$4")
        length=$(xpath "string(//*[local-name()='returnval']/*[local-name()='length'])" <<<"$answer")
        if [ -z "$length" ] || [ "$length" -le 0 ]; then
            echo "bad $answer"
            return 1
        fi
        echo "$at $length $(paste -d, <(xpath "//*[local-name()='changedArea']/*[local-name()='start']/text()" <<<"$answer") \
            <(xpath "//*[local-name()='changedArea']/*[local-name()='length']/text()" <<<"$answer") | tr '\n' ' ')"
        at=$((at + length))
    done
}

# encode TEXT: for a URL. folder_url DS-PATH SUFFIX [DCPATH]: the URL of a disk's file.
encode() { jq -rn --arg v "$1" '$v|@uri'; }
folder_url() {
    local ds path out part
    ds=${1#[}
    ds=${ds%%]*}
    path=${1#*] }
    path=${path%.vmdk}$2.vmdk
    out=
    while [ -n "$path" ]; do
        part=${path%%/*}
        out+=/$(encode "$part")
        [ "$part" != "$path" ] || break
        path=${path#*/}
    done
    echo "$base/folder$out?dcPath=$(encode "${3:-DC0}")&dsName=$(encode "$ds")"
}
# get URL [CURL-OPTION…]: with the cookie of the session.
get() { curl -sS --fail --cacert "$ca" -b "$jar" "${@:2}" "$1"; }
