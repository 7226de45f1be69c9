package interfaces

import (
	"encoding/base64"
	"fmt"
	"net/url"
)

// S3 is the interface of a bucket of an S3 store and who uses it.
const S3 = "s3"

var s3 = Schema{
	Interface: S3, Version: 1,
	Provider: Side{Application: []Key{
		{Name: "bucket", Required: true, Doc: "the bucket"},
		{Name: "endpoint", Required: true, Doc: "the store's URL", Check: isURL},
		{Name: "region", Doc: "the bucket's region"},
		{Name: "path", Doc: "where in the bucket its objects are"},
		{Name: "s3-api-version", Doc: "2 or 4, of signatures"},
		{Name: "s3-uri-style", Doc: "path or host"},
		{Name: "tls-ca-chain", Doc: "who signed the store's certificate, as a JSON list of certificates in base64", Check: isBase64List},
		{Name: "secret-extra", Required: true, Doc: "the secret with access-key and secret-key", Check: isSecret},
	}},
	Requirer: Side{Application: []Key{
		{Name: "bucket", Doc: "the bucket that is wanted"},
		{Name: "path", Doc: "where in the bucket its objects will be"},
		{Name: "requested-secrets", Doc: "which secrets it can read, as a JSON list", Check: isJSONList},
	}},
}

// S3Bucket is what a provider of s3 offers.
type S3Bucket struct {
	Bucket      string
	Endpoint    string // URL
	Region      string
	Path        string
	Credentials string   // ID of the secret with access-key and secret-key
	CAChain     []string // PEM
}

// Bag is the bucket as the provider's application writes it.
func (s S3Bucket) Bag() map[string]string {
	bag := said(map[string]string{
		"bucket": s.Bucket, "endpoint": s.Endpoint, "region": s.Region, "path": s.Path, "secret-extra": s.Credentials,
	})
	if len(s.CAChain) > 0 {
		var chain []string
		for _, certificate := range s.CAChain {
			chain = append(chain, base64.StdEncoding.EncodeToString([]byte(certificate)))
		}
		bag["tls-ca-chain"] = jsonBag("tls-ca-chain", chain)["tls-ca-chain"]
	}
	return bag
}

// ParseS3Bucket reads a provider's application bag; false where the bucket is
// not ready to be used yet.
func ParseS3Bucket(bag map[string]string) (S3Bucket, bool) {
	s := S3Bucket{
		Bucket: bag["bucket"], Endpoint: bag["endpoint"], Region: bag["region"], Path: bag["path"], Credentials: bag["secret-extra"],
	}
	for _, encoded := range fromJSON[[]string](bag["tls-ca-chain"]) {
		certificate, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			return s, false
		}
		s.CAChain = append(s.CAChain, string(certificate))
	}
	return s, s.Bucket != "" && s.Endpoint != "" && s.Credentials != ""
}

func isURL(value string) error {
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return fmt.Errorf("%q: expected the URL of a store, such as https://s3.example:443", value)
	}
	return nil
}

func isBase64List(value string) error {
	list, err := decode[[]string](value)
	if err != nil {
		return fmt.Errorf("expected a JSON list of certificates in base64: %w", err)
	}
	for i, encoded := range list {
		if _, err := base64.StdEncoding.DecodeString(encoded); err != nil {
			return fmt.Errorf("certificate %d: %w", i+1, err)
		}
	}
	return nil
}
