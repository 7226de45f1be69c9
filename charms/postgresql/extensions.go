package postgresql

import (
	"slices"
	"strings"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// contrib are the extensions that Debian's postgresql-15 brings, sorted.
var contrib = []string{
	"adminpack", "amcheck", "autoinc", "bloom", "btree_gin", "btree_gist", "citext", "cube", "dblink",
	"dict_int", "dict_xsyn", "earthdistance", "file_fdw", "fuzzystrmatch", "hstore", "insert_username",
	"intagg", "intarray", "isn", "lo", "ltree", "moddatetime", "old_snapshot", "pageinspect", "pg_buffercache",
	"pg_freespacemap", "pg_prewarm", "pg_stat_statements", "pg_surgery", "pg_trgm", "pg_visibility",
	"pg_walinspect", "pgcrypto", "pgrowlocks", "pgstattuple", "postgres_fdw", "refint", "seg", "sslinfo",
	"tablefunc", "tcn", "tsm_system_rows", "tsm_system_time", "unaccent", "uuid-ossp", "xml2",
}

// pluginOption is the option that turns an extension on, as Juju's charm names
// it.
func pluginOption(extension string) string {
	return "plugin_" + strings.ReplaceAll(extension, "-", "_") + "_enable"
}

// extensions are those that the options turn on.
func extensions(in effect.Input) []string {
	return slices.DeleteFunc(slices.Clone(contrib), func(e string) bool { return !sdk.Bool(in, pluginOption(e)) })
}
