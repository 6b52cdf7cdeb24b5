// SPDX-License-Identifier: LGPL-2.1-or-later

// Changed-block tracking: change ids as ESXi writes them (UUID/number), the
// sets of blocks written between them, and the walk over pages that
// QueryChangedDiskAreas does, with its ways of going wrong.
// The front calls queryChangedDiskAreas under the world lock.

package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// tracker remembers which blocks were written after which change id.
type tracker struct {
	uuid   string
	seq    int
	epochs []*extentSet // epochs[n]: written while seq was n
}

func newTracker() *tracker {
	u := uuid.New()
	var hex []string
	for _, b := range u {
		hex = append(hex, fmt.Sprintf("%02x", b))
	}
	return &tracker{
		uuid:   strings.Join(hex[:8], " ") + "-" + strings.Join(hex[8:], " "),
		epochs: []*extentSet{new(extentSet)},
	}
}

func (t *tracker) mark(start, end int64) {
	t.epochs[t.seq].add(start, end)
}

// next closes the present epoch and names the moment.
func (t *tracker) next() string {
	t.seq++
	t.epochs = append(t.epochs, new(extentSet))
	return fmt.Sprintf("%s/%d", t.uuid, t.seq)
}

// between unites the epochs from one change id up to (not including) another.
func (t *tracker) between(from, to int) *extentSet {
	all := new(extentSet)
	for _, e := range t.epochs[from:to] {
		all.addSet(e)
	}
	return all
}

// areaSource is the disk as a query sees it: at a snapshot, or now.
type areaSource struct {
	capacity int64
	cbt      *tracker
	seq      int
	alloc    *extentSet
}

// changed answers a change id; ok is false when this disk never gave it.
func (a *areaSource) changed(changeID string) (set *extentSet, ok bool) {
	if a.cbt == nil {
		return nil, false
	}
	if changeID == "*" {
		return a.alloc.rounded(blockSize, a.capacity), true
	}
	slash := strings.LastIndexByte(changeID, '/')
	if slash < 0 || changeID[:slash] != a.cbt.uuid {
		return nil, false
	}
	from, err := strconv.Atoi(changeID[slash+1:])
	if err != nil || from < 1 || from > a.seq {
		return nil, false
	}
	return a.cbt.between(from, a.seq).rounded(blockSize, a.capacity), true
}

// areaSourceFor finds what a request means, or the fault it deserves.
func (s *sim) areaSourceFor(vm *vmState, req *types.QueryChangedDiskAreas) (*areaSource, *soap.Fault) {
	if req.Snapshot == nil {
		if vm.poweredOn() {
			return nil, invalidArgument("snapshot")
		}
		d := vm.disks[req.DeviceKey]
		if d == nil {
			return nil, invalidArgument("deviceKey")
		}
		a := &areaSource{capacity: d.capacity, cbt: d.cbt, alloc: d.allocated()}
		if d.cbt != nil {
			a.seq = d.cbt.seq + 1
		}
		return a, nil
	}
	snap := s.snapshots[*req.Snapshot]
	if snap == nil || snap.vm != vm {
		return nil, simulator.Fault("The object has already been deleted or has not been completely created",
			&types.ManagedObjectNotFound{Obj: *req.Snapshot})
	}
	sd := snap.disks[req.DeviceKey]
	if sd == nil {
		return nil, invalidArgument("deviceKey")
	}
	return &areaSource{capacity: sd.capacity, cbt: sd.cbt, seq: sd.seq, alloc: sd.alloc}, nil
}

func invalidArgument(property string) *soap.Fault {
	return simulator.Fault("A specified parameter was not correct: "+property,
		&types.InvalidArgument{InvalidProperty: property})
}

func (s *sim) queryChangedDiskAreas(c *call) soap.HasFault {
	req := c.body.(*types.QueryChangedDiskAreas)
	body := new(methods.QueryChangedDiskAreasBody)
	vm := s.vms[req.This]
	if vm == nil {
		body.Fault_ = simulator.Fault("", &types.ManagedObjectNotFound{Obj: req.This})
		return body
	}
	src, fault := s.areaSourceFor(vm, req)
	if fault != nil {
		body.Fault_ = fault
		return body
	}
	if req.StartOffset < 0 || req.StartOffset >= src.capacity {
		body.Fault_ = invalidArgument("startOffset")
		return body
	}
	set, ok := src.changed(req.ChangeId)
	if !ok {
		file := "/vmfs/volumes/" + vm.name() + ".vmdk"
		body.Fault_ = simulator.Fault("Error caused by file "+file, &types.FileFault{File: file})
		return body
	}
	info := s.areaPage(set, req.StartOffset, src.capacity)
	if c.wrongSums != "" {
		spoilPage(&info, c.wrongSums, src.capacity)
	}
	body.Res = &types.QueryChangedDiskAreasResponse{Returnval: info}
	return body
}

// areaPage describes the disk from start on, as far as one answer goes.
func (s *sim) areaPage(set *extentSet, start, capacity int64) types.DiskChangeInfo {
	end := capacity
	if n := s.setting("area-page-bytes"); n > 0 && start+n < end {
		end = start + n
	}
	limit := int(s.setting("area-page"))
	if s.setting("empty-page") != 0 {
		limit = 1
	}
	list := cut(set.within(start, end), s.setting("area-bytes"))
	if s.setting("empty-page") != 0 && len(list) > 0 {
		if list[0].Start > start {
			// Only the gap: a page that is true and has nothing in it.
			list, end = nil, list[0].Start
		} else {
			list, end = list[:1], list[0].End
		}
	}
	if limit > 0 && len(list) > limit {
		end = list[limit].Start
		list = list[:limit]
	}
	info := types.DiskChangeInfo{StartOffset: start, Length: end - start}
	for _, e := range list {
		info.ChangedArea = append(info.ChangedArea, types.DiskChangeExtent{Start: e.Start, Length: e.End - e.Start})
	}
	return info
}

// cut makes pieces of so many bytes of each: as many areas as one likes, of
// little content.
func cut(list []extent, size int64) []extent {
	if size == 0 {
		return list
	}
	var out []extent
	for _, e := range list {
		for ; e.End-e.Start > size; e.Start += size {
			out = append(out, extent{e.Start, e.Start + size})
		}
		out = append(out, e)
	}
	return out
}

// wrongSumModes are the lies that spoilPage can tell.
var wrongSumModes = []string{"zero-length", "beyond-disk", "outside-page", "overlap", "wrong-start", "negative"}

func spoilPage(info *types.DiskChangeInfo, mode string, capacity int64) {
	area := func(start, length int64) {
		info.ChangedArea = append(info.ChangedArea, types.DiskChangeExtent{Start: start, Length: length})
	}
	switch mode {
	case "zero-length":
		info.Length = 0
		info.ChangedArea = nil
	case "beyond-disk":
		info.Length = capacity - info.StartOffset + blockSize
		area(capacity, blockSize)
	case "outside-page":
		info.Length /= 2
		area(info.StartOffset+info.Length, blockSize)
	case "overlap":
		area(info.StartOffset, 2*blockSize)
		area(info.StartOffset+blockSize, 2*blockSize)
	case "wrong-start":
		info.StartOffset += blockSize
	case "negative":
		area(info.StartOffset, -blockSize)
	}
}
