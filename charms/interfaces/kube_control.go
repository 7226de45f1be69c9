package interfaces

// KubeControl is the interface of a control plane of Kubernetes and its
// workers. Its values are JSON.
const KubeControl = "kube-control"

var kubeControl = Schema{
	Interface: KubeControl, Version: 1,
	Provider: Side{Unit: []Key{
		{Name: "api-endpoints", Required: true, Doc: "the API servers, as a JSON list of URLs", Check: isJSONList},
		{Name: "cluster-tag", Doc: "what marks the cluster's things"},
		{Name: "creds", Doc: "a worker's credentials by its user, in JSON", Check: isJSON},
		{Name: "default-cni", Doc: "the network's name, in JSON", Check: isJSON},
		{Name: "domain", Doc: "of the cluster's names"},
		{Name: "registry-location", Doc: "where images come from"},
		{Name: "taints", Doc: "of workers, as a JSON list", Check: isJSONList},
		{Name: "labels", Doc: "of workers, as a JSON list", Check: isJSONList},
	}},
	Requirer: Side{Unit: []Key{
		{Name: "kubelet_user", Required: true, Doc: "system:node:NAME"},
		{Name: "auth_group", Required: true, Doc: "system:nodes"},
		{Name: "schema_vers", Doc: "versions that it speaks, as a JSON list", Check: isJSON},
	}},
}
