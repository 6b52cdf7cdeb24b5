// SPDX-License-Identifier: LGPL-2.1-or-later

// What vCenter does not tell of a machine: nothing but its name and place of one
// that is inaccessible, because its host or its datastore is away; no property
// that the user may not read; and a snapshot that is removed, for a while still
// shown. Only answers are changed, the machine is what it was.

package main

import (
	"strings"
	"time"

	"github.com/vmware/govmomi/vim25/types"
)

func (s *sim) ctlVMInaccessible(a args) (interface{}, error) {
	vm, on, err := s.vmFlag(a)
	if err == nil {
		vm.inaccessible = on
	}
	return nil, err
}

// ctlVMUnreadable hides one property, or none.
func (s *sim) ctlVMUnreadable(a args) (interface{}, error) {
	property := a.text("property", "")
	vm, err := s.vmOf(a)
	if err == nil {
		err = a.done()
	}
	if err == nil {
		vm.unreadable = property
	}
	return nil, err
}

// linger goes on showing the snapshots that there are now.
func (vm *vmState) linger(ms int64) {
	vm.lingering = vm.simVM().Snapshot
	vm.lingersUntil = time.Now().Add(time.Duration(ms) * time.Millisecond)
}

func (vm *vmState) lingers() bool { return vm.lingering != nil && time.Now().Before(vm.lingersUntil) }

func (s *sim) hasHidden() bool {
	for _, vm := range s.vms {
		if vm.inaccessible || vm.unreadable != "" || vm.lingers() {
			return true
		}
	}
	return false
}

// ofConfig: kept in the files of the machine.
func ofConfig(property string) bool {
	name := strings.TrimPrefix(property, "summary.")
	for _, root := range []string{"config", "snapshot", "rootSnapshot", "layout", "layoutEx"} {
		if name == root || strings.HasPrefix(name, root+".") {
			return true
		}
	}
	return false
}

// hide changes one machine's answer. asked: the properties that it is about.
func (s *sim) hide(o *types.ObjectContent, asked map[string]bool) {
	vm := s.vms[o.Obj]
	if vm == nil {
		return
	}
	shown := o.PropSet[:0]
	for _, p := range o.PropSet {
		switch {
		case p.Name == vm.unreadable || p.Name == "snapshot" && vm.lingers() || vm.inaccessible && ofConfig(p.Name):
			continue
		case vm.inaccessible && p.Name == "runtime.connectionState":
			p.Val = types.VirtualMachineConnectionStateInaccessible
		}
		shown = append(shown, p)
	}
	o.PropSet = shown
	switch {
	case vm.unreadable != "" && asked[vm.unreadable]:
		fault := types.LocalizedMethodFault{LocalizedMessage: "Permission to perform this operation was denied.",
			Fault: &types.NoPermission{Object: vm.ref, PrivilegeId: "System.Read"}}
		o.MissingSet = append(o.MissingSet, types.MissingProperty{Path: vm.unreadable, Fault: fault})
	case asked["snapshot"] && vm.lingers() && !vm.inaccessible:
		o.PropSet = append(o.PropSet, types.DynamicProperty{Name: "snapshot", Val: *vm.lingering})
	}
}

// askedOf is what a call wants to know of machines.
func askedOf(specs []types.PropertyFilterSpec) map[string]bool {
	asked := make(map[string]bool)
	for _, spec := range specs {
		for _, set := range spec.PropSet {
			if set.Type != "VirtualMachine" {
				continue
			}
			for _, path := range set.PathSet {
				asked[path] = true
			}
		}
	}
	return asked
}
