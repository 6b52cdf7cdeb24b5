// SPDX-License-Identifier: LGPL-2.1-or-later

// Tasks that take a while. VMware's simulator finishes a task before it names
// it; here the work is done when the task ends: after a time, after a number
// of polls, or on order. A task goes on when its session is gone, as at a real
// vCenter, and a second task on a busy machine is refused with TaskInProgress.

package main

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// work is what a task does at its end.
type work func() (types.AnyType, types.BaseMethodFault)

type simTask struct {
	task    *simulator.Task
	method  string
	entity  moref
	vm      string
	started time.Time
	polls   int64 // > 0: ends at that many reads of its state
	hold    bool  // ends on order only
	done    bool
}

// begin makes a task on an entity and returns its reference.
func (s *sim) begin(c *call, entity moref, name string, do work) (moref, *soap.Fault) {
	if busy := s.running(entity); busy != nil {
		return moref{}, simulator.Fault("Another task is already in progress.",
			&types.TaskInProgress{Task: busy.task.Self})
	}
	if vm := s.vms[entity]; vm != nil && vm.inaccessible {
		return moref{}, simulator.Fault("The operation is not allowed in the current state.", &types.InvalidState{})
	}
	if r := pick(c.rules, "task-error", "remove-snapshot-fails", "quiesce-fault"); r != nil {
		fault, err := faultNamed(r.Fault, "")
		if err != nil {
			log.Panic(err) // newRule has tried it
		}
		do = func() (types.AnyType, types.BaseMethodFault) { return nil, fault }
	}
	t := &simTask{method: c.method, entity: entity, vm: s.vmNameOf(entity), started: time.Now()}
	t.task = simulator.CreateTask(entity, name, func(*simulator.Task) (types.AnyType, types.BaseMethodFault) {
		return do()
	})
	simulator.Map.Update(t.task, []types.PropertyChange{
		{Name: "info.state", Val: types.TaskInfoStateRunning},
		{Name: "info.startTime", Val: t.started},
	})
	s.tasks = append(s.tasks, t)
	s.noteRecent(t)
	wait := time.Duration(s.setting("task-ms")) * time.Millisecond
	if r := pick(c.rules, "slow-task"); r != nil {
		wait, t.polls, t.hold = time.Duration(r.MS)*time.Millisecond, r.Polls, r.Hold
	}
	switch {
	case t.hold || t.polls > 0:
	case wait == 0:
		s.finish(t)
	default:
		time.AfterFunc(wait, func() { s.locked(func() { s.finish(t) }) })
	}
	return t.task.Self, nil
}

// finish does the work; callers hold the world lock.
func (s *sim) finish(t *simTask) {
	if t.done {
		return
	}
	t.done = true
	t.task.Run()
	s.adoptAll()
}

func (s *sim) running(entity moref) *simTask {
	for _, t := range s.tasks {
		if !t.done && t.entity == entity && entity.Type == "VirtualMachine" {
			return t
		}
	}
	return nil
}

// noteRecent puts the task into the machine's recentTask, where a client that
// lost the answer can find it.
func (s *sim) noteRecent(t *simTask) {
	vm, ok := simulator.Map.Get(t.entity).(*simulator.VirtualMachine)
	if !ok {
		return
	}
	list := append([]moref(nil), vm.RecentTask...)
	if len(list) > 9 {
		list = list[len(list)-9:]
	}
	list = append(list, t.task.Self)
	simulator.Map.WithLock(vm, func() {
		simulator.Map.Update(vm, []types.PropertyChange{{Name: "recentTask", Val: list}})
	})
}

// pollTasks counts a read of a task's state.
func (s *sim) pollTasks(specs []types.PropertyFilterSpec) {
	for _, spec := range specs {
		for _, o := range spec.ObjectSet {
			if o.Obj.Type != "Task" {
				continue
			}
			for _, t := range s.tasks {
				if t.task.Self == o.Obj && !t.done && t.polls > 0 {
					if t.polls--; t.polls == 0 {
						s.finish(t)
					}
				}
			}
		}
	}
}

// finishHeld ends tasks on order: one, or all.
func (s *sim) finishHeld(id string) error {
	n := 0
	for _, t := range s.tasks {
		if !t.done && (id == "" || t.task.Self.Value == id) {
			s.finish(t)
			n++
		}
	}
	if n == 0 && id != "" {
		return fmt.Errorf("no running task %q", id)
	}
	return nil
}

// inner runs a task method of the simulator at once and gives its outcome.
func (s *sim) inner(ref moref, err error) (types.AnyType, types.BaseMethodFault) {
	if err != nil {
		if soap.IsSoapFault(err) {
			if f, ok := soap.ToSoapFault(err).VimFault().(types.BaseMethodFault); ok {
				return nil, f
			}
		}
		log.Printf("the simulator refused a task: %v", err)
		return nil, new(types.SystemError)
	}
	t := simulator.Map.Get(ref).(*simulator.Task)
	simulator.Map.Remove(ref)
	if t.Info.Error != nil {
		return nil, t.Info.Error.Fault
	}
	return t.Info.Result, nil
}

func (s *sim) reconfigVM(c *call) soap.HasFault {
	req := c.body.(*types.ReconfigVM_Task)
	body := new(methods.ReconfigVM_TaskBody)
	ref, fault := s.begin(c, req.This, "reconfigVm", func() (types.AnyType, types.BaseMethodFault) {
		return s.innerReconfig(req)
	})
	body.Res, body.Fault_ = &types.ReconfigVM_TaskResponse{Returnval: ref}, fault
	return body
}

// innerReconfig is all or nothing. The simulator cuts devices out of the very
// list that it shows: it gets a copy, which is thrown away when it fails.
func (s *sim) innerReconfig(req *types.ReconfigVM_Task) (types.AnyType, types.BaseMethodFault) {
	v, ok := simulator.Map.Get(req.This).(*simulator.VirtualMachine)
	if !ok {
		return nil, &types.ManagedObjectNotFound{Obj: req.This}
	}
	if fault := s.checkReconfig(v, &req.Spec); fault != nil {
		return nil, fault
	}
	before := v.Config.Hardware.Device
	v.Config.Hardware.Device = append([]types.BaseVirtualDevice(nil), before...)
	res, err := methods.ReconfigVM_Task(context.Background(), s.model.Service, req)
	if err != nil {
		v.Config.Hardware.Device = before
		return s.inner(moref{}, err)
	}
	result, fault := s.inner(res.Returnval, nil)
	if fault != nil {
		v.Config.Hardware.Device = before
		return nil, fault
	}
	noteChange(v)
	return result, nil
}

// noteChange: the configuration is another one now. Switching a machine on or
// off writes into its file, too.
func noteChange(v *simulator.VirtualMachine) {
	simulator.Map.WithLock(v, func() {
		simulator.Map.Update(v, []types.PropertyChange{{Name: "config.changeVersion", Val: changeVersion()}})
	})
}

func changeVersion() string { return time.Now().UTC().Format(time.RFC3339Nano) }

func (s *sim) createVM(c *call) soap.HasFault {
	req := c.body.(*types.CreateVM_Task)
	body := new(methods.CreateVM_TaskBody)
	ref, fault := s.begin(c, req.This, "createVm", func() (types.AnyType, types.BaseMethodFault) {
		res, err := methods.CreateVM_Task(context.Background(), s.model.Service, req)
		if err != nil {
			return s.inner(moref{}, err)
		}
		return s.inner(res.Returnval, nil)
	})
	body.Res, body.Fault_ = &types.CreateVM_TaskResponse{Returnval: ref}, fault
	return body
}

func (s *sim) destroy(c *call) soap.HasFault {
	req := c.body.(*types.Destroy_Task)
	if req.This.Type != "VirtualMachine" {
		return nil
	}
	if s.isLeased(req.This) {
		return refuse("A lease holds the machine.", &types.InvalidState{})
	}
	body := new(methods.Destroy_TaskBody)
	ref, fault := s.begin(c, req.This, "destroy", func() (types.AnyType, types.BaseMethodFault) {
		return s.innerDestroy(req.This)
	})
	body.Res, body.Fault_ = &types.Destroy_TaskResponse{Returnval: ref}, fault
	return body
}

func (s *sim) innerDestroy(vm moref) (types.AnyType, types.BaseMethodFault) {
	res, err := methods.Destroy_Task(context.Background(), s.model.Service, &types.Destroy_Task{This: vm})
	if err != nil {
		return s.inner(moref{}, err)
	}
	return s.inner(res.Returnval, nil)
}

func (s *sim) powerOn(c *call) soap.HasFault {
	req := c.body.(*types.PowerOnVM_Task)
	body := new(methods.PowerOnVM_TaskBody)
	ref, fault := s.begin(c, req.This, "powerOn", func() (types.AnyType, types.BaseMethodFault) {
		res, err := methods.PowerOnVM_Task(context.Background(), s.model.Service, req)
		if err != nil {
			return s.inner(moref{}, err)
		}
		result, fault := s.inner(res.Returnval, nil)
		if v, ok := simulator.Map.Get(req.This).(*simulator.VirtualMachine); ok && fault == nil {
			if err := s.switchedOn(s.vms[req.This]); err != nil {
				log.Printf("%s: %v", v.Name, err)
				return nil, &types.FileFault{File: v.Config.Files.VmPathName}
			}
			noteChange(v)
		}
		return result, fault
	})
	body.Res, body.Fault_ = &types.PowerOnVM_TaskResponse{Returnval: ref}, fault
	return body
}

func (s *sim) powerOff(c *call) soap.HasFault {
	req := c.body.(*types.PowerOffVM_Task)
	body := new(methods.PowerOffVM_TaskBody)
	ref, fault := s.begin(c, req.This, "powerOff", func() (types.AnyType, types.BaseMethodFault) {
		res, err := methods.PowerOffVM_Task(context.Background(), s.model.Service, req)
		if err != nil {
			return s.inner(moref{}, err)
		}
		result, fault := s.inner(res.Returnval, nil)
		if v, ok := simulator.Map.Get(req.This).(*simulator.VirtualMachine); ok && fault == nil {
			noteChange(v)
		}
		return result, fault
	})
	body.Res, body.Fault_ = &types.PowerOffVM_TaskResponse{Returnval: ref}, fault
	return body
}
