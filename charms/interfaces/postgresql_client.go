package interfaces

import "strings"

// PostgreSQLClient is the interface of a database and who uses it.
const PostgreSQLClient = "postgresql_client"

var postgresqlClient = Schema{
	Interface: PostgreSQLClient, Version: 1,
	Provider: Side{
		Application: []Key{
			{Name: "database", Required: true, Doc: "the database that was made", Check: isDatabase},
			{Name: "endpoints", Required: true, Doc: "where it takes reads and writes, HOST:PORT separated by commas", Check: isEndpoints},
			{Name: "read-only-endpoints", Doc: "where it takes reads only", Check: isEndpoints},
			{Name: "secret-user", Required: true, Doc: "the secret with username and password", Check: isSecret},
			{Name: "secret-tls", Doc: "the secret with tls and tls-ca", Check: isSecret},
			{Name: "version", Doc: "the server's"},
		},
		Unit: []Key{
			{Name: "endpoints", Doc: "where a unit beside its client takes both", Check: isEndpoints},
		},
	},
	Requirer: Side{
		Application: []Key{
			{Name: "database", Required: true, Doc: "the database that is wanted", Check: isDatabase},
			{Name: "requested-secrets", Doc: "which secrets it can read, as a JSON list", Check: isJSONList},
			{Name: "extra-user-roles", Doc: "roles of its user, separated by commas"},
			{Name: "external-node-connectivity", Doc: "whether it connects from outside", Check: isTrueOrFalse},
		},
	},
}

// PostgreSQLRequest is what a requirer of postgresql_client asks for.
type PostgreSQLRequest struct {
	Database       string
	ExtraUserRoles []string
}

// Bag is the request as the requirer's application writes it.
func (r PostgreSQLRequest) Bag() map[string]string {
	bag := map[string]string{"database": r.Database, "requested-secrets": `["username","password","tls","tls-ca","uris"]`}
	if len(r.ExtraUserRoles) > 0 {
		bag["extra-user-roles"] = strings.Join(r.ExtraUserRoles, ",")
	}
	return bag
}

// ParsePostgreSQLRequest reads a requirer's application bag; false where it
// asks for nothing yet.
func ParsePostgreSQLRequest(bag map[string]string) (PostgreSQLRequest, bool) {
	r := PostgreSQLRequest{Database: bag["database"], ExtraUserRoles: split(bag["extra-user-roles"])}
	return r, r.Database != ""
}

// PostgreSQLDatabase is what a provider of postgresql_client offers.
type PostgreSQLDatabase struct {
	Database          string
	Endpoints         []string // HOST:PORT that take reads and writes
	ReadOnlyEndpoints []string
	User              string // ID of the secret with username and password
	TLS               string // ID of the secret with tls and tls-ca, or ""
	Version           string
}

// Bag is the database as the provider's application writes it.
func (d PostgreSQLDatabase) Bag() map[string]string {
	return said(map[string]string{
		"database": d.Database, "endpoints": strings.Join(d.Endpoints, ","), "secret-user": d.User,
		"read-only-endpoints": strings.Join(d.ReadOnlyEndpoints, ","), "secret-tls": d.TLS, "version": d.Version,
	})
}

// ParsePostgreSQLDatabase reads a provider's application bag; false where the
// database is not ready to be used yet.
func ParsePostgreSQLDatabase(bag map[string]string) (PostgreSQLDatabase, bool) {
	d := PostgreSQLDatabase{
		Database: bag["database"], Endpoints: split(bag["endpoints"]), ReadOnlyEndpoints: split(bag["read-only-endpoints"]),
		User: bag["secret-user"], TLS: bag["secret-tls"], Version: bag["version"],
	}
	return d, d.Database != "" && len(d.Endpoints) > 0 && d.User != ""
}

func split(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}
