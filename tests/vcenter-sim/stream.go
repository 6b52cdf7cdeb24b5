// SPDX-License-Identifier: LGPL-2.1-or-later

// A reader for stream-optimised VMDK files, the format in which disks travel
// to an import lease: a header, a descriptor, then compressed grains behind
// markers. The end is the end-of-stream marker, or, in files that have their
// grain directory in front (qemu-img's), the last grain that it names. It reads
// front to back and refuses what it does not understand. lease.go feeds it.

package main

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"io"
)

const (
	vmdkMagic      = 0x564d444b // "KDMV"
	vmdkCompressed = 1 << 16
	vmdkMarkers    = 1 << 17
	maxGrain       = 1 << 20
	directoryAtEnd = ^uint64(0)
)

type sparseHeader struct {
	Magic, Version, Flags                         uint32
	Capacity, GrainSize, DescOffset, DescSize     uint64
	EntriesPerTable                               uint32
	RedundantOffset, DirectoryOffset, OverheadLen uint64
	Unclean                                       uint8
	Newlines                                      [4]byte
	Compression                                   uint16
}

// readStream decodes the stream and hands every grain to put. It returns the
// capacity that the header names, in bytes.
func readStream(in io.Reader, put func(p []byte, off int64) error) (int64, error) {
	r := bufio.NewReaderSize(in, 1<<20)
	sector := make([]byte, sectorSize)
	if _, err := io.ReadFull(r, sector); err != nil {
		return 0, fmt.Errorf("no header: %v", err)
	}
	var h sparseHeader
	if err := binary.Read(bytes.NewReader(sector), binary.LittleEndian, &h); err != nil {
		return 0, err
	}
	switch {
	case h.Magic != vmdkMagic:
		return 0, fmt.Errorf("this is no sparse VMDK: magic %#x", h.Magic)
	case h.Flags&(vmdkCompressed|vmdkMarkers) != vmdkCompressed|vmdkMarkers || h.Compression != 1:
		return 0, fmt.Errorf("this VMDK is not stream-optimised: flags %#x, compression %d", h.Flags, h.Compression)
	case h.GrainSize == 0 || h.GrainSize*sectorSize > maxGrain:
		return 0, fmt.Errorf("grains of %d sectors", h.GrainSize)
	case h.OverheadLen == 0 || h.OverheadLen > 1<<17:
		return 0, fmt.Errorf("data begins at sector %d", h.OverheadLen)
	case h.Capacity > 1<<42/sectorSize:
		return 0, fmt.Errorf("a capacity of %d sectors", h.Capacity)
	}
	front := make([]byte, h.OverheadLen*sectorSize)
	if _, err := io.ReadFull(r, front[sectorSize:]); err != nil {
		return 0, fmt.Errorf("cut off before the data: %v", err)
	}
	expected := -1 // grains; unknown
	if h.DirectoryOffset != directoryAtEnd {
		var err error
		if expected, err = countGrains(front, &h); err != nil {
			return 0, err
		}
	}
	capacity := int64(h.Capacity) * sectorSize
	return capacity, readMarkers(r, &h, capacity, expected, put)
}

// countGrains counts what the tables in front of the data name.
func countGrains(front []byte, h *sparseHeader) (int, error) {
	at := func(off uint64) (uint32, error) {
		if off+4 > uint64(len(front)) {
			return 0, fmt.Errorf("a grain table lies behind the data")
		}
		return binary.LittleEndian.Uint32(front[off:]), nil
	}
	if h.EntriesPerTable == 0 || h.EntriesPerTable > 4096 || h.DirectoryOffset > h.OverheadLen {
		return 0, fmt.Errorf("tables of %d entries, the directory at sector %d", h.EntriesPerTable, h.DirectoryOffset)
	}
	grains := (h.Capacity + h.GrainSize - 1) / h.GrainSize
	per, n := uint64(h.EntriesPerTable), 0
	for i := uint64(0); i < grains; i++ {
		table, err := at(h.DirectoryOffset*sectorSize + i/per*4)
		if err != nil {
			return 0, err
		}
		if table == 0 {
			continue
		}
		entry, err := at(uint64(table)*sectorSize + i%per*4)
		if err != nil {
			return 0, err
		}
		if entry > 1 { // 1 stands for a grain of zeroes
			n++
		}
	}
	return n, nil
}

// readMarkers walks to the end; a stream that ends anywhere else is cut off.
func readMarkers(r *bufio.Reader, h *sparseHeader, capacity int64, expected int, put func([]byte, int64) error) error {
	head := make([]byte, 16)
	for seen := 0; ; {
		if seen == expected {
			_, err := io.Copy(io.Discard, r)
			return err
		}
		if _, err := io.ReadFull(r, head[:12]); err != nil {
			return fmt.Errorf("cut off before the end of the stream: %v", err)
		}
		val := binary.LittleEndian.Uint64(head)
		size := binary.LittleEndian.Uint32(head[8:])
		if size != 0 {
			if err := readGrain(r, h, capacity, val, size, put); err != nil {
				return err
			}
			seen++
			continue
		}
		if _, err := io.ReadFull(r, head[12:16]); err != nil {
			return fmt.Errorf("cut off in a marker: %v", err)
		}
		kind := binary.LittleEndian.Uint32(head[12:])
		if _, err := io.CopyN(io.Discard, r, sectorSize-16); err != nil {
			return fmt.Errorf("cut off in a marker: %v", err)
		}
		if kind == 0 && expected < 0 {
			return nil
		}
		if kind > 3 || val > 1<<22 {
			return fmt.Errorf("a marker of kind %d with %d sectors", kind, val)
		}
		if _, err := io.CopyN(io.Discard, r, int64(val)*sectorSize); err != nil {
			return fmt.Errorf("cut off in metadata: %v", err)
		}
	}
}

func readGrain(r *bufio.Reader, h *sparseHeader, capacity int64, lba uint64, size uint32, put func([]byte, int64) error) error {
	if size > 2*maxGrain || lba%h.GrainSize != 0 || lba >= h.Capacity {
		return fmt.Errorf("a grain of %d bytes for sector %d", size, lba)
	}
	packed := make([]byte, size)
	if _, err := io.ReadFull(r, packed); err != nil {
		return fmt.Errorf("cut off in a grain: %v", err)
	}
	if pad := (sectorSize - (12+int64(size))%sectorSize) % sectorSize; pad > 0 {
		// qemu-img does not fill up the sector of the very last grain.
		if _, err := io.CopyN(io.Discard, r, pad); err != nil && err != io.EOF {
			return fmt.Errorf("cut off behind a grain: %v", err)
		}
	}
	z, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return fmt.Errorf("the grain of sector %d: %v", lba, err)
	}
	grain, err := io.ReadAll(io.LimitReader(z, int64(h.GrainSize)*sectorSize+1))
	if err != nil {
		return fmt.Errorf("the grain of sector %d: %v", lba, err)
	}
	off := int64(lba) * sectorSize
	if int64(len(grain)) > int64(h.GrainSize)*sectorSize || len(grain)%sectorSize != 0 {
		return fmt.Errorf("the grain of sector %d has %d bytes", lba, len(grain))
	}
	if off+int64(len(grain)) > capacity {
		grain = grain[:capacity-off] // the last grain may reach over the end
	}
	return put(grain, off)
}
