package interfaces

// SparkServiceAccount is the interface of a Spark and who submits jobs to it.
const SparkServiceAccount = "spark_service_account"

var sparkServiceAccount = Schema{
	Interface: SparkServiceAccount, Version: 1,
	Provider: Side{Application: []Key{
		{Name: "service-account", Required: true, Doc: "the account that was made"},
		{Name: "secret-extra", Required: true, Doc: "the secret with spark-properties", Check: isSecret},
	}},
	Requirer: Side{Application: []Key{
		{Name: "service-account", Required: true, Doc: "the account that is wanted"},
		{Name: "requested-secrets", Doc: "which secrets it can read, as a JSON list", Check: isJSONList},
	}},
}

// SparkRequest is what a requirer of spark_service_account asks for.
type SparkRequest struct {
	Account string
}

// Bag is the request as the requirer's application writes it.
func (r SparkRequest) Bag() map[string]string {
	return map[string]string{"service-account": r.Account, "requested-secrets": `["spark-properties"]`}
}

// ParseSparkRequest reads a requirer's application bag; false where it asks
// for nothing yet.
func ParseSparkRequest(bag map[string]string) (SparkRequest, bool) {
	return SparkRequest{bag["service-account"]}, bag["service-account"] != ""
}

// SparkAccount is what a provider of spark_service_account offers.
type SparkAccount struct {
	Account    string
	Properties string // ID of the secret with spark-properties
}

// Bag is the account as the provider's application writes it.
func (a SparkAccount) Bag() map[string]string {
	return said(map[string]string{"service-account": a.Account, "secret-extra": a.Properties})
}

// ParseSparkAccount reads a provider's application bag; false where the
// account is not ready to be used yet.
func ParseSparkAccount(bag map[string]string) (SparkAccount, bool) {
	a := SparkAccount{Account: bag["service-account"], Properties: bag["secret-extra"]}
	return a, a.Account != "" && a.Properties != ""
}
