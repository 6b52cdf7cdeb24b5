// SPDX-License-Identifier: LGPL-2.1-or-later

// What the simulator's SearchIndex does not have: FindAllByUuid, by which a
// client learns that two machines have one UUID, as copies made outside of
// vCenter have.

package main

import (
	"sort"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

func (s *sim) findAllByUUID(c *call) soap.HasFault {
	req := c.body.(*types.FindAllByUuid)
	res := new(types.FindAllByUuidResponse)
	if req.VmSearch {
		res.Returnval = s.byUUID(req.Uuid, req.InstanceUuid)
	}
	return &methods.FindAllByUuidBody{Res: res}
}

func (s *sim) findByUUID(c *call) soap.HasFault {
	req := c.body.(*types.FindByUuid)
	if !req.VmSearch {
		return nil
	}
	res := new(types.FindByUuidResponse)
	if list := s.byUUID(req.Uuid, req.InstanceUuid); len(list) > 0 {
		res.Returnval = &list[0]
	}
	return &methods.FindByUuidBody{Res: res}
}

// byUUID does not find a machine that vCenter has lost sight of: it has no config.
func (s *sim) byUUID(uuid string, ofInstance *bool) []moref {
	var list []moref
	for _, vm := range s.vms {
		v := vm.simVM()
		id := v.Config.Uuid
		if ofInstance != nil && *ofInstance {
			id = v.Config.InstanceUuid
		}
		if !vm.inaccessible && strings.EqualFold(id, uuid) {
			list = append(list, vm.ref)
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Value < list[j].Value })
	return list
}

// ctlVMSameUUID gives a machine the UUIDs of another one.
func (s *sim) ctlVMSameUUID(a args) (interface{}, error) {
	other := a.need("as")
	vm, err := s.vmOf(a)
	if err == nil {
		err = a.done()
	}
	if err != nil {
		return nil, err
	}
	model, err := s.vmNamed(other)
	if err != nil {
		return nil, err
	}
	from := model.simVM().Config
	config := *vm.simVM().Config
	config.Uuid, config.InstanceUuid = from.Uuid, from.InstanceUuid
	simulator.Map.WithLock(vm.simVM(), func() {
		simulator.Map.Update(vm.simVM(), []types.PropertyChange{{Name: "config", Val: &config}})
	})
	return nil, nil
}

// suspend shows a machine as suspended; no task of the simulator does that.
func (s *sim) suspend(vm *vmState) error {
	v := vm.simVM()
	simulator.Map.WithLock(v, func() {
		simulator.Map.Update(v, []types.PropertyChange{
			{Name: "runtime.powerState", Val: types.VirtualMachinePowerStateSuspended},
			{Name: "summary.runtime.powerState", Val: types.VirtualMachinePowerStateSuspended},
		})
	})
	return nil
}
