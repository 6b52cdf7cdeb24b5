// SPDX-License-Identifier: LGPL-2.1-or-later

// What is changed in the property collector's answers: what is hidden (hidden.go)
// is taken out, they are cut into pages with a token, physical mappings get their own backing type (VMware's
// simulator would panic on it inside), and a lease is initializing for its
// first reads. An answer that needs none of it passes untouched.

package main

import (
	"fmt"
	"log"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// page is what is left of an answer; only its own session may go on with it.
type page struct {
	session string
	rest    []types.ObjectContent
}

func (s *sim) shapeProperties(c *call) {
	if c.status != 200 {
		return
	}
	_, ex := c.body.(*types.RetrievePropertiesEx)
	paged := ex && s.pageLimit(c) > 0
	if !paged && !s.hasRDM() && !s.hasHidden() && len(s.leases) == 0 {
		return
	}
	if !ex {
		body := new(methods.RetrievePropertiesBody)
		if s.decode(c, body) && body.Res != nil {
			s.rewrite(body.Res.Returnval, askedOf(c.body.(*types.RetrieveProperties).SpecSet))
			s.encode(c, body)
		}
		return
	}
	body := new(methods.RetrievePropertiesExBody)
	if !s.decode(c, body) || body.Res == nil || body.Res.Returnval == nil {
		return
	}
	r := body.Res.Returnval
	s.rewrite(r.Objects, askedOf(c.body.(*types.RetrievePropertiesEx).SpecSet))
	if paged {
		r.Objects, r.Token = s.cutPage(c.session, r.Objects, s.pageLimit(c))
	}
	s.encode(c, body)
}

func (s *sim) decode(c *call, body soap.HasFault) bool {
	if err := decodeAnswer(c.answer, body); err != nil {
		log.Printf("%s: cannot read the simulator's answer: %v", c.method, err)
		return false
	}
	return true
}

// pageLimit is the smaller one of what the client asks for and what we allow.
func (s *sim) pageLimit(c *call) int {
	limit := int(s.setting("property-page"))
	if req, ok := c.body.(*types.RetrievePropertiesEx); ok && req.Options.MaxObjects > 0 {
		if n := int(req.Options.MaxObjects); limit == 0 || n < limit {
			limit = n
		}
	}
	return limit
}

func (s *sim) cutPage(session string, list []types.ObjectContent, limit int) ([]types.ObjectContent, string) {
	if limit == 0 || len(list) <= limit {
		return list, ""
	}
	s.ruleCount++
	token := fmt.Sprintf("token-%d", s.ruleCount)
	s.pages[token] = &page{session, list[limit:]}
	return list[:limit], token
}

func (s *sim) takePage(c *call, token string) *page {
	p := s.pages[token]
	if p == nil || p.session != c.session {
		return nil
	}
	delete(s.pages, token)
	return p
}

func (s *sim) continueProperties(c *call) soap.HasFault {
	req := c.body.(*types.ContinueRetrievePropertiesEx)
	p := s.takePage(c, req.Token)
	if p == nil {
		return &faultAnswer{invalidArgument("token")}
	}
	limit := int(s.setting("property-page"))
	if limit == 0 {
		limit = len(p.rest)
	}
	body := &methods.ContinueRetrievePropertiesExBody{Res: new(types.ContinueRetrievePropertiesExResponse)}
	body.Res.Returnval.Objects, body.Res.Returnval.Token = s.cutPage(c.session, p.rest, limit)
	return body
}

func (s *sim) cancelProperties(c *call) soap.HasFault {
	req := c.body.(*types.CancelRetrievePropertiesEx)
	if s.takePage(c, req.Token) == nil {
		return &faultAnswer{invalidArgument("token")}
	}
	return &methods.CancelRetrievePropertiesExBody{Res: new(types.CancelRetrievePropertiesExResponse)}
}

func (s *sim) forgetPages(session string) {
	for token, p := range s.pages {
		if p.session == session {
			delete(s.pages, token)
		}
	}
}

func (s *sim) hasRDM() bool {
	for _, vm := range s.vms {
		for _, d := range vm.disks {
			if d.rdm {
				return true
			}
		}
	}
	return false
}

func (s *sim) rewrite(list []types.ObjectContent, asked map[string]bool) {
	mapped := make(map[string]bool)
	for _, vm := range s.vms {
		for _, d := range vm.disks {
			if d.rdm {
				mapped[d.uuid] = true
			}
		}
	}
	for i := range list {
		s.hide(&list[i], asked)
		for j := range list[i].PropSet {
			p := &list[i].PropSet[j]
			switch v := p.Val.(type) {
			case types.ArrayOfVirtualDevice:
				showMappings(v.VirtualDevice, mapped)
			case types.VirtualHardware:
				showMappings(v.Device, mapped)
			case types.VirtualMachineConfigInfo:
				showMappings(v.Hardware.Device, mapped)
			case types.HttpNfcLeaseInfo:
				s.showLease(&v)
				p.Val = v
			case types.HttpNfcLeaseState:
				if s.leaseStarting(list[i].Obj) {
					p.Val = types.HttpNfcLeaseStateInitializing
				}
			}
		}
	}
}

func showMappings(devices []types.BaseVirtualDevice, mapped map[string]bool) {
	for _, dev := range devices {
		vd, ok := dev.(*types.VirtualDisk)
		if !ok {
			continue
		}
		b, ok := vd.Backing.(*types.VirtualDiskFlatVer2BackingInfo)
		if !ok || !mapped[b.Uuid] {
			continue
		}
		vd.Backing = &types.VirtualDiskRawDiskMappingVer1BackingInfo{
			VirtualDeviceFileBackingInfo: b.VirtualDeviceFileBackingInfo,
			LunUuid:                      "02000000006001405" + b.Uuid,
			DeviceName:                   "vml.02000000006001405" + b.Uuid,
			CompatibilityMode:            string(types.VirtualDiskCompatibilityModePhysicalMode),
			DiskMode:                     string(types.VirtualDiskModeIndependent_persistent),
			Uuid:                         b.Uuid,
		}
	}
}
