package charm

import (
	"cmp"
	"encoding/json"
	"regexp"
	"slices"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm/document"
)

var (
	actionPattern  = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$`)
	packagePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]+$`)
)

// actions reads a map of actions by name.
func (r *reader) actions(n *document.Node) []Action {
	var all []Action
	r.Each(n, "actions", func(key, value *document.Node) {
		if !actionPattern.MatchString(key.Value) || r.reserved(key.Value) {
			r.Errorf(key, "action name %q: expected lower case letters, digits and dashes, not beginning with juju", key.Value)
		}
		all = append(all, r.action(key, value))
	})
	slices.SortFunc(all, func(a, b Action) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

func (r *reader) action(key, value *document.Node) Action {
	a := Action{Name: key.Value, Kind: Act, Description: "No description"}
	schema := map[string]any{"type": "object", "title": a.Name, "properties": map[string]any{}}
	fields := document.Fields{
		"description": func(n *document.Node) { a.Description = r.String(n, "a description") },
		"title":       func(n *document.Node) { schema["title"] = r.String(n, "a title") },
		"required":    func(n *document.Node) { schema["required"] = r.Strings(n, "parameters") },
		"parallel":    func(n *document.Node) { a.Parallel = r.Bool(n, "parallel") },
		"execution-group": func(n *document.Node) {
			a.ExecutionGroup = r.String(n, "an execution group")
		},
		"params": func(n *document.Node) {
			properties := map[string]any{}
			r.Each(n, "parameters", func(key, value *document.Node) {
				r.checkSchema(value)
				properties[key.Value] = r.plain(value)
			})
			schema["properties"] = properties
		},
		"additionalProperties": func(n *document.Node) { schema["additionalProperties"] = r.plain(n) },
	}
	if r.strict {
		fields["kind"] = func(n *document.Node) {
			if word := r.Word(n, "kind", string(Query), string(Act), string(Start)); word != "" {
				a.Kind = ActionKind(word)
			}
		}
		fields["turn"] = func(n *document.Node) { a.Turn = r.String(n, "a turn's name") }
		fields["order"] = func(n *document.Node) { a.Order = r.String(n, "an order's name") }
		r.Object(value, "an action", fields)
		r.checkKind(value, &a)
	} else {
		// As in Juju, any further key is a part of the parameters' schema.
		r.Open(value, "an action", fields, func(key, value *document.Node) { schema[key.Value] = r.plain(value) })
	}
	schema["description"] = a.Description
	a.Schema, _ = json.Marshal(schema) // of maps, lists, texts, booleans and finite numbers only
	return a
}

// checkKind gives an order its name and refuses what its kind does not have.
func (r *reader) checkKind(value *document.Node, a *Action) {
	if a.Turn != "" && a.Kind != Act {
		r.Errorf(value.Field("turn"), "action %q: expected a turn only for the kind act, found the kind %s", a.Name, a.Kind)
	}
	switch {
	case a.Kind == Start && a.Order == "":
		a.Order = a.Name
	case a.Kind != Start && a.Order != "":
		r.Errorf(value.Field("order"), "action %q: expected an order only for the kind order, found the kind %s", a.Name, a.Kind)
	}
}

var schemaTypes = []string{"array", "boolean", "integer", "null", "number", "object", "string"}

// checkSchema checks the JSON schema of one parameter, as far as a wrong one
// would make every run of the action fail.
func (r *reader) checkSchema(n *document.Node) {
	if n.Kind != document.Map {
		r.Errorf(n, "expected a parameter's schema as a map, found %v", n)
		return
	}
	types := n.Field("type")
	if !types.IsNull() && types.Kind == document.List {
		for _, item := range types.Items {
			r.Word(item, "type", schemaTypes...)
		}
	} else {
		r.Word(types, "type", schemaTypes...)
	}
	r.Each(n.Field("properties"), "parameters", func(_, value *document.Node) { r.checkSchema(value) })
	r.Strings(n.Field("required"), "parameters")
}

// plain returns a node as JSON's types. References are refused: a schema is
// whole in itself.
func (r *reader) plain(n *document.Node) any {
	switch n.Kind {
	case document.List:
		items := make([]any, len(n.Items))
		for i, item := range n.Items {
			items[i] = r.plain(item)
		}
		return items
	case document.Map:
		fields := make(map[string]any, len(n.Fields))
		for _, f := range n.Fields {
			if f.Key.Value == "$ref" || f.Key.Value == "$schema" {
				r.Errorf(f.Key, "expected a schema without %q; write the referred schema here", f.Key.Value)
				continue
			}
			fields[f.Key.Value] = r.plain(f.Value)
		}
		return fields
	case document.Scalar:
		v, ok := ValueOf(n)
		if !ok {
			r.Errorf(n, "expected a value that JSON can write, found %v", n)
		}
		return v.Any()
	default:
		return nil
	}
}

// orders reads a map of orders by name.
func (r *reader) orders(n *document.Node) []Order {
	var all []Order
	r.Each(n, "orders", func(key, value *document.Node) {
		o := Order{Name: key.Value}
		r.Object(value, "an order", document.Fields{
			"description":        func(n *document.Node) { o.Description = r.String(n, "a description") },
			"stages":             func(n *document.Node) { o.Stages = r.Strings(n, "stages") },
			"point-of-no-return": func(n *document.Node) { o.PointOfNoReturn = r.String(n, "a stage") },
		})
		r.checkStages(key, value, o)
		all = append(all, o)
	})
	slices.SortFunc(all, func(a, b Order) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

func (r *reader) checkStages(key, value *document.Node, o Order) {
	if !actionPattern.MatchString(o.Name) {
		r.Errorf(key, "order name %q: expected lower case letters, digits and dashes", o.Name)
	}
	if len(o.Stages) == 0 {
		r.Errorf(key, "order %q: expected stages, found none", o.Name)
	}
	for i, stage := range o.Stages {
		if slices.Contains(o.Stages[:i], stage) {
			r.Errorf(value.Field("stages"), "order %q: stage %q is written twice; keep one", o.Name, stage)
		}
	}
	if o.PointOfNoReturn != "" && !slices.Contains(o.Stages, o.PointOfNoReturn) {
		r.Errorf(value.Field("point-of-no-return"), "order %q: expected one of its stages, found %q%s",
			o.Name, o.PointOfNoReturn, model.DidYouMean(o.PointOfNoReturn, o.Stages))
	}
}

// checkOrders finds actions that open an order which is not declared.
func (r *reader) checkOrders(root *document.Node, c *Charm) {
	var names []string
	for _, o := range c.Orders {
		names = append(names, o.Name)
	}
	for _, a := range c.Actions {
		if a.Order != "" && a.Kind == Start && !slices.Contains(names, a.Order) {
			r.Errorf(root.Field("actions").Field(a.Name), "action %q: expected an order that is declared under %q, found %q%s",
				a.Name, "orders", a.Order, model.DidYouMean(a.Order, names))
		}
	}
}

// packages reads the names of Debian packages.
func (r *reader) packages(n *document.Node) []string {
	var names []string
	for _, item := range r.Items(n, "packages") {
		name := r.String(item, "a package's name")
		if !packagePattern.MatchString(name) {
			r.Errorf(item, "package %q: expected a Debian package's name such as postgresql-15", name)
			continue
		}
		names = append(names, name)
	}
	return names
}
