// Package charm holds what a charm declares about itself: its metadata,
// configuration, actions and orders. It reads Juju's two forms (metadata.yaml
// with config.yaml and actions.yaml, or charmcraft.yaml) and Gantry's
// charm.yaml, which is charmcraft's form with orders, packages and kinds of
// action added. Every mistake names its place; a file's mistakes come together.
package charm
