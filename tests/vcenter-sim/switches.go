// SPDX-License-Identifier: LGPL-2.1-or-later

// The one list of everything this peer can be told to do. The command line
// prints it (-list-switches), the control interface refuses what is not in it,
// and a test compares it with the README and with the tests themselves.

package main

import (
	"fmt"
	"sort"
)

type switchKind string

const (
	asFault   switchKind = "fault"   // armed: fault NAME [method=…] [at=K] [count=N] …
	asSetting switchKind = "set"     // set NAME=NUMBER
	asCommand switchKind = "command" // a control call, or a trait of a machine or disk
)

type switchInfo struct {
	kind    switchKind
	initial int64 // of a setting
	method  string
	help    string
}

var switches = map[string]switchInfo{
	"session-killed": {kind: asFault, method: "*", help: "the caller's session is ended just before the call"},
	"soap-fault":     {kind: asFault, help: "the call answers fault=NAME and does nothing"},
	"file-fault":     {kind: asFault, method: "QueryChangedDiskAreas", help: "FileFault, as for an unknown change id"},
	"task-error":     {kind: asFault, method: "CreateSnapshot_Task", help: "the task ends in error (fault=NAME) and does nothing"},
	"remove-snapshot-fails": {kind: asFault, method: "RemoveSnapshot_Task",
		help: "the removal's task ends in error, the snapshot stays"},
	"quiesce-fault":        {kind: asFault, method: "CreateSnapshot_Task", help: "a quiesced snapshot ends in ApplicationQuiesceFault"},
	"slow-task":            {kind: asFault, method: "*_Task", help: "the task runs for ms=N, polls=N or until hold=1 is ended"},
	"consolidation-needed": {kind: asFault, method: "RemoveSnapshot_Task", help: "the snapshot goes, its delta stays: runtime.consolidationNeeded"},
	"snapshot-lingers":     {kind: asFault, method: "RemoveSnapshot_Task", help: "the snapshot goes, and is shown for ms=N more"},
	"cut-answer":           {kind: asFault, method: "*", help: "the call takes effect, the answer ends after bytes=N (-1: not even a header)"},
	"cut-upload":           {kind: asFault, method: "*Put", help: "bytes=N of what is sent are kept, then the connection is closed"},
	"drop-connection":      {kind: asFault, method: "*", help: "the connection is closed before the call takes effect"},
	"empty-500":            {kind: asFault, method: "*", help: "HTTP 500 without a body, no effect"},
	"http-503":             {kind: asFault, method: "*", help: "HTTP 503 with an HTML page, no effect"},
	"delay":                {kind: asFault, method: "*", help: "the call waits ms=N first"},
	"bad-xml":              {kind: asFault, method: "*", help: "the call takes effect, the answer is no SOAP that one may read (mode=NAME)"},
	"wrong-sums":           {kind: asFault, method: "QueryChangedDiskAreas", help: "changed areas whose sums are wrong (mode=NAME)"},

	"idle-expiry":     {kind: asSetting, help: "milliseconds without a call after which a session is over (0 = never)"},
	"task-ms":         {kind: asSetting, initial: 20, help: "how long every task runs"},
	"area-bytes":      {kind: asSetting, initial: 0, help: "bytes of one area at most: many areas of little content (0 = as they are)"},
	"area-page":       {kind: asSetting, initial: 2000, help: "areas in one page of QueryChangedDiskAreas"},
	"area-page-bytes": {kind: asSetting, initial: 32 << 30, help: "bytes of disk described by one page (0 = all)"},
	"empty-page":      {kind: asSetting, help: "1: every gap between areas is a page of its own, empty"},
	"property-page":   {kind: asSetting, help: "objects in one page of RetrievePropertiesEx (0 = all)"},
	"quiesce-ignored": {kind: asSetting, help: "1: quiesce is asked for, not done, and no fault tells"},
	"quote-cookie":    {kind: asSetting, initial: 1, help: "1: the cookie's value in quotes, as vCenter sends it"},
	"lease-host":      {kind: asSetting, initial: 0, help: "upload URLs name a host: 1 with the thumbprint of its certificate, 2 with another"},
	"lease-reversed":  {kind: asSetting, initial: 0, help: "upload URLs come in another order than the disks were asked for"},
	"lease-polls":     {kind: asSetting, initial: 1, help: "reads of a lease's state that still say initializing"},

	"session-list":    {kind: asCommand, help: "SessionManager.sessionList, and sessions of the control interface"},
	"password-change": {kind: asCommand, help: "the user's password becomes another, open sessions stay"},
	"uuid-change":     {kind: asCommand, help: "cbt reset: tracking starts again under another UUID"},
	"same-uuid":       {kind: asCommand, help: "two machines with one instance UUID"},
	"suspended":       {kind: asCommand, help: "a machine that is suspended"},
	"host":            {kind: asCommand, help: "a further host of a cluster; a host in maintenance mode, or not connected, on which ImportVApp makes nothing"},
	"inaccessible":    {kind: asCommand, help: "a machine whose host or datastore is away: found by no UUID, without config and snapshots"},
	"unreadable":      {kind: asCommand, help: "a property that the user may not read: it stands in missingSet"},
	"device":          {kind: asCommand, help: "a PCI device of the host, a vGPU or a TPM; with the first a machine that runs has no snapshot"},
	"encrypted":       {kind: asCommand, help: "a machine and its disks with a keyId"},
	"template":        {kind: asCommand, help: "a machine that is a template"},
	"rdm":             {kind: asCommand, help: "a disk shown as a physical raw device mapping"},
	"independent":     {kind: asCommand, help: "an independent_persistent disk, outside of snapshots"},
	"controllers":     {kind: asCommand, help: "pvscsi (2000…), sata (16000…), nvme (32000…)"},
	"names":           {kind: asCommand, help: "names with spaces, &, ü, %2f, [ ]"},
	"two-datacenters": {kind: asCommand, help: "DC0 and Sites/DC1 with equally named datastores"},
	"user-snapshot":   {kind: asCommand, help: "a snapshot of the user's own, with a sparse delta above it"},
	"frozen":          {kind: asCommand, help: "a snapshot's disks keep their content while the guest writes"},
	"live-writer":     {kind: asCommand, help: "a guest that goes on writing"},
	"disk-add":        {kind: asCommand, help: "a disk is added"},
	"disk-resize":     {kind: asCommand, help: "a disk grows"},
	"disk-lost":       {kind: asCommand, help: "a disk without a capacity, as vCenter shows one whose datastore is gone"},
	"disk-replace":    {kind: asCommand, help: "another disk under the same key"},
	"detached":        {kind: asCommand, help: "a disk that was taken off keeps its content: moved, deleted, attached elsewhere"},
	"descriptor":      {kind: asCommand, help: "a base disk whose descriptor says vsan, vvol, sesparse or encrypted"},
	"import-lease":    {kind: asCommand, help: "ImportVApp, HTTPS upload of a stream-optimised VMDK, HttpNfcLease"},
	"datastore":       {kind: asCommand, help: "/folder with ranges, behind cookie or Basic"},
	"nvram":           {kind: asCommand, help: "the variables of a machine's EFI, a file beside its disks"},
	"bad-certificate": {kind: asCommand, help: "start with an expired, self-signed or wrongly named certificate"},
}

func defaultSettings() map[string]int64 {
	m := make(map[string]int64)
	for name, sw := range switches {
		if sw.kind == asSetting {
			m[name] = sw.initial
		}
	}
	return m
}

func (s *sim) setting(name string) int64 {
	v, ok := s.settings[name]
	if !ok {
		panic("no such setting: " + name)
	}
	return v
}

func printSwitches() {
	names := make([]string, 0, len(switches))
	for name := range switches {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		fmt.Printf("%s\t%s\t%s\n", name, switches[name].kind, switches[name].help)
	}
}
