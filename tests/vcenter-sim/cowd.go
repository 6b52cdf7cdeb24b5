// SPDX-License-Identifier: LGPL-2.1-or-later

// The sparse delta of a snapshot, in the format that ESXi uses on VMFS
// ("COWD", createType vmfsSparse): header, grain directory, grain tables of
// 4096 entries, grains of one sector in the order of their first write. Read
// as if it were raw it gives wrong data, which is the point of having it.
// disk.go writes and reads it; qemu-img reads it as an independent witness.

package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"path"
)

const (
	cowdHeaderSectors = 4
	cowdTableEntries  = 4096
	cowdTableSectors  = cowdTableEntries * 4 / sectorSize
)

type cowdLayer struct {
	layerFiles
	f         *os.File
	held      extentSet
	capacity  int64
	directory []uint32           // sector of each grain table, 0 = none
	tables    map[int64][]uint32 // grain table by index; entry = sector, 0 = none
	free      uint32             // first sector after everything in use
}

// newCowdLayer makes an empty delta on top of parent.
func newCowdLayer(ds, descriptor string, id uint32, capacity int64, parent layer) (*cowdLayer, error) {
	f, err := os.OpenFile(extentFile(descriptor, "-delta"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0600)
	if err != nil {
		return nil, err
	}
	sectors := capacity / sectorSize
	entries := (sectors + cowdTableEntries - 1) / cowdTableEntries
	l := &cowdLayer{
		layerFiles: layerFiles{ds, descriptor, id},
		f:          f,
		capacity:   capacity,
		directory:  make([]uint32, entries),
		tables:     make(map[int64][]uint32),
		free:       uint32(cowdHeaderSectors + (entries*4+sectorSize-1)/sectorSize),
	}
	if err := l.create(uint32(sectors), parent); err != nil {
		f.Close()
		os.Remove(f.Name())
		return nil, err
	}
	return l, nil
}

func (l *cowdLayer) create(sectors uint32, parent layer) error {
	header := make([]byte, cowdHeaderSectors*sectorSize)
	copy(header, "COWD")
	for i, v := range []uint32{1, 3, sectors, 1, cowdHeaderSectors, uint32(len(l.directory)), l.free} {
		binary.LittleEndian.PutUint32(header[4+4*i:], v)
	}
	if _, err := l.f.WriteAt(header, 0); err != nil {
		return err
	}
	if err := l.f.Truncate(int64(l.free) * sectorSize); err != nil {
		return err
	}
	text := fmt.Sprintf(`# Disk DescriptorFile
version=1
encoding="UTF-8"
CID=%08x
parentCID=%08x
createType="vmfsSparse"
parentFileNameHint="%s"

# Extent description
RW %d VMFSSPARSE "%s"

# The Disk Data Base
#DDB
`, l.id, parent.cid(), path.Base(parent.dsPath()), sectors, path.Base(l.f.Name()))
	return os.WriteFile(l.descriptor, []byte(text), 0600)
}

// table returns a grain table, making it (in the file too) where asked.
func (l *cowdLayer) table(i int64) ([]uint32, error) {
	if t := l.tables[i]; t != nil {
		return t, nil
	}
	at := l.free
	l.free += cowdTableSectors
	if err := l.f.Truncate(int64(l.free) * sectorSize); err != nil {
		return nil, err
	}
	l.directory[i] = at
	if err := l.putUint32(cowdHeaderSectors*sectorSize+4*i, at); err != nil {
		return nil, err
	}
	l.tables[i] = make([]uint32, cowdTableEntries)
	return l.tables[i], nil
}

func (l *cowdLayer) putUint32(off int64, v uint32) error {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], v)
	_, err := l.f.WriteAt(b[:], off)
	return err
}

// writeAt goes run by run: neighbours that are all new get neighbouring grains.
func (l *cowdLayer) writeAt(p []byte, off int64) error {
	if off+int64(len(p)) > l.capacity {
		return fmt.Errorf("write of %d bytes at %d is beyond the end (%d) of %s", len(p), off, l.capacity, l.ds)
	}
	start, end := off/sectorSize, (off+int64(len(p)))/sectorSize
	for s := start; s < end; {
		i := s / cowdTableEntries
		t, err := l.table(i)
		if err != nil {
			return err
		}
		stop := (i + 1) * cowdTableEntries
		if stop > end {
			stop = end
		}
		n, err := l.writeRun(t, i, s, stop, p[(s-start)*sectorSize:])
		if err != nil {
			return err
		}
		s += n
	}
	l.held.add(off, off+int64(len(p)))
	return l.putUint32(4*7, l.free)
}

// writeRun writes the longest run from sector s (in table i) whose grains lie,
// or can be put, side by side, and tells how many sectors that were.
func (l *cowdLayer) writeRun(t []uint32, i, s, stop int64, p []byte) (int64, error) {
	base := i * cowdTableEntries
	at := t[s-base]
	n := int64(1)
	if at != 0 {
		for s+n < stop && t[s+n-base] == at+uint32(n) {
			n++
		}
	} else {
		for s+n < stop && t[s+n-base] == 0 {
			n++
		}
		at = l.free
		l.free += uint32(n)
		raw := make([]byte, 4*n)
		for k := int64(0); k < n; k++ {
			t[s+k-base] = at + uint32(k)
			binary.LittleEndian.PutUint32(raw[4*k:], at+uint32(k))
		}
		if _, err := l.f.WriteAt(raw, int64(l.directory[i])*sectorSize+4*(s-base)); err != nil {
			return 0, err
		}
	}
	_, err := l.f.WriteAt(p[:n*sectorSize], int64(at)*sectorSize)
	return n, err
}

func (l *cowdLayer) readAt(p []byte, off int64) error {
	for done := int64(0); done < int64(len(p)); {
		s := (off + done) / sectorSize
		i := s / cowdTableEntries
		t := l.tables[i]
		if t == nil || t[s%cowdTableEntries] == 0 {
			return fmt.Errorf("sector %d of %s is not in the delta", s, l.ds)
		}
		at, n := t[s%cowdTableEntries], int64(1)
		for done+n*sectorSize < int64(len(p)) && (s+n)/cowdTableEntries == i && t[(s+n)%cowdTableEntries] == at+uint32(n) {
			n++
		}
		if _, err := l.f.ReadAt(p[done:done+n*sectorSize], int64(at)*sectorSize); err != nil {
			return err
		}
		done += n * sectorSize
	}
	return nil
}

func (l *cowdLayer) owned() *extentSet { return &l.held }
func (l *cowdLayer) close() error      { return l.f.Close() }

func (l *cowdLayer) remove() error {
	l.f.Close()
	if err := os.Remove(l.f.Name()); err != nil {
		return err
	}
	return os.Remove(l.descriptor)
}
