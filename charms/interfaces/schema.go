package interfaces

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// Schema says what each side of an interface writes.
type Schema struct {
	Interface string
	Version   int // rises by one with each change of the keys
	Provider  Side
	Requirer  Side

	// Previous is the version before, or nil. Two sides of a relation may be
	// one version apart: what was required stays, and nothing new is.
	Previous *Schema
}

// Side is what one role writes: in its application's bag, and in each unit's.
type Side struct {
	Application []Key
	Unit        []Key
}

// Key is one key of a bag.
type Key struct {
	Name     string // path.Match's pattern where it has a "*"
	Required bool   // in every bag that is not empty
	Doc      string
	Check    func(value string) error // of a value that is not empty; nil takes any
}

var schemas = []Schema{
	postgresqlClient, kafkaClient, etcdClient, s3, tlsCertificates, certificateTransfer, sparkServiceAccount, kubeControl,
	cephOSD, cephClient, cephMDS, cephRadosGW, prometheusScrape, cosAgent, grafanaDashboard, alertmanagerDispatch,
}

// Of is the schema of an interface, and false where there is none.
func Of(name string) (Schema, bool) {
	i := slices.IndexFunc(schemas, func(s Schema) bool { return s.Interface == name })
	if i < 0 {
		return Schema{}, false
	}
	return schemas[i], true
}

// Names are the interfaces that have a schema, sorted.
func Names() []string {
	var names []string
	for _, s := range schemas {
		names = append(names, s.Interface)
	}
	return slices.Sorted(slices.Values(names))
}

// Bag is a bag to be validated, with whose it is.
type Bag struct {
	Interface   string
	Provider    bool // written by the side that provides; otherwise by the one that requires
	Application bool // the application's bag; otherwise a unit's
	Data        map[string]string
}

// Validate checks a bag against its interface's schema; without one any bag is
// valid. An empty bag is too: nothing is said yet. The error lists every
// mistake, the values of secrets never being among a bag's.
func Validate(b Bag) error {
	schema, ok := Of(b.Interface)
	if !ok || len(b.Data) == 0 {
		return nil
	}
	keys := schema.keys(b)
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(b.Data)) {
		i := slices.IndexFunc(keys, func(k Key) bool { return k.names(name) })
		if i < 0 {
			errs = append(errs, fmt.Errorf("%s: unknown key %q: expected %s", b, name, list(keys)))
			continue
		}
		if value := b.Data[name]; value != "" && keys[i].Check != nil {
			if err := keys[i].Check(value); err != nil {
				errs = append(errs, fmt.Errorf("%s: key %q: %w", b, name, err))
			}
		}
	}
	for _, k := range keys {
		if k.Required && b.Data[k.Name] == "" {
			errs = append(errs, fmt.Errorf("%s: key %q is missing: %s", b, k.Name, k.Doc))
		}
	}
	return errors.Join(errs...)
}

// names reports whether a bag's key is this one.
func (k Key) names(name string) bool {
	ok, err := path.Match(k.Name, name)
	return ok && err == nil
}

func (s Schema) keys(b Bag) []Key {
	side := s.Requirer
	if b.Provider {
		side = s.Provider
	}
	if b.Application {
		return side.Application
	}
	return side.Unit
}

// String names the bag in messages.
func (b Bag) String() string {
	side, of := "requirer", "unit"
	if b.Provider {
		side = "provider"
	}
	if b.Application {
		of = "application"
	}
	return fmt.Sprintf("%s: bag of the %s's %s", b.Interface, side, of)
}

func list(keys []Key) string {
	if len(keys) == 0 {
		return "no keys here"
	}
	var names []string
	for _, k := range keys {
		names = append(names, k.Name)
	}
	return strings.Join(names, ", ")
}
