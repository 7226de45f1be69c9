package arch

import (
	"go/ast"
	"os"
	"slices"
	"strings"
	"testing"
)

const root = "../../../.."

func parsed(t *testing.T) *tree {
	t.Helper()
	got, err := parseTree(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.files) < 50 {
		t.Fatalf("only %d Go files found below %s: the walk is wrong", len(got.files), root)
	}
	return got
}

func matches(pattern, pkg string) bool {
	if folder, ok := strings.CutSuffix(pattern, "/..."); ok {
		return strings.HasPrefix(pkg, folder+"/")
	}
	return pattern == pkg
}

func TestPackagesImportOnlyWhatTheTableAllows(t *testing.T) {
	for pkg, imports := range parsed(t).imports() {
		rule := slices.IndexFunc(mayImport, func(r importRule) bool { return matches(r.pkg, pkg) })
		if rule < 0 {
			t.Errorf("%s: no row of mayImport names it", pkg)
			continue
		}
		for _, name := range imports {
			ours, ok := strings.CutPrefix(name, module)
			if !ok {
				continue
			}
			if !slices.ContainsFunc(mayImport[rule].allow, func(p string) bool { return matches(p, ours) }) &&
				!strings.HasPrefix(ours, pkg+"/internal/") {
				t.Errorf("%s imports %s, which its row of mayImport does not allow", pkg, ours)
			}
		}
	}
}

func TestNothingLinksWhatItMustNot(t *testing.T) {
	imports := parsed(t).imports()
	for _, rule := range neverReaches {
		if _, exists := imports[rule.pkg]; !exists {
			t.Errorf("neverReaches names %s, which does not exist", rule.pkg)
		}
		if reaches(imports, rule.pkg)[rule.target] {
			t.Errorf("%s reaches %s", rule.pkg, rule.target)
		}
	}
}

func TestLibrariesHaveOneImporter(t *testing.T) {
	for _, f := range parsed(t).files {
		for _, name := range f.imports {
			for library, owner := range soleImporter {
				if (name == library || strings.HasPrefix(name, library+"/")) && !f.test && f.pkg != owner && !strings.HasPrefix(f.pkg, owner+"/") {
					t.Errorf("%s imports %s: only %s may", f.path, name, owner)
				}
			}
		}
	}
}

func TestPurePackagesHaveNoClockRandomnessGoroutineOrIO(t *testing.T) {
	for _, f := range parsed(t).files {
		if f.test || !slices.Contains(pure, f.pkg) {
			continue
		}
		for _, name := range f.imports {
			if name == "crypto/rand" || name == "math/rand" || name == "math/rand/v2" && f.pkg != "agents/sim" {
				t.Errorf("%s imports %s: randomness is an argument", f.path, name)
			}
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if _, ok := n.(*ast.GoStmt); ok {
				t.Errorf("%s starts a goroutine", f.path)
			}
			if call, ok := n.(*ast.SelectorExpr); ok {
				if ident, ok := call.X.(*ast.Ident); ok && slices.Contains(impure[ident.Name], call.Sel.Name) && slices.Contains(f.imports, ident.Name) {
					t.Errorf("%s uses %s.%s", f.path, ident.Name, call.Sel.Name)
				}
			}
			return true
		})
	}
}

func TestFilesAndFunctionsKeepTheirBudget(t *testing.T) {
	tree := parsed(t)
	for _, f := range tree.files {
		if f.generated() {
			continue
		}
		if f.lines > maxFileLines {
			t.Errorf("%s has %d lines, over %d", f.path, f.lines, maxFileLines)
		}
		if f.test {
			continue
		}
		for _, d := range f.syntax.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := tree.lines(fn); n > maxFunctionLines && !flatSwitch(fn) {
				t.Errorf("%s: %s has %d lines, over %d", f.path, fn.Name.Name, n, maxFunctionLines)
			}
		}
	}
}

// flatSwitch reports whether a documented function is one switch and little
// else.
func flatSwitch(fn *ast.FuncDecl) bool {
	if fn.Doc == nil || fn.Body == nil || len(fn.Body.List) > 3 {
		return false
	}
	return slices.ContainsFunc(fn.Body.List, func(s ast.Stmt) bool {
		switch s.(type) {
		case *ast.SwitchStmt, *ast.TypeSwitchStmt:
			return true
		}
		return false
	})
}

func TestEverythingExportedIsDocumented(t *testing.T) {
	packages := map[string]bool{}
	for _, f := range parsed(t).files {
		if f.test || f.generated() {
			continue
		}
		packages[f.pkg] = packages[f.pkg] || f.syntax.Doc != nil
		for _, d := range f.syntax.Decls {
			for _, name := range undocumented(d) {
				t.Errorf("%s: %s is exported and not documented", f.path, name)
			}
		}
	}
	for pkg, documented := range packages {
		if !documented {
			t.Errorf("%s has no package comment", pkg)
		}
	}
}

// undocumented names what a declaration exports without a comment.
func undocumented(d ast.Decl) (names []string) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
			names = append(names, d.Name.Name)
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && d.Doc == nil && s.Doc == nil {
					names = append(names, s.Name.Name)
				}
			case *ast.ValueSpec:
				if s.Names[0].IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
					names = append(names, s.Names[0].Name)
				}
			}
		}
	}
	return names
}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	t := d.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	if generic, ok := t.(*ast.IndexExpr); ok {
		t = generic.X
	}
	ident, ok := t.(*ast.Ident)
	return ok && ident.IsExported()
}

func TestInterfacesAndPackagesStaySmall(t *testing.T) {
	exports := map[string]int{}
	for _, f := range parsed(t).files {
		if f.test || f.generated() {
			continue
		}
		for _, d := range f.syntax.Decls {
			exports[f.pkg] += exportedNames(d)
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if i, ok := n.(*ast.InterfaceType); ok && i.Methods.NumFields() > maxMethods {
				t.Errorf("%s: an interface has %d methods, over %d", f.path, i.Methods.NumFields(), maxMethods)
			}
			return true
		})
	}
	for pkg, n := range exports {
		if n > maxExports {
			t.Errorf("%s exports %d names, over %d", pkg, n, maxExports)
		}
	}
}

func exportedNames(d ast.Decl) (n int) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil && d.Name.IsExported() {
			n++
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() {
					n++
				}
			case *ast.ValueSpec:
				for _, name := range s.Names {
					if name.IsExported() {
						n++
					}
				}
			}
		}
	}
	return n
}

func TestTheTopLevelHoldsNothingElse(t *testing.T) {
	allowed := []string{"cmd", "charms", "engine", "model", "agents", "bundles", "docs", "go.mod", "go.sum", "Makefile", "LICENSE", "README.md", "bin"}
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && !slices.Contains(allowed, e.Name()) {
			t.Errorf("top level holds %s", e.Name())
		}
	}
}
