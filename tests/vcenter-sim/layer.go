// SPDX-License-Identifier: LGPL-2.1-or-later

// One file of a disk's chain: the flat base, which is raw and sparse on the
// host's file system. The other kind, the sparse delta, is in cowd.go.
// disk.go stacks them; nothing else opens the files for writing.

package main

import (
	"fmt"
	"os"
	"path"
	"strings"
)

const sectorSize = 512

// layer is one link of a chain. Offsets and lengths are whole sectors.
type layer interface {
	writeAt(p []byte, off int64) error
	readAt(p []byte, off int64) error // only ranges that owned() names
	owned() *extentSet
	dsPath() string // "[datastore1] dir/name.vmdk"
	cid() uint32
	remove() error
	close() error
}

// layerFiles names a layer: its datastore path and its descriptor on the host.
type layerFiles struct {
	ds         string // datastore path of the descriptor
	descriptor string // the descriptor's file on the host
	id         uint32
}

func (l *layerFiles) dsPath() string { return l.ds }
func (l *layerFiles) cid() uint32    { return l.id }

// extentFile is the host's file that holds the data of a descriptor.
func extentFile(descriptor, suffix string) string {
	return strings.TrimSuffix(descriptor, ".vmdk") + suffix + ".vmdk"
}

type flatLayer struct {
	layerFiles
	f        *os.File
	held     extentSet
	capacity int64
}

// newFlatLayer opens (or makes) the flat file and writes its descriptor.
func newFlatLayer(ds, descriptor string, id uint32, capacity int64, diskUUID string) (*flatLayer, error) {
	f, err := os.OpenFile(extentFile(descriptor, "-flat"), os.O_RDWR|os.O_CREATE, 0600)
	if err != nil {
		return nil, err
	}
	l := &flatLayer{layerFiles: layerFiles{ds, descriptor, id}, f: f}
	if err := l.resize(capacity, diskUUID); err != nil {
		f.Close()
		return nil, err
	}
	return l, nil
}

// resize sets the capacity; what was beyond it is gone.
func (l *flatLayer) resize(capacity int64, diskUUID string) error {
	if err := l.f.Truncate(capacity); err != nil {
		return err
	}
	l.held.cut(capacity)
	l.capacity = capacity
	return l.describe("vmfs", fmt.Sprintf("RW %d VMFS \"%s\"", capacity/sectorSize, path.Base(l.f.Name())), diskUUID)
}

func (l *flatLayer) describe(createType, extentLine, diskUUID string) error {
	text := fmt.Sprintf(`# Disk DescriptorFile
version=1
encoding="UTF-8"
CID=%08x
parentCID=ffffffff
createType="%s"

# Extent description
%s

# The Disk Data Base
#DDB

ddb.adapterType = "lsilogic"
ddb.thinProvisioned = "1"
ddb.uuid = "%s"
ddb.virtualHWVersion = "13"
`, l.id, createType, extentLine, diskUUID)
	return os.WriteFile(l.descriptor, []byte(text), 0600)
}

func (l *flatLayer) writeAt(p []byte, off int64) error {
	if off+int64(len(p)) > l.capacity {
		return fmt.Errorf("write of %d bytes at %d is beyond the end (%d) of %s", len(p), off, l.capacity, l.ds)
	}
	if _, err := l.f.WriteAt(p, off); err != nil {
		return err
	}
	l.held.add(off, off+int64(len(p)))
	return nil
}

func (l *flatLayer) readAt(p []byte, off int64) error {
	_, err := l.f.ReadAt(p, off)
	return err
}

func (l *flatLayer) owned() *extentSet { return &l.held }
func (l *flatLayer) close() error      { return l.f.Close() }

func (l *flatLayer) remove() error {
	l.f.Close()
	if err := os.Remove(l.f.Name()); err != nil {
		return err
	}
	return os.Remove(l.descriptor)
}

// rename moves both files; the descriptor names the other one anew.
func (l *flatLayer) rename(ds, descriptor, diskUUID string) error {
	flat := extentFile(descriptor, "-flat")
	if err := os.Rename(l.f.Name(), flat); err != nil {
		return err
	}
	f, err := os.OpenFile(flat, os.O_RDWR, 0600)
	if err != nil {
		return err
	}
	if err := l.f.Close(); err != nil {
		return err
	}
	old := l.descriptor
	l.f, l.ds, l.descriptor = f, ds, descriptor
	if err := l.resize(l.capacity, diskUUID); err != nil {
		return err
	}
	return os.Remove(old)
}

// pretend rewrites the descriptor as that of a disk whose data is not a plain
// flat file; a client must see it before it reads a byte.
func (l *flatLayer) pretend(kind, diskUUID string) error {
	sectors, name := l.capacity/sectorSize, path.Base(l.descriptor)
	switch kind {
	case "vmfs":
		return l.resize(l.capacity, diskUUID)
	case "sesparse":
		return l.describe("seSparse", fmt.Sprintf("RW %d SESPARSE \"%s\"", sectors, path.Base(extentFile(name, "-sesparse"))), diskUUID)
	case "vsan":
		return l.describe("vmfs", fmt.Sprintf("RW %d VMFS \"vsan://%s\"", sectors, diskUUID), diskUUID)
	case "vvol":
		return l.describe("vmfs", fmt.Sprintf("RW %d VMFS \"vvol://%s/\"", sectors, diskUUID), diskUUID)
	case "encrypted":
		line := fmt.Sprintf("RW %d VMFS \"%s\"\nddb.iofilters = \"vmwarevmcrypt\"", sectors, path.Base(l.f.Name()))
		return l.describe("vmfs", line, diskUUID)
	}
	return fmt.Errorf("type=%s: it is one of vmfs, sesparse, vsan, vvol, encrypted", kind)
}
