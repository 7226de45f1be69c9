package operate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"testing"
)

func TestAKeyOfEitherFormSignsARequestOfItsOwn(t *testing.T) {
	made, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	former, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(former)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]string{
		"as it is made now":     made,
		"as it was made before": string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})),
	} {
		t.Run(name, func(t *testing.T) {
			text, err := Request(key, Subject{Name: "kafka-0", Names: []string{"kafka-0"}, Addresses: []string{"10.0.0.1"}})
			if err != nil {
				t.Fatal(err)
			}
			block, _ := pem.Decode([]byte(text))
			request, err := x509.ParseCertificateRequest(block.Bytes)
			if err != nil || request.CheckSignature() != nil || request.Subject.CommonName != "kafka-0" {
				t.Errorf("%v: the request is %+v", err, request)
			}
		})
	}
	if block, _ := pem.Decode([]byte(made)); block.Type != "PRIVATE KEY" {
		t.Errorf("Java cannot read a %s", block.Type)
	}
}
