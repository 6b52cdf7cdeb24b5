#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Properties: whole inventories through a view, cut into pages with a token
# that only its own session may use.
# Switches: property-page

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/vcenter-sim/soap.bash
. "$(dirname "$0")/soap.bash"
sim_start -zoo
login >/dev/null

view=$(method CreateContainerView ViewManager ViewManager '<container type="Folder">group-d1</container><type>VirtualMachine</type><recursive>true</recursive>' | xget returnval)
like "$view" . 'a view of all machines'
all() { # [OPTIONS]
    method RetrievePropertiesEx PropertyCollector propertyCollector "<specSet><propSet><type>VirtualMachine</type><pathSet>name</pathSet></propSet><objectSet><obj type=\"ContainerView\">$view</obj><skip>true</skip><selectSet xsi:type=\"TraversalSpec\"><type>ContainerView</type><path>view</path><skip>false</skip></selectSet></objectSet></specSet><options>${1:-}</options>"
}
more() { method ContinueRetrievePropertiesEx PropertyCollector propertyCollector "<token>$1</token>"; }
names() { xall val | sort; }

want=$(simctl vm list | jq -r '.[].name' | sed 's/&/\&amp;/' | sort)
is "$(all | names)" "$want" 'without paging all come at once'
is "$(all | xget token)" '' 'and no token'
simctl set property-page=4 >/dev/null
page=$(all)
got=$(xall val <<<"$page")
sizes=$(wc -l <<<"$got")
while token=$(xget token <<<"$page") && [ -n "$token" ]; do
    page=$(more "$token")
    got+=$'\n'$(xall val <<<"$page")
    sizes+=" $(xall val <<<"$page" | wc -l)"
done
is "$sizes" '4 4 1' 'property-page=4: nine machines in three pages'
is "$(sort <<<"$got")" "$want" 'that together are all of them'
simctl set property-page=0 >/dev/null
page=$(all '<maxObjects>5</maxObjects>')
is "$(xall val <<<"$page" | wc -l)" 5 'maxObjects of the client counts, too'
token=$(xget token <<<"$page")
is "$(more "$token" | xall val | wc -l)" 4 'the rest comes on asking'
is "$(more "$token" | fault_of)" InvalidArgument 'a token is good once'
token=$(all '<maxObjects>5</maxObjects>' | xget token)
first=$jar
jar=$TEST_TMP/other
login >/dev/null
is "$(more "$token" | fault_of)" InvalidArgument 'not for another session'
jar=$first
is "$(method CancelRetrievePropertiesEx PropertyCollector propertyCollector "<token>$token</token>" | fault_of)" '' 'it can be given back'
is "$(more "$token" | fault_of)" InvalidArgument 'and is void then'
simctl set property-page=1 >/dev/null
token=$(all | xget token)
simctl fault session-killed method=ContinueRetrievePropertiesEx >/dev/null
is "$(more "$token" | fault_of)" NotAuthenticated 'a session that dies between pages is noticed'
rm -f "$jar"
login >/dev/null
is "$(more "$token" | fault_of)" InvalidArgument 'and its token died with it'

vm=$(by_path DC0/vm/Prod/pgtest1)
like "$(props VirtualMachine "$vm" config.hardware.nonsense)" 'InvalidProperty' 'an unknown property is told'
is "$(props VirtualMachine "$vm" snapshot | xall val)" '' 'an unset one is absent'
like "$(props VirtualMachine "$vm" config.uuid config.instanceUuid config.version config.firmware)" \
    'vmx-13' 'what a backup reads first is there'
is "$(props VirtualMachine "$vm" runtime.consolidationNeeded | xget val)" false 'consolidationNeeded is set'
is "$(by_path DC0/vm/Prod/nothing)" '' 'a path to nothing gives nothing'
like "$(by_path /DC0/vm/Prod)" '^group|^folder' 'a path may lead to a folder'
# Another one waits for updates while calls go on.
filter="<spec><propSet><type>VirtualMachine</type><pathSet>snapshot</pathSet></propSet><objectSet><obj type=\"VirtualMachine\">$vm</obj></objectSet></spec><partialUpdates>false</partialUpdates>"
method CreateFilter PropertyCollector propertyCollector "$filter" >/dev/null
version=$(method WaitForUpdatesEx PropertyCollector propertyCollector '<version></version>' | xget version)
method WaitForUpdatesEx PropertyCollector propertyCollector "<version>$version</version><options><maxWaitSeconds>10</maxWaitSeconds></options>" >"$TEST_TMP/update" &
waiting=$!
like "$(method CurrentTime ServiceInstance ServiceInstance)" '<returnval>20' 'a call is answered while another waits for updates'
snap=$(snapshot "$vm" seen)
wait "$waiting"
like "$(cat "$TEST_TMP/update")" "$snap" 'and the update comes'
is "$(unsnapshot "$snap")" success 'done'
done_testing
