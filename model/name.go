package model

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// The grammars are Juju's (github.com/juju/names): an application is lower
// case words joined by dashes, none of them a bare number at the end.
var (
	applicationPattern = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]*[a-z][a-z0-9]*)*$`)
	modelPattern       = regexp.MustCompile(`^[a-z0-9]+[a-z0-9-]*$`)
	endpointPattern    = regexp.MustCompile(`^[a-z_][a-z0-9_]*(-[a-z0-9_]+)*$`)
	userPattern        = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9.+-]*[a-zA-Z0-9]$|^[a-zA-Z0-9]$`)
)

// ModelName names an isolated workspace in a controller, e.g. "leop-a".
type ModelName string

// ApplicationName names a deployed charm inside a model, e.g. "postgresql".
type ApplicationName string

// CharmName names a charm as metadata.yaml does, e.g. "postgresql".
type CharmName string

// EndpointName names one end of a relation inside a charm, e.g. "database".
type EndpointName string

// InterfaceName names the protocol of an endpoint, e.g. "postgresql_client".
type InterfaceName string

// MachineName numbers a machine inside its model, e.g. "0".
type MachineName string

// UserName names an operator, e.g. "admin".
type UserName string

// UnitName is one instance of an application, written "app/n".
type UnitName struct {
	Application ApplicationName
	Number      int
}

// EndpointRef is an endpoint of an application, written "app:endpoint".
// Endpoint is empty where the operator left the solver to choose.
type EndpointRef struct {
	Application ApplicationName
	Endpoint    EndpointName
}

// RelationID numbers a relation inside its model; it is never used again.
type RelationID uint64

// ParseModelName parses a model's name.
func ParseModelName(s string) (ModelName, error) {
	if !modelPattern.MatchString(s) {
		return "", fmt.Errorf("model name %q: expected lower case letters, digits and dashes: %w", s, ErrInvalid)
	}
	return ModelName(s), nil
}

// ParseApplicationName parses an application's name.
func ParseApplicationName(s string) (ApplicationName, error) {
	if !applicationPattern.MatchString(s) {
		return "", fmt.Errorf("application name %q: expected lower case words joined by dashes, the last not a number: %w", s, ErrInvalid)
	}
	return ApplicationName(s), nil
}

// ParseEndpointName parses an endpoint's name.
func ParseEndpointName(s string) (EndpointName, error) {
	if !endpointPattern.MatchString(s) {
		return "", fmt.Errorf("endpoint name %q: expected lower case words joined by dashes: %w", s, ErrInvalid)
	}
	return EndpointName(s), nil
}

// ParseMachineName parses a machine's number.
func ParseMachineName(s string) (MachineName, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || strconv.Itoa(n) != s {
		return "", fmt.Errorf("machine %q: expected a number such as 0: %w", s, ErrInvalid)
	}
	return MachineName(s), nil
}

// ParseUserName parses an operator's name.
func ParseUserName(s string) (UserName, error) {
	if !userPattern.MatchString(s) {
		return "", fmt.Errorf("user name %q: expected letters, digits, dots, dashes and plus signs: %w", s, ErrInvalid)
	}
	return UserName(s), nil
}

// ParseUnitName parses "app/n".
func ParseUnitName(s string) (UnitName, error) {
	app, num, ok := strings.Cut(s, "/")
	n, err := strconv.Atoi(num)
	if !ok || err != nil || n < 0 || strconv.Itoa(n) != num {
		return UnitName{}, fmt.Errorf("unit %q: expected APPLICATION/NUMBER such as postgresql/0: %w", s, ErrInvalid)
	}
	name, err := ParseApplicationName(app)
	if err != nil {
		return UnitName{}, fmt.Errorf("unit %q: %w", s, err)
	}
	return UnitName{Application: name, Number: n}, nil
}

// ParseEndpointRef parses "app" or "app:endpoint".
func ParseEndpointRef(s string) (EndpointRef, error) {
	app, endpoint, named := strings.Cut(s, ":")
	name, err := ParseApplicationName(app)
	if err != nil {
		return EndpointRef{}, fmt.Errorf("endpoint %q: %w", s, err)
	}
	ref := EndpointRef{Application: name}
	if !named {
		return ref, nil
	}
	if ref.Endpoint, err = ParseEndpointName(endpoint); err != nil {
		return EndpointRef{}, fmt.Errorf("endpoint %q: %w", s, err)
	}
	return ref, nil
}

// String writes the unit as "app/n".
func (u UnitName) String() string { return string(u.Application) + "/" + strconv.Itoa(u.Number) }

// Dashed writes the unit as "app-n", for host names, paths and cgroups.
func (u UnitName) Dashed() string { return string(u.Application) + "-" + strconv.Itoa(u.Number) }

// IsZero reports whether no unit is named.
func (u UnitName) IsZero() bool { return u.Application == "" }

// MarshalText implements encoding.TextMarshaler; the zero name is "".
func (u UnitName) MarshalText() ([]byte, error) {
	if u.IsZero() {
		return nil, nil
	}
	return []byte(u.String()), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (u *UnitName) UnmarshalText(b []byte) (err error) {
	if len(b) == 0 {
		*u = UnitName{}
		return nil
	}
	*u, err = ParseUnitName(string(b))
	return err
}

// CompareUnits orders units by application and then by number.
func CompareUnits(a, b UnitName) int {
	return cmp.Or(cmp.Compare(a.Application, b.Application), cmp.Compare(a.Number, b.Number))
}

// String writes the endpoint as "app:endpoint", or "app" where none is named.
func (e EndpointRef) String() string {
	if e.Endpoint == "" {
		return string(e.Application)
	}
	return string(e.Application) + ":" + string(e.Endpoint)
}

// MarshalText implements encoding.TextMarshaler.
func (e EndpointRef) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (e *EndpointRef) UnmarshalText(b []byte) (err error) {
	*e, err = ParseEndpointRef(string(b))
	return err
}
