package cli_test

import (
	"cmp"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/gantry-orchestrator/gantry/cmd/gantry/internal/cli"
	"github.com/gantry-orchestrator/gantry/model"
)

var update = flag.Bool("update", false, "rewrite what the stories expect")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"gantry": func() {
			os.Exit(cli.Main(cli.Config{Version: "0.0-test", Now: standing, Charms: declared}, os.Args[1:]))
		},
	})
}

// standing is a clock that stands still, so that no story prints how long
// anything took.
func standing() time.Time { return epoch }

// declared are the files of the charms that the binary would bring.
func declared(name model.CharmName) fs.FS {
	for _, dir := range charmDirs(os.Getenv("GANTRY_TEST_ROOT")) {
		if filepath.Base(dir) == string(name) {
			return os.DirFS(dir)
		}
	}
	return nil
}

// TestStories plays each file of cmd/gantry/testdata/script against a world of
// its own.
func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "../../testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			contextFile := filepath.Join(env.WorkDir, ".gantry", "context.json")
			w := startWorld(env.T().(testing.TB), contextFile)
			env.Values[worldKey{}] = w
			env.Setenv("GANTRY_CONTEXT", contextFile)
			env.Setenv("XDG_CONFIG_HOME", filepath.Join(env.WorkDir, ".config"))
			here, err := filepath.Abs(".")
			if err != nil {
				return err
			}
			env.Setenv("GANTRY_TEST_ROOT", here)
			cache, err := os.UserCacheDir()
			if err != nil {
				return err
			}
			env.Setenv("GOCACHE", cmp.Or(os.Getenv("GOCACHE"), filepath.Join(cache, "go-build")))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":     exits,
			"freeze":    func(ts *testscript.TestScript, _ bool, _ []string) { ts.Value(worldKey{}).(*world).freeze(true) },
			"thaw":      func(ts *testscript.TestScript, _ bool, _ []string) { ts.Value(worldKey{}).(*world).freeze(false) },
			"recorded":  recorded,
			"unchanged": unchanged,
			"same":      same,
			"index":     func(ts *testscript.TestScript, _ bool, _ []string) { ts.Setenv("INDEX", indexOf(ts)) },
		},
	})
}

type worldKey struct{}

// exits runs gantry and checks its exit code: "exits 2 plan bundle.yaml".
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE gantry ARGS...")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := "0"
	if err != nil {
		found := regexp.MustCompile(`exit status (\d+)`).FindStringSubmatch(err.Error())
		if found == nil {
			ts.Fatalf("%v", err)
		}
		code = found[1]
	}
	if code != args[0] {
		ts.Fatalf("exit code %s, want %s", code, args[0])
	}
}

// unchanged runs gantry, which must fail, and checks that nothing was
// committed.
func unchanged(ts *testscript.TestScript, neg bool, args []string) {
	before := indexOf(ts)
	if err := ts.Exec("gantry", args...); err == nil && !neg {
		ts.Fatalf("gantry %v did not fail", args)
	}
	if after := indexOf(ts); before != after {
		ts.Fatalf("gantry %v committed something: index %s became %s", args, before, after)
	}
}

// same checks that nothing was committed since "index".
func same(ts *testscript.TestScript, _ bool, _ []string) {
	if before, now := ts.Getenv("INDEX"), indexOf(ts); before != now {
		ts.Fatalf("index %s became %s", before, now)
	}
}

// indexOf is the state's index, as the world has it.
func indexOf(ts *testscript.TestScript) string {
	return ts.Value(worldKey{}).(*world).index()
}
