package requirer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"net"
	"strings"

	"github.com/gantry-orchestrator/gantry/model"
)

const (
	callKey     = "tls-key"
	callRequest = "tls-request"
)

// Calls are those of the tasks that Request wants, by name.
var Calls = map[string]func(args map[string]string) (string, error){callKey: makeKey, callRequest: makeRequest}

func makeKey(map[string]string) (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", fmt.Errorf("make a key: %w", err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return "", fmt.Errorf("encode a key: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})), nil
}

func makeRequest(args map[string]string) (string, error) {
	block, _ := pem.Decode([]byte(args["key"]))
	if block == nil {
		return "", fmt.Errorf("the key is no PEM: %w", model.ErrInvalid)
	}
	key, err := x509.ParseECPrivateKey(block.Bytes)
	if err != nil {
		return "", fmt.Errorf("decode the key: %w", err)
	}
	return request(key, args)
}

func request(key crypto.Signer, args map[string]string) (string, error) {
	template := &x509.CertificateRequest{Subject: pkix.Name{CommonName: args["name"]}, DNSNames: strings.Split(args["names"], ",")}
	for _, text := range strings.Split(args["addresses"], ",") {
		address := net.ParseIP(text)
		if address == nil {
			return "", fmt.Errorf("address %q: %w", text, model.ErrInvalid)
		}
		template.IPAddresses = append(template.IPAddresses, address)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		return "", fmt.Errorf("sign the request: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})), nil
}
