// SPDX-License-Identifier: LGPL-2.1-or-later

// Disks that hang at no machine: one that is taken off without a file operation
// stays on its datastore with its content, can be moved and deleted there by
// the VirtualDiskManager, and attached to any machine. A disk hangs at one
// machine at a time here. Called from tasks, under the world lock.

package main

import (
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// shelve keeps a disk whose files stay; one whose files went with it is closed.
func (s *sim) shelve(d *disk) {
	base, ok := d.layers[0].(*flatLayer)
	if ok && len(d.layers) == 1 {
		if _, err := os.Stat(base.descriptor); err == nil {
			s.shelf[base.descriptor] = d
			return
		}
	}
	d.close()
}

// unshelve gives the disk whose descriptor is that file, or nil.
func (s *sim) unshelve(descriptor string) *disk {
	d := s.shelf[descriptor]
	delete(s.shelf, descriptor)
	return d
}

// sweepShelf forgets disks whose folder went with a machine.
func (s *sim) sweepShelf() {
	for descriptor, d := range s.shelf {
		if _, err := os.Stat(descriptor); err != nil {
			d.close()
			delete(s.shelf, descriptor)
		}
	}
}

// holder is the machine at which a file hangs, as the top of a chain or below it.
func (s *sim) holder(descriptor string) *vmState {
	for _, vm := range s.vms {
		for _, d := range vm.disks {
			for _, l := range d.layers {
				if descriptorOf(l) == descriptor {
					return vm
				}
			}
		}
	}
	return nil
}

func descriptorOf(l layer) string {
	switch l := l.(type) {
	case *flatLayer:
		return l.descriptor
	case *cowdLayer:
		return l.descriptor
	}
	return ""
}

// diskFile finds the file that a datastore path means in a datacenter.
func (s *sim) diskFile(dc *moref, name string) (string, types.BaseMethodFault) {
	var p object.DatastorePath
	if dc == nil {
		return "", &types.InvalidArgument{InvalidProperty: "datacenter"}
	}
	if !p.FromString(name) || !strings.HasSuffix(p.Path, ".vmdk") {
		return "", &types.InvalidDatastorePath{InvalidDatastore: types.InvalidDatastore{Name: name}, DatastorePath: name}
	}
	for _, f := range s.files {
		if f.dc.Reference() == *dc {
			if ds, ok := f.ds[p.Datastore]; ok {
				host, err := hostPath(name, &ds)
				if err != nil {
					return "", &types.InvalidDatastorePath{InvalidDatastore: types.InvalidDatastore{Name: name}, DatastorePath: name}
				}
				return host, nil
			}
		}
	}
	return "", &types.InvalidDatastore{Name: p.Datastore}
}

// looseFile is one that is there and hangs at no machine.
func (s *sim) looseFile(dc *moref, name string) (string, types.BaseMethodFault) {
	host, fault := s.diskFile(dc, name)
	if fault != nil {
		return "", fault
	}
	if _, err := os.Stat(host); err != nil {
		return "", &types.FileNotFound{FileFault: types.FileFault{File: name}}
	}
	if s.holder(host) != nil {
		return "", &types.FileLocked{FileFault: types.FileFault{File: name}}
	}
	return host, nil
}

func (s *sim) moveDisk(c *call) soap.HasFault {
	req := c.body.(*types.MoveVirtualDisk_Task)
	body := new(methods.MoveVirtualDisk_TaskBody)
	ref, fault := s.begin(c, req.This, "moveVirtualDisk", func() (types.AnyType, types.BaseMethodFault) {
		toDC := req.DestDatacenter
		if toDC == nil {
			toDC = req.SourceDatacenter
		}
		from, fault := s.looseFile(req.SourceDatacenter, req.SourceName)
		if fault != nil {
			return nil, fault
		}
		to, fault := s.diskFile(toDC, req.DestName)
		if fault != nil {
			return nil, fault
		}
		if _, err := os.Stat(to); err == nil {
			return nil, &types.FileAlreadyExists{FileFault: types.FileFault{File: req.DestName}}
		}
		return nil, s.moveFiles(from, to, req.DestName)
	})
	body.Res, body.Fault_ = &types.MoveVirtualDisk_TaskResponse{Returnval: ref}, fault
	return body
}

func (s *sim) moveFiles(from, to, ds string) types.BaseMethodFault {
	d := s.unshelve(from)
	if d == nil {
		return &types.FileFault{File: from} // nobody made it through this peer
	}
	err := d.layers[0].(*flatLayer).rename(ds, to, d.uuid)
	s.shelve(d)
	if err != nil {
		log.Printf("move of %s: %v", from, err)
		return &types.CannotCreateFile{FileFault: types.FileFault{File: ds}}
	}
	return nil
}

func (s *sim) deleteDisk(c *call) soap.HasFault {
	req := c.body.(*types.DeleteVirtualDisk_Task)
	body := new(methods.DeleteVirtualDisk_TaskBody)
	ref, fault := s.begin(c, req.This, "deleteVirtualDisk", func() (types.AnyType, types.BaseMethodFault) {
		host, fault := s.looseFile(req.Datacenter, req.Name)
		if fault != nil {
			return nil, fault
		}
		if d := s.unshelve(host); d != nil {
			d.close()
		}
		for _, file := range []string{extentFile(host, "-flat"), host} {
			if err := os.Remove(file); err != nil {
				log.Printf("removal of %s: %v", file, err)
				return nil, &types.CannotDeleteFile{FileFault: types.FileFault{File: req.Name}}
			}
		}
		return nil, nil
	})
	body.Res, body.Fault_ = &types.DeleteVirtualDisk_TaskResponse{Returnval: ref}, fault
	return body
}

// looseDisks are the disk files that hang at no machine: nobody deletes them by himself.
func (s *sim) looseDisks() ([]string, error) {
	out := []string{}
	for _, f := range s.files {
		for name, dir := range f.dirs {
			err := filepath.WalkDir(dir, func(file string, e fs.DirEntry, err error) error {
				if err != nil || e.IsDir() || !strings.HasSuffix(file, ".vmdk") || strings.HasSuffix(file, "-flat.vmdk") ||
					strings.HasSuffix(file, "-delta.vmdk") || s.holder(file) != nil {
					return err
				}
				out = append(out, "["+name+"] "+strings.TrimPrefix(file, dir+"/"))
				return nil
			})
			if err != nil {
				return nil, err
			}
		}
	}
	sort.Strings(out)
	return out, nil
}

// checkReconfig refuses as vCenter does before anything is changed: a
// reconfiguration is done as a whole or not at all.
func (s *sim) checkReconfig(v *simulator.VirtualMachine, spec *types.VirtualMachineConfigSpec) types.BaseMethodFault {
	if spec.ChangeVersion != "" && spec.ChangeVersion != v.Config.ChangeVersion {
		return &types.ConcurrentAccess{}
	}
	for _, change := range spec.DeviceChange {
		c := change.GetVirtualDeviceConfigSpec()
		vd, ok := c.Device.(*types.VirtualDisk)
		if !ok || c.Operation != types.VirtualDeviceConfigSpecOperationAdd {
			continue
		}
		setKey(v, vd)
		b, ok := vd.Backing.(types.BaseVirtualDeviceFileBackingInfo)
		if !ok || c.FileOperation != "" {
			continue
		}
		if fault := s.checkAttach(v, b.GetVirtualDeviceFileBackingInfo().FileName); fault != nil {
			return fault
		}
	}
	return nil
}

// checkAttach: the file is there, and no other machine's.
func (s *sim) checkAttach(v *simulator.VirtualMachine, name string) types.BaseMethodFault {
	for _, f := range s.files {
		if !s.sameCluster(f, *v.Runtime.Host) {
			continue
		}
		dc := f.dc.Reference()
		host, fault := s.diskFile(&dc, name)
		if fault != nil {
			return fault
		}
		if _, err := os.Stat(host); err != nil {
			return &types.FileNotFound{FileFault: types.FileFault{File: name}}
		}
		if vm := s.holder(host); vm != nil && vm.ref != v.Self {
			return &types.FileLocked{FileFault: types.FileFault{File: name}}
		}
	}
	return nil
}

// setKey gives a disk that comes without a key the one that VMware gives by its place.
func setKey(v *simulator.VirtualMachine, vd *types.VirtualDisk) {
	if vd.Key > 0 || vd.UnitNumber == nil {
		return
	}
	c := object.VirtualDeviceList(v.Config.Hardware.Device).FindByKey(vd.ControllerKey)
	at, ok := c.(types.BaseVirtualController)
	if !ok {
		return
	}
	bus := at.GetVirtualController().BusNumber
	switch c.(type) {
	case types.BaseVirtualSCSIController:
		vd.Key = 2000 + 16*bus + *vd.UnitNumber
	case types.BaseVirtualSATAController:
		vd.Key = 16000 + 30*bus + *vd.UnitNumber
	case *types.VirtualNVMEController:
		vd.Key = 32000 + 15*bus + *vd.UnitNumber
	case *types.VirtualIDEController:
		vd.Key = 3000 + 2*bus + *vd.UnitNumber
	}
}
