// SPDX-License-Identifier: LGPL-2.1-or-later

// Control verbs on machines and disks: what an administrator, a user at the
// vSphere client or the guest itself would do. control.go calls them under the
// world lock.

package main

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"
)

func (s *sim) vmVerbs() map[string]verb {
	return map[string]verb{
		"/vm/add":           s.ctlVMAdd,
		"/vm/list":          s.ctlVMList,
		"/vm/remove":        s.onVM(func(vm *vmState) error { return s.destroyVM(vm) }),
		"/vm/template":      s.ctlVMTemplate,
		"/vm/power":         s.ctlVMPower,
		"/vm/cbt":           s.ctlVMTracking,
		"/vm/user-snapshot": s.onVM(s.plantUserSnapshot),
		"/disk/add":         s.ctlDiskAdd,
		"/disk/remove":      s.ctlDiskRemove,
		"/disk/resize":      s.ctlDiskResize,
		"/disk/replace":     s.ctlDiskReplace,
		"/disk/fill":        s.ctlDiskFill,
		"/disk/hash":        s.ctlDiskHash,
		"/disk/descriptor":  s.ctlDiskDescriptor,
		"/cbt/reset":        s.ctlTrackingReset,
		"/writer/start":     s.ctlWriterStart,
		"/writer/list":      s.ctlWriterList,
	}
}

func (s *sim) onVM(f func(*vmState) error) verb {
	return func(a args) (interface{}, error) {
		vm, err := s.vmOf(a)
		if err == nil {
			err = a.done()
		}
		if err != nil {
			return nil, err
		}
		return nil, f(vm)
	}
}

// parseDisk reads SIZE[:pvscsi|sata|nvme][:independent][:rdm][:fill=SIZE].
func parseDisk(text string) (diskSpec, error) {
	d := diskSpec{controller: "pvscsi", mode: string(types.VirtualDiskModePersistent), fill: -1}
	for i, p := range strings.Split(text, ":") {
		var err error
		switch {
		case i == 0:
			d.size, err = parseSize(p)
			if err == nil && (d.size < sectorSize || d.size%sectorSize != 0) {
				err = fmt.Errorf("not a whole number of sectors of %d", sectorSize)
			}
		case controllerKinds[p].make != nil:
			d.controller = p
		case p == "independent":
			d.mode = string(types.VirtualDiskModeIndependent_persistent)
		case p == "rdm":
			d.rdm = true
		case strings.HasPrefix(p, "fill="):
			d.fill, err = parseSize(p[len("fill="):])
		default:
			err = fmt.Errorf("unknown trait")
		}
		if err != nil {
			return d, fmt.Errorf("disk %q, %q: %v", text, p, err)
		}
	}
	if d.fill < 0 {
		d.fill = 8 << 20
		if d.fill > d.size/4 {
			d.fill = d.size / 4
		}
	}
	return d, nil
}

func (s *sim) ctlVMAdd(a args) (interface{}, error) {
	spec := vmSpec{name: a.need("name"), dc: a.text("dc", "DC0"), folder: a.text("folder", ""), ds: a.text("ds", datastoreNames[0]),
		cbt: a.flag("cbt", false), on: a.flag("on", true), template: a.flag("template", false),
		userSnapshot: a.flag("user-snapshot", false)}
	list := a.text("disks", "64M")
	if err := a.done(); err != nil {
		return nil, err
	}
	if strings.Contains(spec.name, "/") {
		return nil, fmt.Errorf("a / in a name is written %%2f, as vCenter shows it")
	}
	for _, text := range strings.Split(list, ",") {
		d, err := parseDisk(text)
		if err != nil {
			return nil, err
		}
		spec.disks = append(spec.disks, d)
	}
	vm, err := s.addVM(spec)
	if err != nil {
		return nil, err
	}
	return s.describeVM(vm)
}

type diskInfo struct {
	Key       int32    `json:"key"`
	Capacity  int64    `json:"capacity"`
	UUID      string   `json:"uuid"`
	Mode      string   `json:"mode"`
	RDM       bool     `json:"rdm"`
	Files     []string `json:"files"` // base first
	Allocated int64    `json:"allocated"`
	Hash      string   `json:"hash"`
}

type vmInfo struct {
	VM       string     `json:"vm"`
	Name     string     `json:"name"`
	UUID     string     `json:"instance_uuid"`
	On       bool       `json:"on"`
	Template bool       `json:"template"`
	Tracking bool       `json:"cbt"`
	Disks    []diskInfo `json:"disks"`
}

func describeDisk(d *disk) (diskInfo, error) {
	hash, err := d.hash()
	info := diskInfo{d.key, d.capacity, d.uuid, d.mode, d.rdm, nil, d.allocated().bytes(), hash}
	for _, l := range d.layers {
		info.Files = append(info.Files, l.dsPath())
	}
	return info, err
}

func (s *sim) describeVM(vm *vmState) (*vmInfo, error) {
	c := vm.simVM().Config
	info := &vmInfo{VM: vm.ref.Value, Name: vm.name(), UUID: c.InstanceUuid, On: vm.poweredOn(), Template: c.Template, Tracking: vm.tracking()}
	for _, d := range vm.disks {
		di, err := describeDisk(d)
		if err != nil {
			return nil, err
		}
		info.Disks = append(info.Disks, di)
	}
	sort.Slice(info.Disks, func(i, j int) bool { return info.Disks[i].Key < info.Disks[j].Key })
	return info, nil
}

func (s *sim) ctlVMList(a args) (interface{}, error) {
	out := []*vmInfo{}
	if a.has("vm") {
		vm, err := s.vmOf(a)
		if err == nil {
			err = a.done()
		}
		if err != nil {
			return nil, err
		}
		return s.describeVM(vm)
	}
	for _, vm := range s.vms {
		info, err := s.describeVM(vm)
		if err != nil {
			return nil, err
		}
		out = append(out, info)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name+out[i].VM < out[j].Name+out[j].VM })
	return out, a.done()
}

// vmFlag reads vm= and on=.
func (s *sim) vmFlag(a args) (*vmState, bool, error) {
	on := a.flag("on", true)
	vm, err := s.vmOf(a)
	if err == nil {
		err = a.done()
	}
	return vm, on, err
}

func (s *sim) ctlVMPower(a args) (interface{}, error) {
	vm, on, err := s.vmFlag(a)
	if err != nil || on == vm.poweredOn() {
		return nil, err
	}
	o := object.NewVirtualMachine(s.client, vm.ref)
	if on {
		_, err = s.finishInner(o.PowerOn(context.Background()))
	} else {
		_, err = s.finishInner(o.PowerOff(context.Background()))
	}
	return nil, err
}

func (s *sim) ctlVMTemplate(a args) (interface{}, error) {
	vm, on, err := s.vmFlag(a)
	if err != nil {
		return nil, err
	}
	o := object.NewVirtualMachine(s.client, vm.ref)
	if on {
		if vm.poweredOn() {
			if _, err := s.finishInner(o.PowerOff(context.Background())); err != nil {
				return nil, err
			}
		}
		return nil, o.MarkAsTemplate(context.Background())
	}
	for _, f := range s.files {
		if host := vm.simVM().Runtime.Host; host != nil && s.sameCluster(f, *host) {
			return nil, o.MarkAsVirtualMachine(context.Background(), *f.pool, nil)
		}
	}
	return nil, fmt.Errorf("%s has no host", vm.name())
}

func (s *sim) ctlVMTracking(a args) (interface{}, error) {
	vm, on, err := s.vmFlag(a)
	if err != nil {
		return nil, err
	}
	return nil, s.setTracking(vm, on)
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
		file: strings.TrimSuffix(freeFile(vm), ".vmdk") + "-new.vmdk"}
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
