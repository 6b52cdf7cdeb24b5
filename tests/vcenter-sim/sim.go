// SPDX-License-Identifier: LGPL-2.1-or-later

// The state that is ours: virtual machines with their disks, snapshots, tasks,
// settings and fault rules, beside the inventory that VMware's simulator keeps.
// One lock, `world`, is held for every SOAP call, control call, guest write and
// task completion, so that each is one step for all others. The calls that
// wait for updates run without it.

package main

import (
	"log"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/types"
)

type moref = types.ManagedObjectReference

// vmState is what we know of a machine beyond the simulator's own object.
type vmState struct {
	ref   moref
	disks map[int32]*disk
	nvram string // its file on the datastore, once it was switched on

	inaccessible bool   // vCenter has lost sight of it
	unreadable   string // a property that the user may not read
	lingering    *types.VirtualMachineSnapshotInfo
	lingersUntil time.Time
}

type sim struct {
	world     sync.Mutex
	opt       options
	model     *simulator.Model
	client    *vim25.Client
	tmp       string
	url       string
	port      string // of the front
	sha1      string // of its certificate
	vms       map[moref]*vmState
	snapshots map[moref]*snapshot
	history   []snapshotInfo // every snapshot as it was when it was made
	tasks     []*simTask
	settings  map[string]int64
	rules     []*rule
	ruleCount int
	calls     []callRecord
	leases    map[moref]*lease
	shelf     map[string]*disk         // at no machine, by the file of its descriptor
	aged      map[string]time.Duration // idle time that a session only pretends
	pages     map[string]*page
	writers   map[string]*writer
	files     map[string]*dcFiles // dcPath -> its datastores
	quit      chan struct{}
}

func newSim(opt options) *sim {
	s := &sim{
		opt:       opt,
		vms:       make(map[moref]*vmState),
		snapshots: make(map[moref]*snapshot),
		settings:  defaultSettings(),
		leases:    make(map[moref]*lease),
		shelf:     make(map[string]*disk),
		aged:      make(map[string]time.Duration),
		pages:     make(map[string]*page),
		writers:   make(map[string]*writer),
		files:     make(map[string]*dcFiles),
		quit:      make(chan struct{}),
	}
	return s
}

// locked runs f as one step of the world.
func (s *sim) locked(f func()) {
	s.world.Lock()
	defer s.world.Unlock()
	f()
}

// simVM is the simulator's own object.
func (v *vmState) simVM() *simulator.VirtualMachine {
	vm, ok := simulator.Map.Get(v.ref).(*simulator.VirtualMachine)
	if !ok {
		log.Panicf("%s has left the inventory", v.ref)
	}
	return vm
}

func (v *vmState) name() string { return v.simVM().Name }

func (v *vmState) poweredOn() bool {
	return v.simVM().Runtime.PowerState == types.VirtualMachinePowerStatePoweredOn
}

func (v *vmState) tracking() bool {
	on := v.simVM().Config.ChangeTrackingEnabled
	return on != nil && *on
}

// callRecord is one line of the call list that tests loop over.
type callRecord struct {
	N      int       `json:"n"`
	At     time.Time `json:"at"`
	Method string    `json:"method"`
	VM     string    `json:"vm,omitempty"`
	Status int       `json:"status"`
}
