package interfaces

import "fmt"

// The interfaces of Ceph's monitors: to what stores, and to who uses it.
const (
	CephOSD     = "ceph-osd"
	CephClient  = "ceph-client"
	CephMDS     = "ceph-mds"
	CephRadosGW = "ceph-radosgw"
)

var (
	cephAuth    = Key{Name: "auth", Required: true, Doc: "cephx"}
	cephAddress = Key{Name: "ceph-public-address", Required: true, Doc: "the monitor's address"}
	cephFSID    = Key{Name: "fsid", Required: true, Doc: "the cluster's identity"}
	cephAnswer  = Key{Name: "broker-rsp-*", Doc: "the answer to a unit's broker_req, in JSON", Check: isJSON}
	cephRequest = Key{Name: "broker_req", Doc: "what is to be made, in JSON: api-version, request-id and ops", Check: isBrokerRequest}
)

var cephOSD = Schema{
	Interface: CephOSD, Version: 1,
	Provider: Side{Unit: []Key{
		cephFSID, cephAuth, cephAddress,
		{Name: "osd_bootstrap_key", Required: true, Doc: "what an OSD joins with"},
	}},
	Requirer: Side{Unit: []Key{
		{Name: "bootstrapped-osds", Doc: "how many OSDs the unit runs", Check: isCount},
		{Name: "osd-host", Doc: "the unit's host"},
	}},
}

var cephClient = Schema{
	Interface: CephClient, Version: 1,
	Provider: Side{Unit: []Key{{Name: "key", Required: true, Doc: "the client's key"}, cephAuth, cephAddress, cephAnswer}},
	Requirer: Side{Unit: []Key{{Name: "application-name", Doc: "whose the pools are"}, cephRequest}},
}

var cephMDS = Schema{
	Interface: CephMDS, Version: 1,
	Provider: Side{Unit: []Key{cephFSID, {Name: "*_mds_key", Doc: "the key of a metadata server"}, cephAuth, cephAddress, cephAnswer}},
	Requirer: Side{Unit: []Key{{Name: "mds-name", Required: true, Doc: "the metadata server's name"}, cephRequest}},
}

var cephRadosGW = Schema{
	Interface: CephRadosGW, Version: 1,
	Provider: Side{Unit: []Key{cephFSID, {Name: "*_key", Doc: "the key of a gateway"}, cephAuth, cephAddress, cephAnswer}},
	Requirer: Side{Unit: []Key{{Name: "key_name", Required: true, Doc: "the gateway's name"}, cephRequest}},
}

// isBrokerRequest checks the frame of a request to the broker; its ops are the
// monitors' to judge.
func isBrokerRequest(value string) error {
	request, err := decode[struct {
		Version int              `json:"api-version"`
		ID      string           `json:"request-id"`
		Ops     []map[string]any `json:"ops"`
	}](value)
	if err != nil || request.Version != 1 || request.ID == "" {
		return fmt.Errorf("expected {\"api-version\": 1, \"request-id\": ID, \"ops\": [...]}")
	}
	for i, op := range request.Ops {
		if name, ok := op["op"].(string); !ok || name == "" {
			return fmt.Errorf("op %d: expected its name under \"op\"", i+1)
		}
	}
	return nil
}
