// SPDX-License-Identifier: LGPL-2.1-or-later

// Control verbs on disks: the administrator adds, resizes, removes or replaces
// one, the guest writes and reads it, and change tracking begins again. Reading
// and writing stream raw bytes; the others take and give JSON under the world
// lock, called by control.go.

package main

import (
	"fmt"
	"io"
	"net/http"
	"sort"
	"time"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"
)

func (s *sim) diskVerbs() map[string]verb {
	return map[string]verb{
		"/disk/add":        s.ctlDiskAdd,
		"/disk/remove":     s.ctlDiskRemove,
		"/disk/resize":     s.ctlDiskResize,
		"/disk/replace":    s.ctlDiskReplace,
		"/disk/fill":       s.ctlDiskFill,
		"/disk/lost":       s.ctlDiskLost,
		"/disk/hash":       s.ctlDiskHash,
		"/disk/descriptor": s.ctlDiskDescriptor,
		"/cbt/reset":       s.ctlTrackingReset,
		"/writer/start":    s.ctlWriterStart,
		"/writer/list":     s.ctlWriterList,
	}
}

// diskOf reads vm= and key= and insists that nothing else is unread.
func (s *sim) diskOf(a args) (*vmState, *disk, error) {
	key := int32(a.number("key", 0))
	vm, err := s.vmOf(a)
	if err == nil {
		err = a.done()
	}
	if err != nil {
		return nil, nil, err
	}
	d := vm.disks[key]
	if d == nil {
		return nil, nil, fmt.Errorf("%s has no disk %d", vm.name(), key)
	}
	return vm, d, nil
}

// apart refuses what ESXi refuses while a machine has snapshots.
func (s *sim) apart(vm *vmState) error {
	for _, snap := range s.snapshots {
		if snap.vm == vm {
			return fmt.Errorf("%s has the snapshot %q; remove it first", vm.name(), snap.name)
		}
	}
	return nil
}

func (s *sim) ctlDiskAdd(a args) (interface{}, error) {
	spec, err := parseDisk(a.text("disk", "16M"))
	if err != nil {
		return nil, err
	}
	vm, err := s.vmOf(a)
	if err == nil {
		err = a.done()
	}
	if err != nil {
		return nil, err
	}
	d, err := s.addDisk(vm, spec)
	if err != nil {
		return nil, err
	}
	return describeDisk(d)
}

func (s *sim) detach(vm *vmState, d *disk) error {
	dev := object.VirtualDeviceList(vm.simVM().Config.Hardware.Device).FindByKey(d.key)
	if _, fault := s.innerReconfig(&types.ReconfigVM_Task{This: vm.ref, Spec: types.VirtualMachineConfigSpec{
		DeviceChange: []types.BaseVirtualDeviceConfigSpec{&types.VirtualDeviceConfigSpec{
			Operation:     types.VirtualDeviceConfigSpecOperationRemove,
			FileOperation: types.VirtualDeviceConfigSpecFileOperationDestroy,
			Device:        dev}}}}); fault != nil {
		return fmt.Errorf("disk %d of %s: %T", d.key, vm.name(), fault)
	}
	s.adoptAll()
	return nil
}

func (s *sim) ctlDiskRemove(a args) (interface{}, error) {
	vm, d, err := s.diskOf(a)
	if err == nil {
		err = s.apart(vm)
	}
	if err != nil {
		return nil, err
	}
	return nil, s.detach(vm, d)
}

func (s *sim) ctlDiskResize(a args) (interface{}, error) {
	size := a.number("size", 0)
	vm, d, err := s.diskOf(a)
	if err == nil {
		err = s.apart(vm)
	}
	if err == nil {
		err = s.resizeDisk(d, size)
	}
	if err != nil {
		return nil, err
	}
	s.showDisks(vm)
	return describeDisk(d)
}

// ctlDiskReplace puts another disk under the same key: new file, new UUID.
func (s *sim) ctlDiskReplace(a args) (interface{}, error) {
	size, content := a.number("size", 0), a.number("fill", 1<<20)
	vm, d, err := s.diskOf(a)
	if err == nil {
		err = s.apart(vm)
	}
	if err != nil {
		return nil, err
	}
	if size == 0 {
		size = d.capacity
	}
	spec := diskSpec{size: size, mode: d.mode, rdm: d.rdm, fill: content,
		file: freeFile(vm)}
	for kind, k := range controllerKinds {
		if d.key >= k.firstDisk && d.key < k.firstDisk+k.places {
			spec.controller = kind
		}
	}
	if err := s.detach(vm, d); err != nil {
		return nil, err
	}
	nd, err := s.addDisk(vm, spec)
	if err != nil {
		return nil, err
	}
	if nd.key != d.key {
		return nil, fmt.Errorf("the new disk came to key %d instead of %d", nd.key, d.key)
	}
	return describeDisk(nd)
}

// ctlDiskLost has vCenter show a disk as it does when its datastore is gone: without a capacity.
func (s *sim) ctlDiskLost(a args) (interface{}, error) {
	lost := a.number("on", 1) != 0
	vm, d, err := s.diskOf(a)
	if err != nil {
		return nil, err
	}
	d.lost = lost
	s.showDisks(vm)
	return describeDisk(d)
}

func (s *sim) ctlDiskFill(a args) (interface{}, error) {
	size, seed := a.number("bytes", 1<<20), a.number("seed", 1)
	_, d, err := s.diskOf(a)
	if err == nil {
		err = fill(d, size, seed)
	}
	if err != nil {
		return nil, err
	}
	return describeDisk(d)
}

func (s *sim) ctlDiskHash(a args) (interface{}, error) {
	_, d, err := s.diskOf(a)
	if err != nil {
		return nil, err
	}
	return describeDisk(d)
}

func (s *sim) ctlDiskDescriptor(a args) (interface{}, error) {
	kind := a.need("type")
	_, d, err := s.diskOf(a)
	if err != nil {
		return nil, err
	}
	base, ok := d.layers[0].(*flatLayer)
	if !ok {
		return nil, fmt.Errorf("disk %d has no flat base", d.key)
	}
	return nil, base.pretend(kind, d.uuid)
}

// ctlTrackingReset is a power loss, a storage migration or an administrator:
// the tracking begins again, and the old change ids mean nothing any more.
func (s *sim) ctlTrackingReset(a args) (interface{}, error) {
	key := int32(a.number("key", 0))
	vm, err := s.vmOf(a)
	if err == nil {
		err = a.done()
	}
	if err != nil {
		return nil, err
	}
	n := 0
	for _, d := range vm.disks {
		if d.cbt != nil && (key == 0 || key == d.key) {
			d.cbt = newTracker()
			n++
		}
	}
	if n == 0 {
		return nil, fmt.Errorf("%s tracks no such disk yet: tracking starts with a snapshot after it was switched on", vm.name())
	}
	return map[string]int{"reset": n}, nil
}

func (s *sim) ctlWriterStart(a args) (interface{}, error) {
	size, ms, seed := a.number("size", 4096), a.number("ms", 5), a.number("seed", 1)
	vm, d, err := s.diskOf(a)
	if err != nil {
		return nil, err
	}
	return s.startWriter(vm, d.key, size, time.Duration(ms)*time.Millisecond, seed)
}

func (s *sim) ctlWriterList(a args) (interface{}, error) {
	out := []*writer{}
	for _, w := range s.writers {
		out = append(out, w)
	}
	sort.Slice(out, func(i, j int) bool {
		return out[i].VM+fmt.Sprint(out[i].Key) < out[j].VM+fmt.Sprint(out[j].Key)
	})
	return out, a.done()
}

// ctlDiskWrite is the guest's write: whole sectors, of any length. It goes in
// steps of 1 MiB, between which others come to their turn, as with a real guest.
func (s *sim) ctlDiskWrite(w http.ResponseWriter, r *http.Request) {
	a, err := readArgs(r, true)
	if err != nil {
		answer(w, nil, err)
		return
	}
	buf := make([]byte, 1<<20)
	written, more := int64(0), true
	for more && err == nil {
		n, rerr := io.ReadFull(r.Body, buf)
		if rerr == io.EOF || rerr == io.ErrUnexpectedEOF {
			more = false
		} else if rerr != nil {
			err = rerr
			break
		}
		s.locked(func() {
			var d *disk
			off := a.number("offset", 0)
			if _, d, err = s.diskOf(a); err == nil {
				err = d.write(buf[:n], off+written)
			}
		})
		written += int64(n)
	}
	answer(w, map[string]int64{"bytes": written}, err)
}

// ctlDiskRead streams what the guest sees, or what a snapshot holds.
func (s *sim) ctlDiskRead(w http.ResponseWriter, r *http.Request) {
	a, err := readArgs(r, false)
	if err != nil {
		answer(w, nil, err)
		return
	}
	s.world.Lock()
	defer s.world.Unlock()
	ref := a.text("snapshot", "")
	off, length := a.number("offset", 0), a.number("length", -1)
	_, d, err := s.diskOf(a)
	n := 0
	if err == nil {
		n = len(d.layers)
		if ref != "" {
			snap := s.snapshots[moref{Type: "VirtualMachineSnapshot", Value: ref}]
			if snap == nil || snap.disks[d.key] == nil || snap.disks[d.key].disk != d {
				err = fmt.Errorf("snapshot %q does not hold this disk", ref)
			} else {
				n = snap.disks[d.key].layers
			}
		}
	}
	if err != nil {
		answer(w, nil, err)
		return
	}
	if length < 0 {
		length = d.capacity - off
	}
	if err := d.copyOut(w, off, length, n); err != nil {
		panic(http.ErrAbortHandler) // the reader must see that it is cut off
	}
}

func (s *sim) ctlWriterStop(w http.ResponseWriter, r *http.Request) {
	a, err := readArgs(r, false)
	if err != nil {
		answer(w, nil, err)
		return
	}
	var wr *writer
	s.locked(func() {
		var vm *vmState
		key := int32(a.number("key", 0))
		if vm, err = s.vmOf(a); err != nil {
			return
		}
		name := writerName(vm, key)
		if wr = s.writers[name]; wr == nil {
			err = fmt.Errorf("no writer on %s", name)
			return
		}
		delete(s.writers, name)
	})
	if err == nil {
		close(wr.stop)
		<-wr.ended
	}
	answer(w, wr, err)
}
