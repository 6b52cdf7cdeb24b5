// SPDX-License-Identifier: LGPL-2.1-or-later

// What disks hold: reproducible noise, and the live writer, a guest that goes
// on writing until it is told to stop. Both write through disk.go only, so the
// change tracking and the hashes know of every byte.

package main

import (
	"encoding/binary"
	"fmt"
	"log"
	"math/rand"
	"time"
)

// fill writes pseudo-random runs of 64 KiB to 1 MiB over the whole disk, its
// first and last bytes included; the same seed gives the same content.
func fill(d *disk, total, seed int64) error {
	rng := rand.New(rand.NewSource(seed))
	for at, n := int64(0), 0; total > 0; n++ {
		size := (1 + rng.Int63n(16)) * blockSize
		if size > total {
			size = (total + sectorSize - 1) / sectorSize * sectorSize
		}
		switch {
		case size >= d.capacity:
			size, at = d.capacity, 0
		case n == 0:
			at = 0
		case n == 1:
			at = d.capacity - size
		default:
			at = rng.Int63n((d.capacity-size)/sectorSize) * sectorSize
		}
		if err := d.write(noise(rng, size), at); err != nil {
			return err
		}
		total -= size
	}
	return nil
}

func noise(rng *rand.Rand, size int64) []byte {
	p := make([]byte, size)
	for i := 0; i+8 <= len(p); i += 8 {
		binary.LittleEndian.PutUint64(p[i:], rng.Uint64())
	}
	return p
}

// writer is a guest program that writes at random places.
type writer struct {
	VM     string `json:"vm"`
	Key    int32  `json:"key"`
	Writes int64  `json:"writes"`
	Bytes  int64  `json:"bytes"`
	Error  string `json:"error,omitempty"`
	stop   chan struct{}
	ended  chan struct{}
}

func writerName(vm *vmState, key int32) string {
	return fmt.Sprintf("%s/%d", vm.ref.Value, key)
}

// startWriter begins to write size bytes every interval, all over the disk.
func (s *sim) startWriter(vm *vmState, key int32, size int64, every time.Duration, seed int64) (*writer, error) {
	name := writerName(vm, key)
	if vm.disks[key] == nil {
		return nil, fmt.Errorf("%s has no disk %d", vm.name(), key)
	}
	if s.writers[name] != nil {
		return nil, fmt.Errorf("a writer on %s is running already", name)
	}
	if size < sectorSize || size%sectorSize != 0 || size > vm.disks[key].capacity || every <= 0 {
		return nil, fmt.Errorf("a writer needs whole sectors that fit the disk, and a time between them")
	}
	w := &writer{VM: vm.name(), Key: key, stop: make(chan struct{}), ended: make(chan struct{})}
	s.writers[name] = w
	go s.runWriter(w, vm, size, every, rand.New(rand.NewSource(seed)))
	return w, nil
}

func (s *sim) runWriter(w *writer, vm *vmState, size int64, every time.Duration, rng *rand.Rand) {
	defer close(w.ended)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-w.stop:
			return
		case <-s.quit:
			return
		case <-tick.C:
		}
		s.locked(func() {
			d := vm.disks[w.Key]
			if d == nil || w.Error != "" {
				return
			}
			at := rng.Int63n((d.capacity-size)/sectorSize+1) * sectorSize
			if err := d.write(noise(rng, size), at); err != nil {
				w.Error = err.Error()
				log.Printf("writer on %s: %v", w.VM, err)
				return
			}
			w.Writes++
			w.Bytes += size
		})
	}
}
