// SPDX-License-Identifier: LGPL-2.1-or-later

// A disk as its guest sees it: a chain of layers, the newest on top, with
// change tracking and a hash that costs what was written since the last one.
// The guest of this simulator writes only through here (control interface and
// live writer), so every change is known and none has to be searched for.
// snapshot.go freezes and merges layers; callers hold the world lock.

package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"strings"
)

// blockSize is the granularity of change tracking and of the disk hash.
const blockSize = 64 * 1024

type disk struct {
	key      int32
	capacity int64
	uuid     string // backing uuid
	mode     string // diskMode
	rdm      bool   // shown as a physical raw device mapping
	lost     bool   // shown without a capacity, as when its datastore is gone
	layers   []layer
	cbt      *tracker // nil while change tracking is off
	hashes   map[int64][sha256.Size]byte
	dirty    extentSet // blocks whose hash is out of date
	serial   int       // numbers the deltas, never reused
}

// independent disks (and physical mappings) take no part in snapshots.
func (d *disk) independent() bool {
	return d.rdm || strings.HasPrefix(d.mode, "independent")
}

func (d *disk) top() layer { return d.layers[len(d.layers)-1] }

// write is the guest's write.
func (d *disk) write(p []byte, off int64) error {
	if off < 0 || off%sectorSize != 0 || len(p)%sectorSize != 0 || off+int64(len(p)) > d.capacity {
		return fmt.Errorf("write of %d bytes at %d does not fit a disk of %d bytes in sectors of %d", len(p), off, d.capacity, sectorSize)
	}
	if len(p) == 0 {
		return nil
	}
	if err := d.top().writeAt(p, off); err != nil {
		return err
	}
	end := off + int64(len(p))
	d.dirty.add(off/blockSize*blockSize, (end+blockSize-1)/blockSize*blockSize)
	if d.cbt != nil {
		d.cbt.mark(off, end)
	}
	return nil
}

// readLayers gives the content that the first n layers hold.
func (d *disk) readLayers(p []byte, off int64, n int) error {
	for i := range p {
		p[i] = 0
	}
	for _, l := range d.layers[:n] {
		for _, e := range l.owned().within(off, off+int64(len(p))) {
			if err := l.readAt(p[e.Start-off:e.End-off], e.Start); err != nil {
				return err
			}
		}
	}
	return nil
}

// copyOut streams [off, off+length) of the first n layers.
func (d *disk) copyOut(w io.Writer, off, length int64, n int) error {
	if off < 0 || length < 0 || off+length > d.capacity || off%sectorSize != 0 || length%sectorSize != 0 {
		return fmt.Errorf("read of %d bytes at %d does not fit a disk of %d bytes in sectors of %d", length, off, d.capacity, sectorSize)
	}
	buf := make([]byte, 1<<20)
	for length > 0 {
		if length < int64(len(buf)) {
			buf = buf[:length]
		}
		if err := d.readLayers(buf, off, n); err != nil {
			return err
		}
		if _, err := w.Write(buf); err != nil {
			return err
		}
		off += int64(len(buf))
		length -= int64(len(buf))
	}
	return nil
}

// allocated is what the whole chain holds.
func (d *disk) allocated() *extentSet {
	all := new(extentSet)
	for _, l := range d.layers {
		all.addSet(l.owned())
	}
	return all
}

// hash is the extent-aware digest of the disk's content; see hashOf.
func (d *disk) hash() (string, error) {
	buf := make([]byte, blockSize)
	zero := make([]byte, blockSize)
	for _, e := range d.dirty.within(0, d.capacity) {
		for off := e.Start; off < e.End; off += blockSize {
			b := buf
			if off+blockSize > d.capacity {
				b = buf[:d.capacity-off]
			}
			if err := d.readLayers(b, off, len(d.layers)); err != nil {
				return "", err
			}
			if bytes.Equal(b, zero[:len(b)]) {
				delete(d.hashes, off)
			} else {
				d.hashes[off] = sha256.Sum256(b)
			}
		}
	}
	d.dirty = extentSet{}
	return hashOf(d.hashes, d.capacity), nil
}

// freeze puts a new delta on top; what is below it no longer changes.
func (d *disk) freeze() error {
	d.serial++
	t := d.top()
	base := strings.TrimSuffix(d.layers[0].dsPath(), ".vmdk")
	name := fmt.Sprintf("%s-%06d.vmdk", base, d.serial)
	var dir string
	switch l := t.(type) {
	case *flatLayer:
		dir = filepath.Dir(l.descriptor)
	case *cowdLayer:
		dir = filepath.Dir(l.descriptor)
	}
	l, err := newCowdLayer(name, filepath.Join(dir, path.Base(name)), t.cid()+uint32(d.serial), d.capacity, t)
	if err != nil {
		return err
	}
	d.layers = append(d.layers, l)
	return nil
}

// thaw merges layer i into the one below it and removes its files.
func (d *disk) thaw(i int) error {
	from, to := d.layers[i], d.layers[i-1]
	buf := make([]byte, 1<<20)
	for _, e := range from.owned().list {
		for off := e.Start; off < e.End; off += int64(len(buf)) {
			b := buf
			if e.End-off < int64(len(b)) {
				b = b[:e.End-off]
			}
			if err := from.readAt(b, off); err != nil {
				return err
			}
			if err := to.writeAt(b, off); err != nil {
				return err
			}
		}
	}
	d.layers = append(d.layers[:i:i], d.layers[i+1:]...)
	return from.remove()
}

func (d *disk) close() {
	for _, l := range d.layers {
		l.close()
	}
}
