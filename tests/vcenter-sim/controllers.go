// SPDX-License-Identifier: LGPL-2.1-or-later

// Controllers and places: which key, unit and file a new disk gets. Keys are
// VMware's: SCSI disks from 2000, SATA from 16000, NVMe from 32000, sixteen
// (thirty, fifteen) places to a bus. inventory.go asks when it adds a disk.

package main

import (
	"fmt"
	"path"
	"strings"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"
)

type controllerKind struct {
	key, firstDisk, places, skip int32
	make                         func(key int32) types.BaseVirtualDevice
}

var controllerKinds = map[string]controllerKind{
	"pvscsi": {1000, 2000, 16, 7, func(key int32) types.BaseVirtualDevice {
		c := &types.ParaVirtualSCSIController{}
		c.Key, c.ScsiCtlrUnitNumber, c.SharedBus = key, 7, types.VirtualSCSISharingNoSharing
		return c
	}},
	"sata": {15000, 16000, 30, -1, func(key int32) types.BaseVirtualDevice {
		c := &types.VirtualAHCIController{}
		c.Key = key
		return c
	}},
	"nvme": {31000, 32000, 15, -1, func(key int32) types.BaseVirtualDevice {
		c := &types.VirtualNVMEController{}
		c.Key = key
		return c
	}},
}

// A second, third and fourth bus of each kind: pvscsi1 has the keys 2016…, sata1 16030…, nvme1 32015….
func init() {
	for _, kind := range []string{"pvscsi", "sata", "nvme"} {
		for bus := int32(1); bus < 4; bus++ {
			k, bus := controllerKinds[kind], bus
			first := k.make
			k.key, k.firstDisk = k.key+bus, k.firstDisk+bus*k.places
			k.make = func(key int32) types.BaseVirtualDevice {
				c := first(key)
				c.(types.BaseVirtualController).GetVirtualController().BusNumber = bus
				return c
			}
			controllerKinds[fmt.Sprint(kind, bus)] = k
		}
	}
}

func addController(kind string) types.BaseVirtualDeviceConfigSpec {
	k := controllerKinds[kind]
	return &types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationAdd, Device: k.make(k.key)}
}

// controllers are those that the disks of a new machine need.
func controllers(disks []diskSpec) []types.BaseVirtualDeviceConfigSpec {
	var out []types.BaseVirtualDeviceConfigSpec
	seen := map[string]bool{}
	for _, d := range append([]diskSpec{{controller: "pvscsi"}}, disks...) {
		if !seen[d.controller] {
			seen[d.controller] = true
			out = append(out, addController(d.controller))
		}
	}
	return out
}

// placeDisk finds the first free place; extra adds the controller when it is missing.
func placeDisk(list object.VirtualDeviceList, kind string) (ctrl, key, unit int32, extra []types.BaseVirtualDeviceConfigSpec) {
	k := controllerKinds[kind]
	if list.FindByKey(k.key) == nil {
		extra = append(extra, addController(kind))
	}
	for unit = 0; unit < k.places; unit++ {
		if unit != k.skip && list.FindByKey(k.firstDisk+unit) == nil {
			break
		}
	}
	return k.key, k.firstDisk + unit, unit, extra
}

// freeFile names the next disk of a machine: NAME.vmdk, NAME_1.vmdk, …
func freeFile(vm *vmState) string {
	v := vm.simVM()
	dir := path.Dir(v.Config.Files.VmPathName)
	used := make(map[string]bool)
	for _, d := range vm.disks {
		used[d.layers[0].dsPath()] = true
	}
	for n := 0; ; n++ {
		file := fmt.Sprintf("%s/%s.vmdk", dir, v.Name)
		if n > 0 {
			file = fmt.Sprintf("%s/%s_%d.vmdk", dir, v.Name, n)
		}
		if !used[file] {
			return file
		}
	}
}

func splitPath(p string) []string {
	return strings.FieldsFunc(p, func(r rune) bool { return r == '/' })
}
