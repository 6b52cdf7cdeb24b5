// SPDX-License-Identifier: LGPL-2.1-or-later

// Control verbs on machines: what an administrator or a user at the vSphere
// client would do, and how machines and disks are described in JSON. control.go
// calls them under the world lock; the verbs on disks are in control-disk.go.

package main

import (
	"context"
	"fmt"
	"sort"
	"strings"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

func (s *sim) vmVerbs() map[string]verb {
	return map[string]verb{
		"/vm/add":           s.ctlVMAdd,
		"/vm/list":          s.ctlVMList,
		"/vm/remove":        s.onVM(func(vm *vmState) error { return s.destroyVM(vm) }),
		"/vm/template":      s.ctlVMTemplate,
		"/vm/power":         s.ctlVMPower,
		"/vm/nvram":         s.ctlVMNvram,
		"/vm/cbt":           s.ctlVMTracking,
		"/vm/device":        s.ctlVMDevice,
		"/vm/encrypted":     s.ctlVMEncrypted,
		"/vm/same-uuid":     s.ctlVMSameUUID,
		"/vm/inaccessible":  s.ctlVMInaccessible,
		"/vm/unreadable":    s.ctlVMUnreadable,
		"/vm/suspended":     s.onVM(s.suspend),
		"/vm/user-snapshot": s.onVM(s.plantUserSnapshot),
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
	if err == nil && on {
		err = s.switchedOn(vm)
	}
	if err == nil {
		noteChange(vm.simVM())
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

// oddDevice is one that only the device list shows.
func oddDevice(kind string) (types.BaseVirtualDevice, error) {
	described := func(key int32, label string) types.VirtualDevice {
		return types.VirtualDevice{Key: key, DeviceInfo: &types.Description{Label: label, Summary: label}}
	}
	switch kind {
	case "passthrough":
		d := &types.VirtualPCIPassthrough{VirtualDevice: described(13000, "PCI device 0")}
		d.Backing = &types.VirtualPCIPassthroughDeviceBackingInfo{Id: "0000:3b:00.0", DeviceId: "1db4", SystemId: "host", VendorId: 4318}
		return d, nil
	case "dynamic-passthrough":
		d := &types.VirtualPCIPassthrough{VirtualDevice: described(13001, "PCI device 1")}
		d.Backing = &types.VirtualPCIPassthroughDynamicBackingInfo{AssignedId: "1"}
		return d, nil
	case "vgpu":
		d := &types.VirtualPCIPassthrough{VirtualDevice: described(13002, "PCI device 2")}
		d.Backing = &types.VirtualPCIPassthroughVmiopBackingInfo{Vgpu: "grid_v100-4q"}
		return d, nil
	case "tpm":
		return &types.VirtualTPM{VirtualDevice: described(11000, "Virtual TPM")}, nil
	}
	return nil, fmt.Errorf("kind is passthrough, dynamic-passthrough, vgpu or tpm, not %q", kind)
}

func (s *sim) ctlVMDevice(a args) (interface{}, error) {
	kind := a.need("kind")
	vm, err := s.vmOf(a)
	if err == nil {
		err = a.done()
	}
	if err != nil {
		return nil, err
	}
	dev, err := oddDevice(kind)
	if err != nil {
		return nil, err
	}
	v := vm.simVM()
	simulator.Map.WithLock(v, func() {
		list := append([]types.BaseVirtualDevice(nil), v.Config.Hardware.Device...)
		simulator.Map.Update(v, []types.PropertyChange{{Name: "config.hardware.device", Val: append(list, dev)}})
	})
	noteChange(v)
	return nil, nil
}

// ctlVMEncrypted has vCenter show a machine and its disks as encrypted: their keys are named. What the disks hold is read as before, as
// it is of a real one; the file of the EFI's variables is ciphertext from the next time that it is written. on=0: as before.
func (s *sim) ctlVMEncrypted(a args) (interface{}, error) {
	vm, on, err := s.vmFlag(a)
	if err != nil {
		return nil, err
	}
	v := vm.simVM()
	var key *types.CryptoKeyId
	if on {
		key = &types.CryptoKeyId{KeyId: "key-of-" + vm.ref.Value, ProviderId: &types.KeyProviderId{Id: "kms"}}
	}
	simulator.Map.WithLock(v, func() {
		list := append([]types.BaseVirtualDevice(nil), v.Config.Hardware.Device...)
		for i, dev := range list {
			if vd, ok := dev.(*types.VirtualDisk); ok {
				c, b := *vd, *vd.Backing.(*types.VirtualDiskFlatVer2BackingInfo)
				b.KeyId, c.Backing = key, &b
				list[i] = &c
			}
		}
		v.Config.KeyId = key
		simulator.Map.Update(v, []types.PropertyChange{{Name: "config.hardware.device", Val: list}})
	})
	s.showDisks(vm)
	noteChange(v)
	return nil, nil
}

// bound: a device of the host hangs at the machine, and it runs.
func (vm *vmState) bound() bool {
	if !vm.poweredOn() {
		return false
	}
	for _, dev := range vm.simVM().Config.Hardware.Device {
		switch dev.GetVirtualDevice().Backing.(type) {
		case *types.VirtualPCIPassthroughDeviceBackingInfo, *types.VirtualPCIPassthroughDynamicBackingInfo:
			return true
		}
	}
	return false
}
