// SPDX-License-Identifier: LGPL-2.1-or-later

// Sets of byte ranges: what a disk layer holds, and what changed between two
// points in time. Everything that describes a 102 GiB disk does it with these,
// so that a sparse disk costs what is written to it and not its capacity.
// Pure values, no files, no locks: callers hold the world lock.

package main

import "sort"

// extent is the half-open byte range [Start, End).
type extent struct {
	Start, End int64
}

// extentSet is sorted, without overlaps and without touching neighbours.
type extentSet struct {
	list []extent
}

// add puts [start, end) into the set and merges what it touches.
func (s *extentSet) add(start, end int64) {
	if start >= end {
		return
	}
	first := sort.Search(len(s.list), func(i int) bool { return s.list[i].End >= start })
	last := first
	for last < len(s.list) && s.list[last].Start <= end {
		if s.list[last].Start < start {
			start = s.list[last].Start
		}
		if s.list[last].End > end {
			end = s.list[last].End
		}
		last++
	}
	if first == last {
		s.list = append(s.list, extent{})
		copy(s.list[first+1:], s.list[first:])
		s.list[first] = extent{start, end}
		return
	}
	s.list[first] = extent{start, end}
	s.list = append(s.list[:first+1], s.list[last:]...)
}

func (s *extentSet) addSet(o *extentSet) {
	for _, e := range o.list {
		s.add(e.Start, e.End)
	}
}

// within lists the parts of the set inside [start, end).
func (s *extentSet) within(start, end int64) []extent {
	var out []extent
	first := sort.Search(len(s.list), func(i int) bool { return s.list[i].End > start })
	for _, e := range s.list[first:] {
		if e.Start >= end {
			break
		}
		if e.Start < start {
			e.Start = start
		}
		if e.End > end {
			e.End = end
		}
		out = append(out, e)
	}
	return out
}

// cut forgets everything at and beyond end.
func (s *extentSet) cut(end int64) {
	s.list = append([]extent(nil), s.within(0, end)...)
}

func (s *extentSet) clone() *extentSet {
	return &extentSet{list: append([]extent(nil), s.list...)}
}

func (s *extentSet) bytes() int64 {
	var n int64
	for _, e := range s.list {
		n += e.End - e.Start
	}
	return n
}

// rounded widens every range to whole blocks, but never beyond limit.
func (s *extentSet) rounded(block, limit int64) *extentSet {
	out := new(extentSet)
	for _, e := range s.list {
		end := (e.End + block - 1) / block * block
		if end > limit {
			end = limit
		}
		out.add(e.Start/block*block, end)
	}
	return out
}
