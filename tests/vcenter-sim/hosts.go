// SPDX-License-Identifier: LGPL-2.1-or-later

// Further hosts of a cluster, and hosts on which nothing new is made: in
// maintenance mode or not connected. Called under the world lock.

package main

import (
	"context"
	"fmt"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

func (s *sim) hostVerbs() map[string]verb {
	return map[string]verb{
		"/host/add":   s.ctlHostAdd,
		"/host/state": s.ctlHostState,
	}
}

// ctlHostAdd puts a host behind those that a cluster has; it mounts all their datastores.
func (s *sim) ctlHostAdd(a args) (interface{}, error) {
	dc, name := a.text("dc", "DC0"), a.need("name")
	if err := a.done(); err != nil {
		return nil, err
	}
	f := s.files[dc]
	if f == nil {
		return nil, fmt.Errorf("no datacenter %q", dc)
	}
	ctx := context.Background()
	pool := simulator.Map.Get(f.pool.Reference()).(*simulator.ResourcePool)
	cluster := object.NewClusterComputeResource(s.client, pool.Owner)
	made, err := s.finishInner(cluster.AddHost(ctx, types.HostConnectSpec{HostName: name}, true, nil, nil))
	if err != nil {
		return nil, err
	}
	host := simulator.Map.Get(made.(moref)).(*simulator.HostSystem)
	for _, dsName := range datastoreNames {
		ref := f.ds[dsName]
		ds := simulator.Map.Get(ref).(*simulator.Datastore)
		mounts := append([]types.DatastoreHostMount(nil), ds.Host...)
		mount := types.DatastoreHostMount{Key: host.Self, MountInfo: types.HostMountInfo{
			AccessMode: string(types.HostMountModeReadWrite), Mounted: types.NewBool(true), Accessible: types.NewBool(true)}}
		simulator.Map.WithLock(ds, func() { ds.Host = append(mounts, mount) })
		simulator.Map.WithLock(host, func() { host.Datastore = append(host.Datastore, ref) })
	}
	return nil, nil
}

func (s *sim) ctlHostState(a args) (interface{}, error) {
	name, maintenance := a.need("host"), a.flag("maintenance", false)
	connection := types.HostSystemConnectionState(a.text("connection", string(types.HostSystemConnectionStateConnected)))
	if err := a.done(); err != nil {
		return nil, err
	}
	switch connection {
	case types.HostSystemConnectionStateConnected, types.HostSystemConnectionStateDisconnected, types.HostSystemConnectionStateNotResponding:
	default:
		return nil, fmt.Errorf("connection=%s: connected, disconnected or notResponding", connection)
	}
	for _, e := range simulator.Map.All("HostSystem") {
		host := e.(*simulator.HostSystem)
		if host.Name == name {
			simulator.Map.WithLock(host, func() { host.Runtime.InMaintenanceMode, host.Runtime.ConnectionState = maintenance, connection })
			return nil, nil
		}
	}
	return nil, fmt.Errorf("no host is called %q", name)
}

func takesMachines(ref moref) bool {
	host, ok := simulator.Map.Get(ref).(*simulator.HostSystem)
	return ok && !host.Runtime.InMaintenanceMode && host.Runtime.ConnectionState == types.HostSystemConnectionStateConnected
}

// importVApp refuses a host that takes nothing new, and a pool of which no host does; the rest is the simulator's.
func (s *sim) importVApp(c *call) soap.HasFault {
	req := c.body.(*types.ImportVApp)
	able := req.Host != nil && takesMachines(*req.Host)
	if pool, ok := simulator.Map.Get(req.This).(*simulator.ResourcePool); ok && req.Host == nil {
		cluster, ok := simulator.Map.Get(pool.Owner).(*simulator.ClusterComputeResource)
		able = !ok
		for i := 0; ok && i < len(cluster.Host); i++ {
			able = able || takesMachines(cluster.Host[i])
		}
	}
	if !able {
		return refuse("The operation is not allowed in the current state of the host.", new(types.InvalidState))
	}
	return nil
}
