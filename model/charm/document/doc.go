// Package document reads YAML as an operator wrote it. Every value keeps its
// file, line and column, aliases and merge keys are resolved, and a Reader
// turns values into Go's types while it collects every mistake of a file.
package document
