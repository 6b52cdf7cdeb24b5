// SPDX-License-Identifier: LGPL-2.1-or-later

// Snapshots that freeze. Creating one puts a delta on every disk that takes
// part, gives the snapshot its own device list with the frozen files and their
// change ids, and notes the hash of each disk at that moment. Removing one
// merges the delta below it, unless a rule says that consolidation fails.
// Called from tasks, under the world lock.

package main

import (
	"context"
	"log"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// snapDisk is a disk as it was.
type snapDisk struct {
	disk     *disk
	layers   int // how many layers, from the base, are frozen by it
	capacity int64
	cbt      *tracker
	seq      int
	changeID string
	alloc    *extentSet
	hash     string
}

type snapshot struct {
	ref     moref
	vm      *vmState
	name    string
	user    bool // the user's own, planted by the control interface
	created time.Time
	disks   map[int32]*snapDisk
}

func (s *sim) createSnapshotEx(c *call) soap.HasFault {
	req := c.body.(*types.CreateSnapshotEx_Task)
	plain := &types.CreateSnapshot_Task{This: req.This, Name: req.Name, Description: req.Description,
		Memory: req.Memory, Quiesce: req.QuiesceSpec != nil}
	body := new(methods.CreateSnapshotEx_TaskBody)
	ref, fault := s.beginSnapshot(c, plain)
	body.Res, body.Fault_ = &types.CreateSnapshotEx_TaskResponse{Returnval: ref}, fault
	return body
}

func (s *sim) createSnapshot(c *call) soap.HasFault {
	body := new(methods.CreateSnapshot_TaskBody)
	ref, fault := s.beginSnapshot(c, c.body.(*types.CreateSnapshot_Task))
	body.Res, body.Fault_ = &types.CreateSnapshot_TaskResponse{Returnval: ref}, fault
	return body
}

func (s *sim) beginSnapshot(c *call, req *types.CreateSnapshot_Task) (moref, *soap.Fault) {
	vm := s.vms[req.This]
	if vm == nil {
		return moref{}, simulator.Fault("", &types.ManagedObjectNotFound{Obj: req.This})
	}
	if vm.simVM().Config.Template || vm.bound() {
		return moref{}, simulator.Fault("The operation is not supported on the object.", &types.NotSupported{})
	}
	return s.begin(c, req.This, "createSnapshot", func() (types.AnyType, types.BaseMethodFault) {
		return s.takeSnapshot(vm, req, false)
	})
}

func (s *sim) takeSnapshot(vm *vmState, req *types.CreateSnapshot_Task, user bool) (types.AnyType, types.BaseMethodFault) {
	inner := *req
	if s.setting("quiesce-ignored") != 0 {
		inner.Quiesce = false // what the snapshot tree then says, too
	}
	res, err := methods.CreateSnapshot_Task(context.Background(), s.model.Service, &inner)
	if err != nil {
		return s.inner(moref{}, err)
	}
	result, fault := s.inner(res.Returnval, nil)
	if fault != nil {
		return nil, fault
	}
	snap := &snapshot{ref: result.(moref), vm: vm, name: req.Name, user: user, created: time.Now(),
		disks: make(map[int32]*snapDisk)}
	for _, d := range vm.disks {
		if d.independent() {
			continue
		}
		sd, err := s.freezeDisk(vm, d)
		if err != nil {
			log.Printf("snapshot %s, disk %d: %v", snap.ref.Value, d.key, err)
			return nil, &types.NoDiskSpace{FileFault: types.FileFault{File: d.top().dsPath()}}
		}
		snap.disks[d.key] = sd
	}
	s.snapshots[snap.ref] = snap
	s.showSnapshot(snap)
	s.showDisks(vm)
	s.history = append(s.history, describeSnapshot(snap))
	return snap.ref, nil
}

func (s *sim) freezeDisk(vm *vmState, d *disk) (*snapDisk, error) {
	hash, err := d.hash()
	if err != nil {
		return nil, err
	}
	if vm.tracking() && d.cbt == nil {
		d.cbt = newTracker() // tracking starts with the first snapshot after it was switched on
	}
	sd := &snapDisk{disk: d, layers: len(d.layers), capacity: d.capacity, alloc: d.allocated(), hash: hash, cbt: d.cbt}
	if d.cbt != nil {
		sd.changeID = d.cbt.next()
		sd.seq = d.cbt.seq
	}
	return sd, d.freeze()
}

func (s *sim) removeSnapshot(c *call) soap.HasFault {
	req := c.body.(*types.RemoveSnapshot_Task)
	body := new(methods.RemoveSnapshot_TaskBody)
	snap := s.snapshots[req.This]
	if snap == nil {
		return refuse("The object has already been deleted or has not been completely created",
			&types.ManagedObjectNotFound{Obj: req.This})
	}
	if r := pick(c.rules, "snapshot-lingers"); r != nil {
		snap.vm.linger(r.MS)
	}
	keep := pick(c.rules, "consolidation-needed") != nil ||
		(req.Consolidate != nil && !*req.Consolidate)
	ref, fault := s.begin(c, snap.vm.ref, "removeSnapshot", func() (types.AnyType, types.BaseMethodFault) {
		return s.dropSnapshot(snap, req.RemoveChildren, keep)
	})
	body.Res, body.Fault_ = &types.RemoveSnapshot_TaskResponse{Returnval: ref}, fault
	return body
}

// dropSnapshot takes a snapshot out of the tree and merges what it held apart.
func (s *sim) dropSnapshot(snap *snapshot, children, keepDeltas bool) (types.AnyType, types.BaseMethodFault) {
	if s.snapshots[snap.ref] == nil {
		return nil, &types.ManagedObjectNotFound{Obj: snap.ref}
	}
	gone := []*snapshot{snap}
	if children {
		for _, o := range s.snapshots {
			if o.vm == snap.vm && o.created.After(snap.created) {
				gone = append(gone, o)
			}
		}
	}
	res, err := methods.RemoveSnapshot_Task(context.Background(), s.model.Service,
		&types.RemoveSnapshot_Task{This: snap.ref, RemoveChildren: children})
	if err != nil {
		return s.inner(moref{}, err)
	}
	if _, fault := s.inner(res.Returnval, nil); fault != nil {
		return nil, fault
	}
	for _, o := range gone {
		delete(s.snapshots, o.ref)
		if simulator.Map.Get(o.ref) != nil {
			simulator.Map.Remove(o.ref)
		}
	}
	if children {
		s.fixCurrent(snap.vm)
	}
	if keepDeltas {
		s.setConsolidation(snap.vm, true)
		return nil, nil
	}
	return nil, s.merge(snap.vm)
}

// fixCurrent: the simulator leaves currentSnapshot at a child that went with its parent.
func (s *sim) fixCurrent(vm *vmState) {
	v := vm.simVM()
	if v.Snapshot == nil || v.Snapshot.CurrentSnapshot == nil || s.snapshots[*v.Snapshot.CurrentSnapshot] != nil {
		return
	}
	var newest *snapshot
	for _, o := range s.snapshots {
		if o.vm == vm && (newest == nil || o.created.After(newest.created)) {
			newest = o
		}
	}
	if newest == nil {
		return
	}
	simulator.Map.WithLock(v, func() {
		simulator.Map.Update(v, []types.PropertyChange{{Name: "snapshot.currentSnapshot", Val: newest.ref}})
	})
}

// merge brings every delta that no snapshot needs any more into the layer below.
func (s *sim) merge(vm *vmState) types.BaseMethodFault {
	for _, d := range vm.disks {
		needed := make(map[int]bool)
		for _, o := range s.snapshots {
			if sd := o.disks[d.key]; sd != nil && sd.disk == d {
				needed[sd.layers] = true
			}
		}
		for i := len(d.layers) - 1; i > 0; i-- {
			if needed[i] {
				continue
			}
			if err := d.thaw(i); err != nil {
				log.Printf("consolidate %s: %v", d.layers[i].dsPath(), err)
				return &types.FileFault{File: d.layers[i].dsPath()}
			}
			for _, o := range s.snapshots {
				if sd := o.disks[d.key]; sd != nil && sd.disk == d && sd.layers > i {
					sd.layers--
				}
			}
		}
	}
	s.setConsolidation(vm, false)
	for _, o := range s.snapshots {
		if o.vm == vm {
			s.showSnapshot(o)
		}
	}
	s.showDisks(vm)
	return nil
}

func (s *sim) setConsolidation(vm *vmState, needed bool) {
	v := vm.simVM()
	simulator.Map.WithLock(v, func() {
		simulator.Map.Update(v, []types.PropertyChange{{Name: "runtime.consolidationNeeded", Val: needed}})
	})
}

func (s *sim) removeAllSnapshots(c *call) soap.HasFault {
	req := c.body.(*types.RemoveAllSnapshots_Task)
	body := new(methods.RemoveAllSnapshots_TaskBody)
	ref, fault := s.begin(c, req.This, "removeAllSnapshots", func() (types.AnyType, types.BaseMethodFault) {
		for {
			var next *snapshot
			for _, o := range s.snapshots {
				if o.vm.ref == req.This && (next == nil || o.created.After(next.created)) {
					next = o
				}
			}
			if next == nil {
				return nil, nil
			}
			if _, f := s.dropSnapshot(next, false, false); f != nil {
				return nil, f
			}
		}
	})
	body.Res, body.Fault_ = &types.RemoveAllSnapshots_TaskResponse{Returnval: ref}, fault
	return body
}

func (s *sim) consolidateDisks(c *call) soap.HasFault {
	req := c.body.(*types.ConsolidateVMDisks_Task)
	body := new(methods.ConsolidateVMDisks_TaskBody)
	vm := s.vms[req.This]
	if vm == nil {
		return refuse("", &types.ManagedObjectNotFound{Obj: req.This})
	}
	ref, fault := s.begin(c, req.This, "consolidateVMDisks", func() (types.AnyType, types.BaseMethodFault) {
		return nil, s.merge(vm)
	})
	body.Res, body.Fault_ = &types.ConsolidateVMDisks_TaskResponse{Returnval: ref}, fault
	return body
}

// refuseRevert: going back in time would need a tree of layers, and no backup
// program has any business with it.
func (s *sim) refuseRevert(*call) soap.HasFault {
	return refuse("This peer does not revert to snapshots.", new(types.NotSupported))
}
