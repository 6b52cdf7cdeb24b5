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
	for _, vm := range s.vms {
		v := vm.simVM()
		id := v.Config.Uuid
		if req.InstanceUuid != nil && *req.InstanceUuid {
			id = v.Config.InstanceUuid
		}
		if req.VmSearch && strings.EqualFold(id, req.Uuid) {
			res.Returnval = append(res.Returnval, vm.ref)
		}
	}
	sort.Slice(res.Returnval, func(i, j int) bool { return res.Returnval[i].Value < res.Returnval[j].Value })
	return &methods.FindAllByUuidBody{Res: res}
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
