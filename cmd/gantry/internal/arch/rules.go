package arch

// importRule says which of ours a package may import; "x/..." is every
// package below the folder x.
type importRule struct {
	pkg   string
	allow []string
}

// mayImport is read from the top: the first row that matches a package
// decides, and a package that none matches fails the test.
var mayImport = []importRule{
	{"model", nil},
	{"model/software", nil},
	{"model/charm", []string{"model", "model/charm/document", "model/software"}},
	{"model/charm/document", []string{"model"}},
	{"model/bundle", []string{"model", "model/charm", "model/charm/document"}},
	{"model/effect", []string{"model", "model/software"}},
	{"model/provision", []string{"model", "model/effect"}},
	{"model/operator", []string{"model", "model/effect"}},

	{"charms/interfaces", nil},
	{"charms/sdk", []string{"model", "model/charm", "model/effect", "charms/sdk/plugin"}},
	{"charms/sdk/scaffold", nil},
	{"charms/sdk/plugin", []string{"model", "model/effect", "charms/sdk/plugin/..."}},
	{"charms/sdk/plugin/internal/...", nil},
	{"charms/sdk/...", []string{"model", "model/...", "charms/sdk", "charms/sdk/...", "charms/interfaces", "charms/host"}},
	{"charms/host", []string{"model", "model/charm", "model/effect", "charms/sdk", "charms/sdk/plugin"}},
	{"charms/...", []string{"model", "model/effect", "model/software", "charms/sdk", "charms/interfaces", "charms/..."}},

	{"engine/state", []string{"model", "model/charm", "model/effect", "engine/state/tables"}},
	{"engine/state/tables", nil},
	{"engine/solver", []string{"model", "model/charm", "model/effect", "engine/state", "engine/state/tables", "engine/placement"}},
	{"engine/placement", []string{"model", "model/charm", "model/effect", "engine/state", "engine/state/tables"}},
	{"engine/plan", []string{"model", "model/...", "engine/state", "engine/state/tables", "engine/solver", "engine/placement"}},
	{"engine/consensus", []string{"model", "engine/state", "engine/state/tables"}},
	{"engine/consensus/linear", nil},
	{"engine/backup", []string{"model", "engine/state", "engine/state/tables", "engine/consensus", "engine/backup/archive"}},
	{"engine/backup/archive", []string{"model"}},
	{"engine/history", []string{"model", "model/effect", "model/operator"}},
	{"engine/observe", []string{"model", "model/effect", "model/operator"}},
	{"engine/observe/...", []string{"model", "model/effect", "model/operator", "engine/observe"}},
	{"engine/api", []string{"model", "model/...", "engine/state", "engine/state/tables", "engine/solver", "engine/placement", "engine/plan"}},
	{"engine/wire", []string{"model", "model/effect", "model/operator", "model/provision", "engine/wire/internal/pb"}},
	{"engine/wire/...", []string{"engine/wire/..."}},
	{"engine/server", []string{"model", "model/effect", "model/operator", "engine/api", "engine/wire"}},
	{"engine/client", []string{"engine/observe/trace", "model", "model/effect", "model/operator", "engine/wire"}},
	{"engine/provider", []string{"model", "model/effect"}},
	{"engine/provider/...", []string{"model", "model/effect", "model/software", "engine/provider/...", "engine/provider"}},
	{"engine/controller", []string{"model", "model/...", "engine/...", "charms/host"}},
	{"engine/controller/...", []string{"model", "model/...", "engine/...", "charms/host"}},

	{"agents/unit", []string{"model", "model/effect"}},
	{"agents/perform", []string{"model", "model/effect", "engine/provider/depot"}},
	{"agents/supervise", []string{"model"}},
	{"agents/sim", []string{"model", "model/...", "engine/state", "engine/state/tables", "engine/solver", "engine/placement", "engine/plan", "agents/unit", "charms/sdk", "charms/sdk/..."}},
	{"agents/agent", []string{"model", "model/...", "agents/...", "charms/host", "engine/wire", "engine/client", "engine/provider", "engine/provider/depot"}},
	{"agents/agent/internal/...", []string{"model"}},

	{"bundles", []string{"model", "model/...", "agents/sim", "charms/..."}},

	{"cmd/gantry/internal/arch", nil},
	{"cmd/gantry/internal/cli", []string{"engine/client", "engine/backup/archive", "engine/observe", "engine/observe/...", "model", "model/...", "charms/sdk/..."}},
	{"cmd/gantry/internal/roles", []string{"engine/history", "cmd/gantry/internal/...", "engine/api", "engine/backup", "engine/backup/archive", "engine/observe", "engine/observe/...", "engine/plan", "engine/controller", "engine/controller/...", "engine/client", "engine/wire", "engine/provider/...", "engine/provider", "agents/...", "charms/...", "model", "model/..."}},
	{"cmd/gantry/...", []string{"cmd/gantry/internal/...", "engine/controller", "engine/client", "engine/provider/...", "engine/provider", "agents/...", "charms/...", "model", "model/..."}},
	{"cmd/gantry", []string{"cmd/gantry/internal/...", "engine/controller", "engine/client", "engine/provider/...", "engine/provider", "agents/...", "charms/...", "model", "model/..."}},
}

// neverReaches says what may not be linked in, directly or not.
var neverReaches = []struct{ pkg, target string }{
	{"cmd/gantry/internal/cli", "github.com/hashicorp/raft"},
	{"cmd/gantry/internal/cli", module + "engine/state"},
	{"engine/client", module + "engine/state"},
	{"cmd/gantry/internal/cli", "github.com/canonical/go-dqlite"},
	{"cmd/gantry/internal/cli", "modernc.org/sqlite"},
	{"agents/agent", module + "engine/history"},
	{"agents/agent", "github.com/hashicorp/raft"},
	{"agents/agent", module + "engine/state"},
	{"agents/supervise", "google.golang.org/grpc"},
	{"engine/controller", module + "agents/sim"},
}

// soleImporter names the one package that may import a library.
var soleImporter = map[string]string{
	"github.com/hashicorp/raft":       "engine/consensus",
	"github.com/hashicorp/raft-wal":   "engine/consensus",
	"github.com/canonical/go-dqlite":  "engine/history",
	"modernc.org/sqlite":              "engine/history",
	"github.com/vishvananda/netlink":  "engine/provider",
	"github.com/google/nftables":      "engine/provider",
	"github.com/hashicorp/go-plugin":  "charms/sdk/plugin",
	"github.com/spf13/cobra":          "cmd/gantry/internal",
	"github.com/agnivade/levenshtein": "model",
}

// pure packages are functions: no goroutine, clock, randomness or I/O.
var pure = []string{
	"model", "model/charm", "model/bundle", "model/effect", "model/software", "model/operator", "model/provision",
	"engine/state", "engine/state/tables", "engine/solver", "engine/placement", "engine/plan", "engine/observe",
	"agents/unit", "agents/sim", "charms/sdk", "charms/interfaces",
	"charms/postgresql", "charms/pgbouncer", "charms/telemetry", "charms/beacon", "charms/controller",
	"charms/etcd", "charms/kafka", "charms/tlscertificates", "charms/tlscertificates/requirer",
}

// impure calls, by import path and name, that pure packages may not make.
var impure = map[string][]string{
	"time":    {"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick"},
	"os":      {"ReadFile", "WriteFile", "Open", "Create", "Getenv", "Remove", "Rename", "Mkdir", "MkdirAll", "Stat"},
	"os/exec": {"Command", "CommandContext"},
	"net":     {"Dial", "Listen"},
}

// budgets of one file and one function, in lines; what is over them is
// redesigned, not excused.
const (
	maxFileLines     = 600
	maxFunctionLines = 70
	maxExports       = 120
	maxMethods       = 7
)
