// SPDX-License-Identifier: LGPL-2.1-or-later

// Rules that make calls go wrong: each matches a method (and a machine), lets
// K-1 calls pass and then acts on N of them. The front asks before each call;
// a rule that has done its work stays in the list with its counters, so that a
// test can see that it fired.

package main

import (
	"fmt"
	"path"
	"reflect"
	"strings"

	"github.com/vmware/govmomi/vim25/types"
)

type rule struct {
	ID      int    `json:"id"`
	Kind    string `json:"kind"`
	Method  string `json:"method"`
	VM      string `json:"vm,omitempty"`
	At      int    `json:"at"`    // acts from this matching call on
	Count   int    `json:"count"` // this many times; 0 = for ever
	Fault   string `json:"fault,omitempty"`
	Message string `json:"message,omitempty"`
	Mode    string `json:"mode,omitempty"`
	MS      int64  `json:"ms,omitempty"`
	Polls   int64  `json:"polls,omitempty"`
	Bytes   int64  `json:"bytes,omitempty"`
	Hold    bool   `json:"hold,omitempty"`
	Seen    int    `json:"seen"`
	Fired   int    `json:"fired"`
}

func newRule(kind string, a args) (*rule, error) {
	sw, ok := switches[kind]
	if !ok || sw.kind != asFault {
		return nil, fmt.Errorf("%q is no fault; vcenter-sim -list-switches names them", kind)
	}
	r := &rule{Kind: kind, Method: a.text("method", sw.method), VM: a.text("vm", ""), Fault: a.text("fault", ""),
		Message: a.text("message", ""), Mode: a.text("mode", ""), Hold: a.number("hold", 0) != 0,
		At: int(a.number("at", 1)), Count: int(a.number("count", 1)),
		MS: a.number("ms", 0), Polls: a.number("polls", 0), Bytes: a.number("bytes", 0)}
	if err := a.done(); err != nil {
		return nil, err
	}
	if r.Method == "" {
		return nil, fmt.Errorf("%s needs method=NAME", kind)
	}
	if _, err := path.Match(r.Method, ""); err != nil {
		return nil, fmt.Errorf("method=%s: %v", r.Method, err)
	}
	if r.At < 1 || r.Count < 0 {
		return nil, fmt.Errorf("at=%d count=%d: the first call is 1, count=0 is for ever", r.At, r.Count)
	}
	if r.Fault == "" {
		r.Fault = map[string]string{"file-fault": "FileFault", "quiesce-fault": "ApplicationQuiesceFault"}[kind]
	}
	if r.Fault == "" && (strings.HasSuffix(kind, "-fails") || kind == "task-error") {
		r.Fault = "GenericVmConfigFault"
	}
	if _, err := faultNamed(r.Fault, ""); r.Fault != "" && err != nil {
		return nil, err
	}
	return r, r.check()
}

// check refuses a rule that could never act.
func (r *rule) check() error {
	switch r.Kind {
	case "soap-fault":
		if r.Fault == "" {
			return fmt.Errorf("soap-fault needs fault=NAME")
		}
	case "slow-task":
		if r.MS == 0 && r.Polls == 0 && !r.Hold {
			return fmt.Errorf("slow-task needs ms=N, polls=N or hold=1")
		}
	case "delay", "snapshot-lingers":
		if r.MS == 0 {
			return fmt.Errorf("%s needs ms=N", r.Kind)
		}
	case "bad-xml":
		if _, ok := badXML(r.Mode); !ok {
			return fmt.Errorf("bad-xml needs mode=%s", badXMLNames())
		}
	case "wrong-sums":
		for _, m := range wrongSumModes {
			if m == r.Mode {
				return nil
			}
		}
		return fmt.Errorf("wrong-sums needs mode=%s", strings.Join(wrongSumModes, "|"))
	}
	return nil
}

// faultNamed makes a vim fault from its type's name.
func faultNamed(name, file string) (types.BaseMethodFault, error) {
	t, ok := types.TypeFunc()(name)
	if !ok {
		return nil, fmt.Errorf("fault=%s: the vim25 schema has no such type", name)
	}
	f, ok := reflect.New(t).Interface().(types.BaseMethodFault)
	if !ok {
		return nil, fmt.Errorf("fault=%s: that type is no fault", name)
	}
	if ff, ok := f.(types.BaseFileFault); ok {
		ff.GetFileFault().File = file
	}
	return f, nil
}

// matching counts the call in every rule that fits it and returns those that act.
func (s *sim) matching(method, vm, vmRef string, quiesce bool) []*rule {
	var out []*rule
	for _, r := range s.rules {
		if ok, _ := path.Match(r.Method, method); !ok {
			continue
		}
		if r.VM != "" && r.VM != vm && r.VM != vmRef {
			continue
		}
		if r.Kind == "quiesce-fault" && !quiesce {
			continue
		}
		r.Seen++
		if r.Seen >= r.At && (r.Count == 0 || r.Fired < r.Count) {
			r.Fired++
			out = append(out, r)
		}
	}
	return out
}

func pick(rules []*rule, kinds ...string) *rule {
	for _, r := range rules {
		for _, k := range kinds {
			if r.Kind == k {
				return r
			}
		}
	}
	return nil
}
