// SPDX-License-Identifier: LGPL-2.1-or-later

// The machines that are there from the start: pgtest1, and with -zoo one of
// every odd kind. Everything here can also be had with `simctl vm add`.

package main

var pgtest1 = vmSpec{name: "pgtest1", dc: "DC0", folder: "Prod", ds: "datastore1", on: true, disks: []diskSpec{
	{size: 102 << 30, controller: "pvscsi", mode: "persistent", fill: 24 << 20},
	{size: 5 << 30, controller: "pvscsi", mode: "persistent", fill: 8 << 20},
}}

func small(controller, mode string, rdm bool) diskSpec {
	return diskSpec{size: 16 << 20, controller: controller, mode: mode, rdm: rdm, fill: 2 << 20}
}

var plain = []diskSpec{small("pvscsi", "persistent", false)}

var zoo = []vmSpec{
	{name: `odd & ü [x] a%2fb`, dc: "DC0", folder: "Pröd & Test", ds: "fast disks", on: true, disks: plain},
	{name: "twin", dc: "DC0", ds: "datastore1", on: true, disks: plain},
	{name: "twin", dc: "Sites/DC1", ds: "datastore1", on: true, disks: plain},
	{name: "mixed", dc: "DC0", ds: "datastore1", on: true, disks: []diskSpec{small("pvscsi", "persistent", false),
		small("sata", "persistent", false), small("nvme", "persistent", false)}},
	{name: "loner", dc: "DC0", ds: "datastore1", on: true, disks: []diskSpec{small("pvscsi", "persistent", false),
		small("pvscsi", "independent_persistent", false)}},
	{name: "mapped", dc: "DC0", ds: "datastore1", on: true, disks: []diskSpec{small("pvscsi", "persistent", false),
		small("pvscsi", "persistent", true)}},
	{name: "golden", dc: "DC0", ds: "datastore1", template: true, disks: plain},
	{name: "kept", dc: "DC0", ds: "datastore1", on: true, userSnapshot: true, disks: plain},
}

func (s *sim) populate() error {
	var list []vmSpec
	if !s.opt.empty {
		list = append(list, pgtest1)
	}
	if s.opt.zoo {
		list = append(list, zoo...)
	}
	for _, spec := range list {
		if _, err := s.addVM(spec); err != nil {
			return err
		}
	}
	return nil
}
