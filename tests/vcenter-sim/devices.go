// SPDX-License-Identifier: LGPL-2.1-or-later

// Between our disks and the device lists of VMware's simulator: new, resized
// and removed disks are taken over after every task that may have made them,
// and chains are shown as backings with parents. Device lists are replaced and
// never changed in place, because an answer may be under way that shows them.

package main

import (
	"fmt"
	"hash/crc32"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// adoptAll brings our table of machines and disks up to date with the inventory.
func (s *sim) adoptAll() {
	seen := make(map[moref]bool)
	for _, e := range simulator.Map.All("VirtualMachine") {
		ref := e.Reference()
		seen[ref] = true
		vm := s.vms[ref]
		if vm == nil {
			vm = &vmState{ref: ref, disks: make(map[int32]*disk)}
			s.vms[ref] = vm
			s.prepareVM(vm)
		}
		if err := s.adoptDisks(vm); err != nil {
			log.Printf("%s: %v", vm.name(), err)
		}
	}
	for ref, vm := range s.vms {
		if seen[ref] {
			continue
		}
		for _, d := range vm.disks {
			s.shelve(d)
		}
		for sref, snap := range s.snapshots {
			if snap.vm == vm {
				delete(s.snapshots, sref)
				simulator.Map.Remove(sref)
			}
		}
		delete(s.vms, ref)
	}
	s.sweepShelf()
}

// prepareVM sets what the simulator leaves open and a backup program asks for.
func (s *sim) prepareVM(vm *vmState) {
	v := vm.simVM()
	simulator.Map.WithLock(v, func() {
		simulator.Map.Update(v, []types.PropertyChange{
			{Name: "capability.changeTrackingSupported", Val: true},
			{Name: "capability.snapshotOperationsSupported", Val: true},
			{Name: "runtime.consolidationNeeded", Val: false},
			{Name: "config.changeVersion", Val: changeVersion()},
		})
	})
	if err := s.forgetNvram(vm); err != nil {
		log.Printf("%s: %v", vm.name(), err)
	}
}

func (s *sim) adoptDisks(vm *vmState) error {
	v := vm.simVM()
	seen := make(map[int32]bool)
	changed := false
	for _, dev := range v.Config.Hardware.Device {
		vd, ok := dev.(*types.VirtualDisk)
		if !ok {
			continue
		}
		b, ok := vd.Backing.(*types.VirtualDiskFlatVer2BackingInfo)
		if !ok {
			return fmt.Errorf("disk %d has a backing %T", vd.Key, vd.Backing)
		}
		seen[vd.Key] = true
		d := vm.disks[vd.Key]
		if d != nil && d.top().dsPath() == b.FileName {
			if size := capacityOf(vd); size != d.capacity {
				if err := s.resizeDisk(d, size); err != nil {
					return err
				}
				changed = true
			}
			continue
		}
		if d != nil {
			s.shelve(d)
		}
		nd, err := s.adoptDisk(vd, b)
		if err != nil {
			return err
		}
		vm.disks[vd.Key] = nd
		changed = true
	}
	for key, d := range vm.disks {
		if !seen[key] {
			s.shelve(d)
			delete(vm.disks, key)
		} else if !vm.tracking() {
			d.cbt = nil // switched on again later, it begins again
		}
	}
	if changed {
		s.showDisks(vm)
	}
	return nil
}

func capacityOf(vd *types.VirtualDisk) int64 {
	if vd.CapacityInBytes != 0 {
		return vd.CapacityInBytes
	}
	return vd.CapacityInKB * 1024
}

// adoptDisk takes over a disk that the simulator has just made: it has empty
// files there. One that was taken off before is what it was.
func (s *sim) adoptDisk(vd *types.VirtualDisk, b *types.VirtualDiskFlatVer2BackingInfo) (*disk, error) {
	host, err := hostPath(b.FileName, b.Datastore)
	if err != nil {
		return nil, err
	}
	if d := s.unshelve(host); d != nil {
		d.key = vd.Key
		if d.mode = b.DiskMode; d.mode == "" {
			d.mode = string(types.VirtualDiskModePersistent)
		}
		return d, nil
	}
	d := &disk{key: vd.Key, capacity: capacityOf(vd), uuid: b.Uuid, mode: b.DiskMode, hashes: make(map[int64][32]byte)}
	if d.uuid == "" {
		d.uuid = uuid.New().String()
	}
	if d.mode == "" {
		d.mode = string(types.VirtualDiskModePersistent)
	}
	return d, s.openBase(d, b.FileName, b.Datastore)
}

func (s *sim) openBase(d *disk, file string, ds *moref) error {
	host, err := hostPath(file, ds)
	if err != nil {
		return err
	}
	id := crc32.ChecksumIEEE([]byte(d.uuid)) & 0x7fffffff
	base, err := newFlatLayer(file, host, id, d.capacity, d.uuid)
	if err != nil {
		return err
	}
	d.layers = []layer{base}
	return nil
}

// hostPath is where a datastore path lies on this machine.
func hostPath(file string, ds *moref) (string, error) {
	var p object.DatastorePath
	if !p.FromString(file) || ds == nil {
		return "", fmt.Errorf("%q is no path on a datastore", file)
	}
	o, ok := simulator.Map.Get(*ds).(*simulator.Datastore)
	if !ok {
		return "", fmt.Errorf("%s: no such datastore", ds)
	}
	root := o.Info.GetDatastoreInfo().Url
	full := filepath.Join(root, p.Path)
	if !strings.HasPrefix(full, root+string(os.PathSeparator)) {
		return "", fmt.Errorf("%q leaves its datastore", file)
	}
	return full, nil
}

// resizeDisk changes the capacity; tracking starts again, as the old change
// ids know nothing of the new size.
func (s *sim) resizeDisk(d *disk, size int64) error {
	base, ok := d.top().(*flatLayer)
	if !ok {
		return fmt.Errorf("disk %d has snapshots; remove them before it is resized", d.key)
	}
	if size%sectorSize != 0 || size <= 0 {
		return fmt.Errorf("a disk of %d bytes is not a whole number of sectors of %d", size, sectorSize)
	}
	if err := base.resize(size, d.uuid); err != nil {
		return err
	}
	// The last block, whole or not, may have another content now.
	d.dirty.add(d.capacity/blockSize*blockSize, (d.capacity+blockSize)/blockSize*blockSize)
	d.dirty.add(size/blockSize*blockSize, (size+blockSize)/blockSize*blockSize)
	for off := range d.hashes {
		if off >= size {
			delete(d.hashes, off)
		}
	}
	d.capacity = size
	if d.cbt != nil {
		d.cbt = newTracker()
	}
	return nil
}

// backing shows the first n layers of a disk, newest first, with parents.
func backing(d *disk, n int, changeID string, old *types.VirtualDiskFlatVer2BackingInfo) *types.VirtualDiskFlatVer2BackingInfo {
	var parent *types.VirtualDiskFlatVer2BackingInfo
	for i, l := range d.layers[:n] {
		b := *old
		b.FileName, b.Uuid, b.DiskMode, b.ChangeId, b.Parent = l.dsPath(), d.uuid, d.mode, "", parent
		b.ContentId = fmt.Sprintf("%08x%024x", l.cid(), d.key)
		b.ThinProvisioned = types.NewBool(true)
		b.DeltaDiskFormat = ""
		if i > 0 {
			b.DeltaDiskFormat = "redoLogFormat"
		}
		parent = &b
	}
	parent.ChangeId = changeID
	return parent
}

// shown copies a device list and replaces the disks in it.
func shown(list []types.BaseVirtualDevice, vm *vmState, layersOf func(*disk) (int, string, int64)) []types.BaseVirtualDevice {
	out := make([]types.BaseVirtualDevice, 0, len(list))
	for _, dev := range list {
		vd, ok := dev.(*types.VirtualDisk)
		if !ok || vm.disks[vd.Key] == nil {
			out = append(out, dev)
			continue
		}
		d := vm.disks[vd.Key]
		n, changeID, capacity := layersOf(d)
		if d.lost {
			capacity = 0
		}
		c := *vd
		c.CapacityInBytes, c.CapacityInKB = capacity, capacity/1024
		c.DiskObjectId = fmt.Sprintf("%s-%d", strings.TrimPrefix(vm.ref.Value, "vm-"), d.key)
		c.Backing = backing(d, n, changeID, vd.Backing.(*types.VirtualDiskFlatVer2BackingInfo))
		out = append(out, &c)
	}
	return out
}

// showDisks makes the machine's device list say what its disks are now.
func (s *sim) showDisks(vm *vmState) {
	v := vm.simVM()
	simulator.Map.WithLock(v, func() {
		list := shown(v.Config.Hardware.Device, vm, func(d *disk) (int, string, int64) {
			return len(d.layers), "", d.capacity
		})
		simulator.Map.Update(v, []types.PropertyChange{{Name: "config.hardware.device", Val: list}})
	})
}

// showSnapshot gives the snapshot a device list of its own, with frozen files.
func (s *sim) showSnapshot(snap *snapshot) {
	o := simulator.Map.Get(snap.ref).(*simulator.VirtualMachineSnapshot)
	simulator.Map.WithLock(o, func() {
		o.Config.Hardware.Device = shown(o.Config.Hardware.Device, snap.vm, func(d *disk) (int, string, int64) {
			if sd := snap.disks[d.key]; sd != nil && sd.disk == d {
				return sd.layers, sd.changeID, sd.capacity
			}
			return len(d.layers), "", d.capacity
		})
	})
}
