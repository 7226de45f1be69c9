package charm

import (
	"cmp"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gantry-orchestrator/gantry/model/charm/document"
)

func (r *reader) storage(n *document.Node) []Storage {
	var all []Storage
	r.Each(n, "storage", func(key, value *document.Node) {
		s := Storage{Name: key.Value, CountMin: 1, CountMax: 1}
		var location *document.Node
		r.object(value, "a storage", document.Fields{
			"type":         func(n *document.Node) { s.Type = r.Word(n, "type", "filesystem", "block") },
			"description":  func(n *document.Node) { s.Description = r.String(n, "a description") },
			"shared":       func(n *document.Node) { s.Shared = r.Bool(n, "shared") },
			"read-only":    func(n *document.Node) { s.ReadOnly = r.Bool(n, "read-only") },
			"minimum-size": func(n *document.Node) { s.MinimumMiB = r.size(n) },
			"location":     func(n *document.Node) { location, s.Location = n, r.String(n, "a path") },
			"multiple": func(n *document.Node) {
				r.object(n, "multiple", document.Fields{"range": func(n *document.Node) { s.CountMin, s.CountMax = r.countRange(n) }})
			},
			"properties": func(n *document.Node) {
				for _, item := range r.Items(n, "properties") {
					s.Properties = append(s.Properties, r.Word(item, "a property", "transient"))
				}
			},
		})
		if value.Field("type").IsNull() {
			r.Errorf(key, "storage %q: expected a type, filesystem or block, found none", s.Name)
		}
		if s.Location != "" && s.Type == "block" {
			r.Errorf(location, "storage %q: expected no location for the type block", s.Name)
		}
		all = append(all, s)
	})
	slices.SortFunc(all, func(a, b Storage) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

var rangePattern = regexp.MustCompile(`^([0-9]+)(?:([-+])|-([0-9]+))$`)

// countRange reads "m", "m-n", "m+" or "m-"; no upper bound is -1.
func (r *reader) countRange(n *document.Node) (low, high int) {
	if v, ok := n.Integer(); ok && v > 0 && v < math.MaxInt32 {
		return int(v), int(v)
	}
	m := rangePattern.FindStringSubmatch(n.Value)
	if m == nil {
		r.Errorf(n, `expected a range such as 1, "1-3" or "1-", found %v`, n)
		return 1, 1
	}
	low, lowErr := strconv.Atoi(m[1])
	if m[2] != "" && lowErr == nil {
		return low, -1
	}
	high, highErr := strconv.Atoi(m[3])
	if lowErr != nil || highErr != nil || high == 0 {
		r.Errorf(n, `expected a range such as 1, "1-3" or "1-", found %v`, n)
		return 1, 1
	}
	return low, high
}

// size reads "512", "512M" or "1.5GiB" as MiB, rounded up.
func (r *reader) size(n *document.Node) uint64 {
	text := r.Text(n, "a size such as 1G")
	digits := strings.TrimRight(text, "MGTPiB")
	factor := 1.0
	switch suffix := strings.TrimSuffix(strings.TrimSuffix(text[len(digits):], "B"), "i"); suffix {
	case "", "M":
	case "G":
		factor = 1 << 10
	case "T":
		factor = 1 << 20
	case "P":
		factor = 1 << 30
	default:
		digits = ""
	}
	v, err := strconv.ParseFloat(digits, 64)
	if err != nil || !(v >= 0 && v < 1<<32) {
		r.Errorf(n, "expected a size such as 512M or 1G, found %v", n)
		return 0
	}
	return uint64(math.Ceil(v * factor))
}

func (r *reader) devices(n *document.Node) []Device {
	var all []Device
	r.Each(n, "devices", func(key, value *document.Node) {
		d := Device{Name: key.Value, CountMin: 1, CountMax: 1}
		r.object(value, "a device", document.Fields{
			"type":        func(n *document.Node) { d.Type = r.String(n, "a device's type") },
			"description": func(n *document.Node) { d.Description = r.String(n, "a description") },
			"countmin":    func(n *document.Node) { d.CountMin = r.count(n, "countmin") },
			"countmax":    func(n *document.Node) { d.CountMax = r.count(n, "countmax") },
		})
		if value.Field("type").IsNull() {
			r.Errorf(key, "device %q: expected a type such as gpu, found none", d.Name)
		}
		if d.CountMin > d.CountMax {
			r.Errorf(key, "device %q: expected countmin at most countmax, found %d and %d", d.Name, d.CountMin, d.CountMax)
		}
		all = append(all, d)
	})
	slices.SortFunc(all, func(a, b Device) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

func (r *reader) resources(n *document.Node) []Resource {
	var all []Resource
	r.Each(n, "resources", func(key, value *document.Node) {
		res := Resource{Name: key.Value, Type: "file"}
		r.object(value, "a resource", document.Fields{
			"type":            func(n *document.Node) { res.Type = r.Word(n, "type", "file", "oci-image") },
			"filename":        func(n *document.Node) { res.Filename = r.String(n, "a file's name") },
			"description":     func(n *document.Node) { res.Description = r.String(n, "a description") },
			"upstream-source": func(n *document.Node) { r.Text(n, "a source") },
		})
		if res.Type == "file" && (res.Filename == "" || strings.Contains(res.Filename, "/")) {
			r.Errorf(key, "resource %q: expected a filename without slashes, found %q", res.Name, res.Filename)
		}
		all = append(all, res)
	})
	slices.SortFunc(all, func(a, b Resource) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

func (r *reader) containers(n *document.Node, m Meta) []Container {
	var all []Container
	r.Each(n, "containers", func(key, value *document.Node) {
		c := Container{Name: key.Value}
		r.Open(value, "a container", document.Fields{
			"resource": func(n *document.Node) { c.Resource = r.containerImage(n, m) },
			"mounts": func(n *document.Node) {
				for _, item := range r.Items(n, "mounts") {
					c.Mounts = append(c.Mounts, r.mount(item, m))
				}
			},
		}, document.Tolerate)
		all = append(all, c)
	})
	slices.SortFunc(all, func(a, b Container) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

func (r *reader) containerImage(n *document.Node, m Meta) string {
	name := r.String(n, "a resource")
	i := slices.IndexFunc(m.Resources, func(res Resource) bool { return res.Name == name })
	if name != "" && (i < 0 || m.Resources[i].Type != "oci-image") {
		r.Errorf(n, `expected a resource of the type oci-image, found %q`, name)
	}
	return name
}

func (r *reader) mount(n *document.Node, m Meta) Mount {
	var mount Mount
	r.object(n, "a mount", document.Fields{
		"storage":  func(n *document.Node) { mount.Storage = r.String(n, "a storage") },
		"location": func(n *document.Node) { mount.Location = r.String(n, "a path") },
	})
	if mount.Location == "" || !slices.ContainsFunc(m.Storage, func(s Storage) bool { return s.Name == mount.Storage }) {
		r.Errorf(n, "expected a mount of a declared storage at a location, found storage %q at %q", mount.Storage, mount.Location)
	}
	return mount
}
