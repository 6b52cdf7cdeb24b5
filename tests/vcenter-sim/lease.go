// SPDX-License-Identifier: LGPL-2.1-or-later

// Import leases. VMware's simulator makes the machine, the lease and its URLs
// for ImportVApp, and throws uploads away; here an upload to such a URL is
// decoded and stored into the new machine's disk. Aborting a lease removes the
// machine, as vCenter does, and so does the end of the session that has it. The
// URL is its own ticket: it needs no cookie.

package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"path"
	"reflect"
	"sort"
	"strings"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"
)

type lease struct {
	vm       *vmState
	polls    int64          // reads of its state that still say initializing
	uploaded map[string]int // disk file -> uploads that were complete
	open     int            // uploads under way
	session  string
}

// noteLease follows an ImportVApp that the simulator has answered.
func (s *sim) noteLease(c *call) {
	before := make(map[moref]bool)
	for ref := range s.vms {
		before[ref] = true
	}
	s.adoptAll()
	body := new(methods.ImportVAppBody)
	if c.status != 200 || !s.decode(c, body) || body.Res == nil {
		return
	}
	for ref, vm := range s.vms {
		if !before[ref] {
			s.leases[body.Res.Returnval] = &lease{vm: vm, polls: s.setting("lease-polls"), uploaded: make(map[string]int), session: c.session}
			return
		}
	}
	log.Printf("ImportVApp answered with a lease and made no machine")
}

func (s *sim) leaseStarting(ref moref) bool {
	l := s.leases[ref]
	if l == nil || l.polls <= 0 {
		return false
	}
	l.polls--
	return true
}

func (s *sim) endLease(c *call) {
	if c.status != 200 {
		return
	}
	_, abort := c.body.(*types.HttpNfcLeaseAbort)
	s.dropLease(c.this, abort)
}

func (s *sim) dropLease(ref moref, withVM bool) {
	l := s.leases[ref]
	delete(s.leases, ref)
	if withVM && l != nil && s.vms[l.vm.ref] == l.vm {
		if err := s.destroyVM(l.vm); err != nil {
			log.Printf("abort of %s: %v", ref.Value, err)
		}
	}
}

// sweepLeases aborts what belongs to sessions that have ended.
func (s *sim) sweepLeases() {
	for ref, l := range s.leases {
		if !sessionValid(l.session) {
			s.dropLease(ref, true)
		}
	}
}

// isLeased tells whether a lease holds the machine: then nobody may remove it.
func (s *sim) isLeased(vm moref) bool {
	for _, l := range s.leases {
		if l.vm.ref == vm {
			return true
		}
	}
	return false
}

// showLease names the disks as vCenter does, /NAME/CONTROLLERBUS:UNIT, where the
// simulator counts them, and on request the host of the uploads by its name.
func (s *sim) showLease(info *types.HttpNfcLeaseInfo) {
	vm := s.vms[info.Entity]
	if vm == nil {
		return
	}
	devices := object.VirtualDeviceList(vm.simVM().Config.Hardware.Device)
	// The simulator made them in the order of the devices; two files on two datastores may have one name.
	files := devices.Select(func(d types.BaseVirtualDevice) bool {
		_, ok := d.GetVirtualDevice().Backing.(types.BaseVirtualDeviceFileBackingInfo)
		return ok
	})
	for i := range info.DeviceUrl {
		u := &info.DeviceUrl[i]
		if vd, ok := files[i].(*types.VirtualDisk); ok {
			c, ok := devices.FindByKey(vd.ControllerKey).(types.BaseVirtualController)
			if vm.disks[vd.Key] == nil || !ok || vd.UnitNumber == nil {
				continue
			}
			name := fmt.Sprintf("%s%d:%d", reflect.TypeOf(c).Elem().Name(), c.GetVirtualController().BusNumber, *vd.UnitNumber)
			u.Key, u.ImportKey = path.Join("/", vm.ref.Value, name), path.Join("/", vm.name(), name)
			at := strings.LastIndexByte(u.Url, '/') + 1 // names stand in it with their escapes
			u.Url = u.Url[:at] + fmt.Sprintf("%d/", vd.Key) + u.Url[at:]
		}
		if mode := s.setting("lease-host"); mode != 0 {
			u.Url = strings.Replace(u.Url, "https://*/", "https://localhost:"+s.port+"/", 1)
			u.SslThumbprint = s.sha1
			if mode == 2 {
				u.SslThumbprint = strings.Repeat("00:", 19) + "00"
			}
		}
	}
	if s.setting("lease-reversed") != 0 {
		sort.SliceStable(info.DeviceUrl, func(i, j int) bool { return info.DeviceUrl[i].TargetId > info.DeviceUrl[j].TargetId })
	}
}

// leaseDisk finds the disk behind /nfc/LEASE/KEY/FILE.
func (s *sim) leaseDisk(urlPath string) (l *lease, d *disk, file string) {
	parts := strings.SplitN(strings.TrimPrefix(urlPath, "/nfc/"), "/", 3)
	if len(parts) != 3 {
		return nil, nil, ""
	}
	l = s.leases[moref{Type: "HttpNfcLease", Value: parts[0]}]
	if l == nil || simulator.Map.Get(l.vm.ref) == nil {
		return nil, nil, ""
	}
	for _, d := range l.vm.disks {
		if fmt.Sprint(d.key) == parts[1] && path.Base(d.layers[0].dsPath()) == parts[2] {
			return l, d, parts[1] + "/" + parts[2]
		}
	}
	return nil, nil, ""
}

func (s *sim) serveUpload(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPut && r.Method != http.MethodPost {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	var rules []*rule
	var l *lease
	var d *disk
	var file string
	s.locked(func() {
		rules = s.matching("NfcUpload", "", r.URL.Path, false)
		if l, d, file = s.leaseDisk(r.URL.Path); l != nil {
			l.open++
		}
	})
	if l != nil {
		defer s.locked(func() { l.open-- })
	}
	if s.failEarly(w, "NfcUpload", rules) {
		return
	}
	status := http.StatusNotFound
	if l != nil {
		status = s.storeUpload(w, r, l, d, file)
	} else {
		http.Error(w, "no such lease or disk", status)
	}
	s.locked(func() { s.record("NfcUpload", "", status) })
}

var errGone = errors.New("the lease has ended")

func (s *sim) storeUpload(w http.ResponseWriter, r *http.Request, l *lease, d *disk, file string) int {
	capacity, err := readStream(r.Body, func(p []byte, off int64) (err error) {
		s.locked(func() {
			if s.vms[l.vm.ref] != l.vm || l.vm.disks[d.key] != d {
				err = errGone
				return
			}
			err = d.write(p, off)
		})
		return err
	})
	if err == nil && capacity != d.capacity {
		err = fmt.Errorf("the file is for a disk of %d bytes, this one has %d", capacity, d.capacity)
	}
	if err != nil {
		log.Printf("upload of %s: %v", file, err)
		// A client that is still sending would not see an early answer.
		if _, derr := io.Copy(io.Discard, r.Body); derr != nil {
			log.Printf("upload of %s: the rest: %v, ignoring", file, derr)
		}
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return http.StatusInternalServerError
	}
	s.locked(func() { l.uploaded[file]++ })
	w.WriteHeader(http.StatusCreated)
	return http.StatusCreated
}

type leaseInfo struct {
	Lease    string         `json:"lease"`
	VM       string         `json:"vm"`
	Open     int            `json:"open"`
	Uploaded map[string]int `json:"uploaded"`
}

func (s *sim) leaseList() []leaseInfo {
	out := []leaseInfo{}
	for ref, l := range s.leases {
		name := ""
		if s.vms[l.vm.ref] != nil {
			name = l.vm.name()
		}
		out = append(out, leaseInfo{ref.Value, name, l.open, l.uploaded})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Lease < out[j].Lease })
	return out
}
