// SPDX-License-Identifier: LGPL-2.1-or-later

// The extent-aware hash of a disk (hashOf), and the same for a raw image file,
// so that a test can compare what it wrote with what a snapshot held. Holes of
// a file are skipped, so that a sparse image of 102 GiB takes no longer than
// what is in it.

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"sort"
	"syscall"
)

// hashOf: SHA-256 over (offset, SHA-256 of the block) of every 64 KiB block
// that is not all zeroes, in order, and then the capacity. Numbers are 8 bytes,
// big-endian. Holes and written zeroes are the same to it.
func hashOf(blocks map[int64][sha256.Size]byte, capacity int64) string {
	offs := make([]int64, 0, len(blocks))
	for off := range blocks {
		offs = append(offs, off)
	}
	sort.Slice(offs, func(i, j int) bool { return offs[i] < offs[j] })
	h := sha256.New()
	var n [8]byte
	for _, off := range offs {
		binary.BigEndian.PutUint64(n[:], uint64(off))
		sum := blocks[off]
		h.Write(n[:])
		h.Write(sum[:])
	}
	binary.BigEndian.PutUint64(n[:], uint64(capacity))
	h.Write(n[:])
	return hex.EncodeToString(h.Sum(nil))
}

const (
	seekData = 3
	seekHole = 4
)

// hashRaw is hashOf for a raw image.
func hashRaw(f *os.File) (string, error) {
	capacity, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return "", err
	}
	blocks := make(map[int64][sha256.Size]byte)
	buf, zero := make([]byte, blockSize), make([]byte, blockSize)
	for off := int64(0); off < capacity; {
		data, err := f.Seek(off, seekData)
		if errors.Is(err, syscall.ENXIO) {
			break
		}
		if err != nil {
			return "", err
		}
		hole, err := f.Seek(data, seekHole)
		if err != nil {
			return "", err
		}
		for off = data / blockSize * blockSize; off < hole; off += blockSize {
			n, err := f.ReadAt(buf, off)
			if err != nil && err != io.EOF {
				return "", err
			}
			if !bytes.Equal(buf[:n], zero[:n]) {
				blocks[off] = sha256.Sum256(buf[:n])
			}
		}
	}
	return hashOf(blocks, capacity), nil
}
