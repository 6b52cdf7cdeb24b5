/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What hub and node have on the bus (see bus-target.h). tests/bus/fuzz-node.sh compares the node's list with what it says
 * of itself.
 */
#include "bus-target.h"

#include "cleanup.h"
#include "names.h"

#include <string.h>

static const BusTargetMethod hub_methods[] = {
        { "SetLogLevel", "s" },     { "GetStatus", "" },
        { "ProbeDatabase", "" },    { "AddRepository", "ss" },
        { "ListRepositories", "" }, { "RemoveRepository", "s" },
        { "CheckRepository", "s" }, { "ScanRepository", "s" },
        { "SetVm", "sssaa{sv}" },   { "ListVms", "" },
        { "GetVm", "s" },           { "StartBackup", "s" },
        { "ListBackups", "" },      { "ListJobs", "" },
        { "GetJob", "t" },          { "CancelJob", "t" },
        { "ListPorts", "" },        { "ListObligations", "" },
        { "Cleanup", "" },          { "Diagnose", "" },
        { "AddNode", "ss" },        { "RotateNode", "ss" },
        { "RemoveNode", "s" },      { "ListNodes", "" },
        { "GetNode", "s" },         { "EnrolNode", "ss" },
        { "AddVcenter", "ssh" },    { "ListVcenters", "" },
        { "GetVcenter", "s" },      { "RotateVcenter", "sh" },
        { "RemoveVcenter", "s" },   { "TestVcenter", "s" },
        { "ShowCertificate", "s" }, { "DiscoverVms", "s" },
        { "VerifyBackup", "s" },    { "VerifyAll", "" },
        { "GetFigures", "" },       { "CreateToken", "ssas" },
        { "ListTokens", "" },       { "RevokeToken", "s" },
        { "Authenticate", "h" },    { "GetBackup", "s" },
        { "MountBackup", "s" },     { "UnmountBackup", "t" },
        { "ListMounts", "" },       { "RestoreDisk", "sua{sv}" },
        { "ListFiles", "sash" },    { "GetFiles", "sash" },
        { "RestoreVm", "sa{sv}" },  { "DeleteBackup", "s" },
        { "GetChain", "s" },        { "SetPolicy", "s" },
        { "ListPolicies", "" },     { "GetPolicy", "s" },
        { "RemovePolicy", "s" },    { "RunPolicy", "s" },
        { "Prune", "s" },           { "ForgiveObligation", "t" },
};

static const BusTargetMethod node_methods[] = {
        { "StartBackup", "h" },  { "ListTasks", "" },         { "ListObligations", "" },
        { "GetTask", "t" },      { "GetResult", "t" },        { "Cancel", "t" },
        { "Release", "ts" },     { "CleanupSnapshots", "h" }, { "AskVcenter", "sh" },
        { "StartRestore", "h" },
};

static const BusTarget targets[] = {
        { "hub", HUB_BUS_NAME, HUB_BUS_PATH, HUB_MANAGER_INTERFACE, "GetStatus", hub_methods,
          ELEMENTSOF(hub_methods) },
        { "node", NODE_BUS_NAME, NODE_BUS_PATH, NODE_MANAGER_INTERFACE, "ListTasks", node_methods,
          ELEMENTSOF(node_methods) },
};

const BusTarget *bus_target_find(const char *word)
{
        for (size_t i = 0; i < ELEMENTSOF(targets); i++)
                if (strcmp(targets[i].word, word) == 0)
                        return targets + i;
        return NULL;
}
