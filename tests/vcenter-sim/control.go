// SPDX-License-Identifier: LGPL-2.1-or-later

// The control interface: HTTP on a unix socket in the control folder, one path
// a verb, parameters as a form or JSON, answers in JSON. Only the owner of the
// folder reaches it. simctl is its front; tests may also use curl.
// Verbs on machines and disks are in control-vm.go and control-disk.go.

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"sort"
	"time"

	"github.com/vmware/govmomi/simulator"
)

// verb does one control call under the world lock.
type verb func(a args) (interface{}, error)

func (s *sim) verbs() map[string]verb {
	m := map[string]verb{
		"/fault/add":     s.ctlFaultAdd,
		"/fault/list":    s.ctlFaultList,
		"/fault/clear":   s.ctlFaultClear,
		"/set":           s.ctlSet,
		"/settings":      s.ctlSettings,
		"/calls":         s.ctlCalls,
		"/calls/clear":   s.ctlCallsClear,
		"/session/list":  s.ctlSessions,
		"/session/kill":  s.ctlSessionKill,
		"/session/age":   s.ctlSessionAge,
		"/password":      s.ctlPassword,
		"/snapshot/list": s.ctlSnapshots,
		"/task/list":     s.ctlTasks,
		"/task/finish":   s.ctlTaskFinish,
		"/lease/list":    s.ctlLeases,
		"/left":          s.ctlLeft,
		"/reset":         s.ctlReset,
	}
	for _, more := range []map[string]verb{s.vmVerbs(), s.diskVerbs(), s.hostVerbs()} {
		for path, v := range more {
			m[path] = v
		}
	}
	return m
}

// control is the handler of the unix socket.
func (s *sim) control() http.Handler {
	mux := http.NewServeMux()
	for path, v := range s.verbs() {
		v := v
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			a, err := readArgs(r, false)
			if err != nil {
				answer(w, nil, err)
				return
			}
			// Encoding belongs to the step: what is shown goes on changing.
			var raw []byte
			s.locked(func() {
				s.sweepSessions()
				var out interface{}
				if out, err = v(a); err != nil {
					return
				}
				if out == nil {
					out = struct{}{}
				}
				raw, err = json.Marshal(out)
			})
			answer(w, json.RawMessage(raw), err)
		})
	}
	mux.HandleFunc("/disk/write", s.ctlDiskWrite)
	mux.HandleFunc("/disk/read", s.ctlDiskRead)
	mux.HandleFunc("/writer/stop", s.ctlWriterStop)
	return mux
}

func answer(w http.ResponseWriter, out interface{}, err error) {
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		out = map[string]string{"error": err.Error()}
	}
	raw, err := json.Marshal(out)
	if err != nil {
		raw = []byte(`{"error":"the answer cannot be encoded"}`)
	}
	// Nobody is left to tell when the asker has gone.
	_, _ = w.Write(raw)
}

func (s *sim) ctlFaultAdd(a args) (interface{}, error) {
	r, err := newRule(a.need("kind"), a)
	if err != nil {
		return nil, err
	}
	s.ruleCount++
	r.ID = s.ruleCount
	s.rules = append(s.rules, r)
	return r, nil
}

func (s *sim) ctlFaultList(a args) (interface{}, error) {
	return append([]*rule{}, s.rules...), a.done()
}

func (s *sim) ctlFaultClear(a args) (interface{}, error) {
	id := int(a.number("id", 0))
	if err := a.done(); err != nil {
		return nil, err
	}
	kept := []*rule{}
	for _, r := range s.rules {
		if id != 0 && r.ID != id {
			kept = append(kept, r)
		}
	}
	if id != 0 && len(kept) == len(s.rules) {
		return nil, fmt.Errorf("no fault with id %d", id)
	}
	s.rules = kept
	return nil, nil
}

// ctlSet takes several settings at once, all or none.
func (s *sim) ctlSet(a args) (interface{}, error) {
	values := make(map[string]int64)
	for name := range a.values {
		if _, ok := s.settings[name]; !ok {
			return nil, fmt.Errorf("%q is no setting; vcenter-sim -list-switches names them", name)
		}
		values[name] = a.number(name, 0)
		if values[name] < 0 {
			return nil, fmt.Errorf("%s=%d is negative", name, values[name])
		}
	}
	if err := a.done(); err != nil {
		return nil, err
	}
	for name, v := range values {
		s.settings[name] = v
	}
	return s.settings, nil
}

func (s *sim) ctlSettings(a args) (interface{}, error) { return s.settings, a.done() }

func (s *sim) ctlCalls(a args) (interface{}, error) {
	return append([]callRecord{}, s.calls...), a.done()
}

func (s *sim) ctlCallsClear(a args) (interface{}, error) {
	s.calls = nil
	return nil, a.done()
}

type sessionInfo struct {
	Key   string    `json:"key"`
	User  string    `json:"user"`
	Agent string    `json:"agent"`
	Login time.Time `json:"login"`
	Used  time.Time `json:"used"`
	Calls int64     `json:"calls"`
}

func (s *sim) ctlSessions(a args) (interface{}, error) {
	out := []sessionInfo{}
	for _, u := range sessionList() {
		out = append(out, sessionInfo{u.Key, u.UserName, u.UserAgent, u.LoginTime, u.LastActiveTime, u.CallCount})
	}
	return out, a.done()
}

func (s *sim) ctlSessionKill(a args) (interface{}, error) {
	key := a.text("key", "")
	if err := a.done(); err != nil {
		return nil, err
	}
	if key != "" {
		return nil, killSession(key)
	}
	n := 0
	for _, u := range sessionList() {
		if err := killSession(u.Key); err != nil {
			return nil, err
		}
		n++
	}
	return map[string]int{"killed": n}, nil
}

// ctlSessionAge lets a session look idle for longer than it was, so that a test
// of idle-expiry need not wait.
func (s *sim) ctlSessionAge(a args) (interface{}, error) {
	key, ms := a.need("key"), a.number("ms", 0)
	if err := a.done(); err != nil {
		return nil, err
	}
	if !sessionValid(key) {
		return nil, fmt.Errorf("no session %q", key)
	}
	s.aged[key] += time.Duration(ms) * time.Millisecond
	return nil, nil
}

type snapshotDiskInfo struct {
	Key      int32  `json:"key"`
	File     string `json:"file"`
	ChangeID string `json:"change_id"`
	Capacity int64  `json:"capacity"`
	Hash     string `json:"hash"`
}

type snapshotInfo struct {
	Snapshot string             `json:"snapshot"`
	Name     string             `json:"name"`
	VM       string             `json:"vm"`
	VMRef    string             `json:"vm_ref"`
	User     bool               `json:"user"`
	Created  time.Time          `json:"created"`
	Disks    []snapshotDiskInfo `json:"disks"`
}

func describeSnapshot(snap *snapshot) snapshotInfo {
	info := snapshotInfo{snap.ref.Value, snap.name, snap.vm.name(), snap.vm.ref.Value, snap.user, snap.created, nil}
	for key, sd := range snap.disks {
		info.Disks = append(info.Disks, snapshotDiskInfo{key, sd.disk.layers[sd.layers-1].dsPath(), sd.changeID, sd.capacity, sd.hash})
	}
	sort.Slice(info.Disks, func(i, j int) bool { return info.Disks[i].Key < info.Disks[j].Key })
	return info
}

func (s *sim) snapshotInfos() []snapshotInfo {
	out := []snapshotInfo{}
	for _, snap := range s.snapshots {
		out = append(out, describeSnapshot(snap))
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Created.Before(out[j].Created) })
	return out
}

// ctlSnapshots lists the living snapshots, or with all=1 every one there was.
func (s *sim) ctlSnapshots(a args) (interface{}, error) {
	if a.flag("all", false) {
		return append([]snapshotInfo{}, s.history...), a.done()
	}
	return s.snapshotInfos(), a.done()
}

type taskInfo struct {
	Task    string    `json:"task"`
	Method  string    `json:"method"`
	VM      string    `json:"vm"`
	State   string    `json:"state"`
	Started time.Time `json:"started"`
	Error   string    `json:"error,omitempty"`
}

func (s *sim) taskInfos(runningOnly bool) []taskInfo {
	out := []taskInfo{}
	for _, t := range s.tasks {
		if runningOnly && t.done {
			continue
		}
		info := taskInfo{t.task.Self.Value, t.method, t.vm, string(t.task.Info.State), t.started, ""}
		if e := t.task.Info.Error; e != nil {
			info.Error = fmt.Sprintf("%T", e.Fault)[len("*types."):]
		}
		out = append(out, info)
	}
	return out
}

func (s *sim) ctlTasks(a args) (interface{}, error) {
	all := a.flag("all", false)
	return s.taskInfos(!all), a.done()
}

func (s *sim) ctlTaskFinish(a args) (interface{}, error) {
	id := a.text("id", "")
	if err := a.done(); err != nil {
		return nil, err
	}
	return nil, s.finishHeld(id)
}

func (s *sim) ctlLeases(a args) (interface{}, error) { return s.leaseList(), a.done() }

// ctlLeft is all that a client may have left behind: nothing in it, all lists
// empty, means a clean vCenter. The user's own snapshots do not count.
func (s *sim) ctlLeft(a args) (interface{}, error) {
	snaps, waiting := []snapshotInfo{}, []string{}
	for _, i := range s.snapshotInfos() {
		if !i.User {
			snaps = append(snaps, i)
		}
	}
	for _, vm := range s.vms {
		if n := vm.simVM().Runtime.ConsolidationNeeded; n != nil && *n {
			waiting = append(waiting, vm.name())
		}
	}
	sort.Strings(waiting)
	sessions, err := s.ctlSessions(newArgs(nil))
	if err != nil {
		return nil, err
	}
	loose, err := s.looseDisks()
	if err != nil {
		return nil, err
	}
	return map[string]interface{}{"sessions": sessions, "snapshots": snaps, "tasks": s.taskInfos(true),
		"leases": s.leaseList(), "consolidation_needed": waiting, "loose_disks": loose}, a.done()
}

// ctlPassword gives the user another password. Sessions that are open stay, as at a vCenter.
func (s *sim) ctlPassword(a args) (interface{}, error) {
	fresh := a.need("new")
	if err := a.done(); err != nil {
		return nil, err
	}
	s.opt.password = fresh
	s.model.Service.Listen.User = url.UserPassword(s.opt.user, fresh)
	return nil, os.WriteFile("password", []byte(fresh+"\n"), 0600)
}

// ctlReset takes back every order: faults, settings, lists of calls, held
// tasks. Machines, snapshots and sessions stay as they are.
func (s *sim) ctlReset(a args) (interface{}, error) {
	if err := a.done(); err != nil {
		return nil, err
	}
	s.rules, s.calls, s.settings = nil, nil, defaultSettings()
	for name, v := range s.opt.settings {
		s.settings[name] = v
	}
	return nil, s.finishHeld("")
}

// vmOf finds the machine that vm= names: by name, or by reference.
func (s *sim) vmOf(a args) (*vmState, error) { return s.vmNamed(a.need("vm")) }

func (s *sim) vmNamed(want string) (*vmState, error) {
	var found []*vmState
	for ref, vm := range s.vms {
		if ref.Value == want {
			return vm, nil
		}
		if simulator.Map.Get(ref) != nil && vm.name() == want {
			found = append(found, vm)
		}
	}
	switch {
	case len(found) == 0:
		return nil, fmt.Errorf("no machine is called %q", want)
	case len(found) > 1:
		return nil, fmt.Errorf("%d machines are called %q; use the reference (vm-…)", len(found), want)
	}
	return found[0], nil
}
