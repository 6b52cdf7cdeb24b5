// SPDX-License-Identifier: LGPL-2.1-or-later

// The variables of a machine's EFI: a file beside its disks. ESXi makes it when
// the machine is switched on for the first time and finds none, and goes on
// with one that is there. VMware's simulator makes an empty one with the
// machine, which is taken away again. Called under the world lock.

package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash/fnv"
	"math/rand"
	"os"
	"strings"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// As large as VMware's, of which the most is one byte over and over.
const (
	nvramSize    = 270840
	nvramContent = 12 << 10
)

// nvramFile is where it lies, for vCenter and for us.
func (s *sim) nvramFile(vm *vmState) (string, string, error) {
	v := vm.simVM()
	var p object.DatastorePath
	if !p.FromString(v.Config.Files.VmPathName) || v.Runtime.Host == nil {
		return "", "", fmt.Errorf("%s has no folder", v.Name)
	}
	p.Path = strings.TrimSuffix(p.Path, ".vmx") + ".nvram"
	for _, f := range s.files {
		if ds, ok := f.ds[p.Datastore]; ok && s.sameCluster(f, *v.Runtime.Host) {
			host, err := hostPath(p.String(), &ds)
			return p.String(), host, err
		}
	}
	return "", "", fmt.Errorf("%s lies on no datastore of its host", v.Name)
}

func newNvram(seed int64, content, size int64, plain bool) []byte {
	data := bytes.Repeat([]byte{0xff}, int(size))
	if content > size-4 {
		content = size - 4
	}
	rand.New(rand.NewSource(seed)).Read(data[:4+content])
	if plain {
		copy(data, "MRVN")
	}
	return data
}

// forgetNvram takes the empty file of a new machine away.
func (s *sim) forgetNvram(vm *vmState) error {
	_, host, err := s.nvramFile(vm)
	if err != nil {
		return err
	}
	if info, err := os.Stat(host); err != nil || info.Size() > 0 {
		return nil
	}
	return os.Remove(host)
}

// switchedOn gives the machine its variables, and has vCenter list the file.
func (s *sim) switchedOn(vm *vmState) error {
	v := vm.simVM()
	if v.Config.Firmware != string(types.GuestOsDescriptorFirmwareTypeEfi) {
		return nil
	}
	file, host, err := s.nvramFile(vm)
	if err != nil {
		return err
	}
	if _, err := os.Stat(host); os.IsNotExist(err) {
		h := fnv.New64()
		_, _ = h.Write([]byte(v.Config.InstanceUuid))
		if err := os.WriteFile(host, newNvram(int64(h.Sum64()), nvramContent, nvramSize, v.Config.KeyId == nil), 0600); err != nil {
			return err
		}
	}
	vm.nvram = file
	return nil
}

// showNvrams is called before anybody is shown files of machines: the simulator lists such a file anew each time that it looks at a
// machine's folder, and as if it lay at the root of its datastore.
func (s *sim) showNvrams() {
	for _, vm := range s.vms {
		listNvram(vm.simVM(), vm.nvram)
	}
}

func listNvram(v *simulator.VirtualMachine, file string) {
	layout := *v.LayoutEx
	layout.File = nil
	next := int32(0)
	for _, f := range v.LayoutEx.File {
		if f.Type != string(types.VirtualMachineFileLayoutExFileTypeNvram) {
			layout.File = append(layout.File, f)
		}
		if f.Key >= next {
			next = f.Key + 1
		}
	}
	if file != "" {
		layout.File = append(layout.File, types.VirtualMachineFileLayoutExFileInfo{Key: next, Name: file,
			Type: string(types.VirtualMachineFileLayoutExFileTypeNvram), Size: nvramSize, UniqueSize: nvramSize,
			Accessible: types.NewBool(true)})
	}
	v.LayoutEx = &layout
}

type nvramInfo struct {
	File   string `json:"file"`
	Size   int    `json:"size"`   // 0: it is not there
	SHA256 string `json:"sha256"` // of what is there
}

// ctlVMNvram shows it; with seed=, the guest writes others, of which content= bytes are random; plain=0: as of an encrypted machine; gone=1 removes the file.
func (s *sim) ctlVMNvram(a args) (interface{}, error) {
	seed, content, size := a.number("seed", -1), a.number("content", nvramContent), a.number("size", nvramSize)
	gone, plain := a.flag("gone", false), a.flag("plain", true)
	vm, err := s.vmOf(a)
	if err == nil {
		err = a.done()
	}
	if err != nil {
		return nil, err
	}
	file, host, err := s.nvramFile(vm)
	switch {
	case err != nil:
	case size < 4:
		err = fmt.Errorf("size=%d: four bytes tell what it is", size)
	case gone:
		err = os.Remove(host)
	case seed >= 0:
		err = os.WriteFile(host, newNvram(seed, content, size, plain), 0600)
	}
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(host)
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	return nvramInfo{file, len(data), fmt.Sprintf("%x", sha256.Sum256(data))}, nil
}
