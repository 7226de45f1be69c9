package arch

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const module = "github.com/gantry-orchestrator/gantry/"

// sourceFile is one Go file of the module, parsed.
type sourceFile struct {
	path    string // from the module's root
	pkg     string // import path below the module
	test    bool
	lines   int
	syntax  *ast.File
	imports []string
}

// generated reports whether the file says that no one wrote it.
func (f sourceFile) generated() bool { return ast.IsGenerated(f.syntax) }

// tree is every Go file of the module.
type tree struct {
	fset  *token.FileSet
	files []sourceFile
}

// parseTree parses every Go file below root. Folders that hold data only
// (testdata, dot folders) are passed over.
func parseTree(root string) (*tree, error) {
	t := &tree{fset: token.NewFileSet()}
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); p != root && (name == "testdata" || name == "bin" || strings.HasPrefix(name, ".")) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") {
			return nil
		}
		return t.add(root, p)
	})
	return t, err
}

func (t *tree) add(root, p string) error {
	source, err := os.ReadFile(p)
	if err != nil {
		return err
	}
	syntax, err := parser.ParseFile(t.fset, p, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return fmt.Errorf("parse %s: %w", p, err)
	}
	rel, err := filepath.Rel(root, p)
	if err != nil {
		return err
	}
	f := sourceFile{path: rel, pkg: path.Dir(filepath.ToSlash(rel)), test: strings.HasSuffix(p, "_test.go"), syntax: syntax}
	f.lines = t.fset.File(syntax.Pos()).LineCount()
	for _, spec := range syntax.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return fmt.Errorf("import in %s: %w", p, err)
		}
		f.imports = append(f.imports, name)
	}
	t.files = append(t.files, f)
	return nil
}

// imports maps every package to what its files, tests apart, import.
func (t *tree) imports() map[string][]string {
	out := map[string][]string{}
	for _, f := range t.files {
		if f.test {
			continue
		}
		have := out[f.pkg]
		for _, name := range f.imports {
			if !slices.Contains(have, name) {
				have = append(have, name)
			}
		}
		out[f.pkg] = have
	}
	return out
}

// reaches lists what pkg imports, directly or not, below the module and
// outside it.
func reaches(imports map[string][]string, pkg string) map[string]bool {
	seen := map[string]bool{}
	var visit func(string)
	visit = func(p string) {
		for _, name := range imports[p] {
			if seen[name] {
				continue
			}
			seen[name] = true
			if ours, ok := strings.CutPrefix(name, module); ok {
				visit(ours)
			}
		}
	}
	visit(pkg)
	return seen
}

// lines counts a function's lines, signature and braces included.
func (t *tree) lines(fn *ast.FuncDecl) int {
	file := t.fset.File(fn.Pos())
	return file.Line(fn.End()) - file.Line(fn.Pos()) + 1
}
