// SPDX-License-Identifier: LGPL-2.1-or-later

// The inventory: two datacenters (DC0, and DC1 inside the folder Sites), each
// with a cluster of one host and the datastores "datastore1" and "fast disks",
// and the machines that are asked for. Everything is made through VMware's own
// API, in process. The control interface calls addVM and the disk verbs.

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/uuid"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"
)

var datastoreNames = []string{"datastore1", "fast disks"}

// dcFiles is what /folder needs of a datacenter.
type dcFiles struct {
	dc      *object.Datacenter
	pool    *object.ResourcePool
	folders *object.DatacenterFolders
	ds      map[string]moref
	dirs    map[string]string
}

func (s *sim) buildInventory(ctx context.Context) error {
	var err error
	if s.client, err = vim25.NewClient(ctx, s.model.Service); err != nil {
		return err
	}
	root := object.NewRootFolder(s.client)
	if err := s.buildDatacenter(ctx, root, "DC0", "DC0"); err != nil {
		return err
	}
	sites, err := root.CreateFolder(ctx, "Sites")
	if err != nil {
		return err
	}
	return s.buildDatacenter(ctx, sites, "DC1", "Sites/DC1")
}

func (s *sim) buildDatacenter(ctx context.Context, parent *object.Folder, name, dcPath string) error {
	dc, err := parent.CreateDatacenter(ctx, name)
	if err != nil {
		return err
	}
	f := &dcFiles{dc: dc, ds: make(map[string]moref), dirs: make(map[string]string)}
	if f.folders, err = dc.Folders(ctx); err != nil {
		return err
	}
	cluster, err := f.folders.HostFolder.CreateCluster(ctx, name+"_C0", types.ClusterConfigSpecEx{})
	if err != nil {
		return err
	}
	t, err := cluster.AddHost(ctx, types.HostConnectSpec{HostName: name + "-esx0"}, true, nil, nil)
	if err != nil {
		return err
	}
	info, err := t.WaitForResult(ctx, nil)
	if err != nil {
		return err
	}
	if f.pool, err = cluster.ResourcePool(ctx); err != nil {
		return err
	}
	host := object.NewHostSystem(s.client, info.Result.(moref))
	dss, err := host.ConfigManager().DatastoreSystem(ctx)
	if err != nil {
		return err
	}
	for i, dsName := range datastoreNames {
		dir := filepath.Join(s.tmp, fmt.Sprintf("%s-ds%d", name, i))
		if err := os.Mkdir(dir, 0700); err != nil {
			return err
		}
		ds, err := dss.CreateLocalDatastore(ctx, dsName, dir)
		if err != nil {
			return err
		}
		f.ds[dsName], f.dirs[dsName] = ds.Reference(), dir
	}
	s.files[dcPath] = f
	return nil
}

// diskSpec and vmSpec are what can be ordered.
type diskSpec struct {
	size       int64
	controller string // pvscsi, sata, nvme
	mode       string // diskMode
	rdm        bool
	fill       int64 // bytes of content
	file       string
}

type vmSpec struct {
	name, dc, folder, ds string
	disks                []diskSpec
	cbt, on, template    bool
	userSnapshot         bool
}

// folderFor finds or makes a folder path below the datacenter's vm folder.
func (s *sim) folderFor(ctx context.Context, f *dcFiles, names []string) (*object.Folder, error) {
	folder := f.folders.VmFolder
	for _, n := range names {
		mo := simulator.Map.Get(folder.Reference()).(*simulator.Folder)
		if e := simulator.Map.FindByName(n, mo.ChildEntity); e != nil {
			folder = object.NewFolder(s.client, e.Reference())
			continue
		}
		sub, err := folder.CreateFolder(ctx, n)
		if err != nil {
			return nil, err
		}
		folder = sub
	}
	return folder, nil
}

func (s *sim) addVM(spec vmSpec) (*vmState, error) {
	ctx := context.Background()
	f := s.files[spec.dc]
	if f == nil || f.dirs[spec.ds] == "" {
		return nil, fmt.Errorf("no datastore %q in datacenter %q", spec.ds, spec.dc)
	}
	folder, err := s.folderFor(ctx, f, splitPath(spec.folder))
	if err != nil {
		return nil, err
	}
	id := uuid.NewSHA1(uuid.NameSpaceURL, []byte(spec.dc+"/"+spec.folder+"/"+spec.name+"/"+spec.ds))
	conf := types.VirtualMachineConfigSpec{
		Name: spec.name, GuestId: string(types.VirtualMachineGuestOsIdentifierOtherGuest64), NumCPUs: 2, MemoryMB: 2048,
		Uuid: uuid.NewSHA1(id, []byte("bios")).String(), InstanceUuid: id.String(),
		Version: "vmx-13", Firmware: string(types.GuestOsDescriptorFirmwareTypeEfi),
		Files:        &types.VirtualMachineFileInfo{VmPathName: "[" + spec.ds + "]"},
		DeviceChange: controllers(spec.disks),
	}
	if spec.cbt {
		conf.ChangeTrackingEnabled = types.NewBool(true)
	}
	ref, err := s.finishInner(folder.CreateVM(ctx, conf, f.pool, nil))
	if err != nil {
		return nil, err
	}
	s.adoptAll()
	vm := s.vms[ref.(moref)]
	for _, d := range spec.disks {
		if _, err := s.addDisk(vm, d); err != nil {
			return nil, err
		}
	}
	return vm, s.dressVM(ctx, vm, spec)
}

// dressVM does what comes after the disks.
func (s *sim) dressVM(ctx context.Context, vm *vmState, spec vmSpec) error {
	o := object.NewVirtualMachine(s.client, vm.ref)
	if spec.template {
		return o.MarkAsTemplate(ctx)
	}
	if spec.on {
		if _, err := s.finishInner(o.PowerOn(ctx)); err != nil {
			return err
		}
		if err := s.switchedOn(vm); err != nil {
			return err
		}
	}
	if spec.userSnapshot {
		return s.plantUserSnapshot(vm)
	}
	return nil
}

// finishInner gives the result of a task that the simulator has already ended.
func (s *sim) finishInner(t *object.Task, err error) (types.AnyType, error) {
	if err != nil {
		return nil, err
	}
	res, fault := s.inner(t.Reference(), nil)
	if fault != nil {
		return nil, fmt.Errorf("%T", fault)
	}
	return res, nil
}

// plantUserSnapshot: the user's snapshot, and guest writes above it.
func (s *sim) plantUserSnapshot(vm *vmState) error {
	_, fault := s.takeSnapshot(vm, &types.CreateSnapshot_Task{This: vm.ref, Name: "before the update",
		Description: "made by hand"}, true)
	if fault != nil {
		return fmt.Errorf("user's snapshot: %T", fault)
	}
	for _, d := range vm.disks {
		if !d.independent() {
			if err := fill(d, 1<<20, int64(d.key)*7+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// addDisk makes a disk, with content, and attaches it as ESXi would.
func (s *sim) addDisk(vm *vmState, spec diskSpec) (*disk, error) {
	v := vm.simVM()
	list := object.VirtualDeviceList(v.Config.Hardware.Device)
	ctrl, key, unit, extra := placeDisk(list, spec.controller)
	file := spec.file
	if file == "" {
		file = freeFile(vm)
	}
	b := &types.VirtualDiskFlatVer2BackingInfo{DiskMode: spec.mode, Uuid: uuid.New().String(),
		ThinProvisioned: types.NewBool(true)}
	b.FileName = file
	b.Datastore = &v.Datastore[0]
	vd := &types.VirtualDisk{CapacityInBytes: spec.size, CapacityInKB: spec.size / 1024}
	vd.Key, vd.ControllerKey, vd.UnitNumber, vd.Backing = key, ctrl, &unit, b
	vd.DeviceInfo = &types.Description{Label: fmt.Sprintf("Hard disk %d", len(vm.disks)+1)}
	changes := append(extra, &types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationAdd,
		FileOperation: types.VirtualDeviceConfigSpecFileOperationCreate, Device: vd})
	if _, fault := s.innerReconfig(&types.ReconfigVM_Task{This: vm.ref,
		Spec: types.VirtualMachineConfigSpec{DeviceChange: changes}}); fault != nil {
		return nil, fmt.Errorf("disk %d of %s: %T", key, vm.name(), fault)
	}
	s.adoptAll()
	d := vm.disks[key]
	if d == nil {
		return nil, fmt.Errorf("disk %d of %s was not taken over", key, vm.name())
	}
	d.rdm = spec.rdm
	return d, fill(d, spec.fill, int64(key))
}

// setTracking is the reconfiguration that a client would send.
func (s *sim) setTracking(vm *vmState, on bool) error {
	if _, fault := s.innerReconfig(&types.ReconfigVM_Task{This: vm.ref,
		Spec: types.VirtualMachineConfigSpec{ChangeTrackingEnabled: &on}}); fault != nil {
		return fmt.Errorf("change tracking of %s: %T", vm.name(), fault)
	}
	s.adoptAll()
	return nil
}

// destroyVM powers a machine off and removes it with its files.
func (s *sim) destroyVM(vm *vmState) error {
	if vm.poweredOn() {
		if _, err := methods.PowerOffVM_Task(context.Background(), s.model.Service,
			&types.PowerOffVM_Task{This: vm.ref}); err != nil {
			return err
		}
	}
	name := vm.name()
	if _, fault := s.innerDestroy(vm.ref); fault != nil {
		return fmt.Errorf("destroy %s: %T", name, fault)
	}
	s.adoptAll()
	return nil
}

// sameCluster tells whether a host belongs to a datacenter's cluster.
func (s *sim) sameCluster(f *dcFiles, host moref) bool {
	pool := simulator.Map.Get(f.pool.Reference()).(*simulator.ResourcePool)
	h := simulator.Map.Get(host).(*simulator.HostSystem)
	return h.Parent != nil && *h.Parent == pool.Owner
}
