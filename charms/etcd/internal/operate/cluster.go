package operate

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
)

// Cluster is the gateway of one member.
type Cluster struct {
	Endpoint string // URL of the member's client port
	Password string // of the user root
	Trust    string // PEM of the authorities that vouch for members, "" without TLS

	unhurried bool // requests take as long as the store is large
}

// Local is the gateway of the unit's own member, with what an action, which
// has no secrets of its own, reads in the member's files: the password, and
// whom to trust, "" without TLS.
func Local(endpoint, passwordFile, trustFile string) (Cluster, error) {
	c := Cluster{Endpoint: endpoint}
	password, err := os.ReadFile(passwordFile)
	if err != nil {
		return c, fmt.Errorf("the member has yet to be set up: %w: %w", err, model.ErrUnavailable)
	}
	c.Password = string(password)
	if trustFile == "" {
		return c, nil
	}
	trust, err := os.ReadFile(trustFile)
	if err != nil {
		return c, fmt.Errorf("the member has yet to be given its certificate: %w: %w", err, model.ErrUnavailable)
	}
	c.Trust = string(trust)
	return c, nil
}

// requestPatience is longer than etcd's own for a request that takes a quorum.
const requestPatience = 10 * time.Second

// patience is how long one request may take: a member whose machine dies with a
// request in hand never answers it.
func (c Cluster) patience() time.Duration {
	if c.unhurried {
		return 0
	}
	return requestPatience
}

// refusal is what the gateway says instead of an answer.
type refusal struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// The codes of gRPC that matter here.
const (
	codeInvalid      = 3
	codeNotFound     = 5
	codePrecondition = 9
	codeUnavailable  = 14
)

// Error implements error.
func (r refusal) Error() string { return r.Message }

// Unwrap is the error's class.
func (r refusal) Unwrap() error {
	switch r.Code {
	case codeNotFound:
		return model.ErrNotFound
	case codeInvalid:
		return model.ErrInvalid
	case codePrecondition:
		return model.ErrConflict
	default:
		return model.ErrUnavailable
	}
}

// says reports whether err is etcd's refusal for a reason.
func says(err error, reason string) bool {
	var r refusal
	return errors.As(err, &r) && strings.Contains(r.Message, reason)
}

func (c Cluster) client() (http.Client, error) {
	transport := &http.Transport{DisableKeepAlives: true}
	if c.Trust != "" {
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM([]byte(c.Trust)) {
			return http.Client{}, fmt.Errorf("the authorities to trust hold no certificate: %w", model.ErrInvalid)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	return http.Client{Transport: transport, Timeout: c.patience()}, nil
}

// call asks the gateway as root where etcd asks for passwords.
func (c Cluster) call(ctx context.Context, path string, body, into any) error {
	token, err := c.token(ctx)
	if err != nil {
		return err
	}
	response, err := c.send(ctx, path, token, body)
	if err != nil {
		return err
	}
	if into == nil {
		into = &struct{}{}
	}
	err = json.NewDecoder(response).Decode(into)
	return errors.Join(err, response.Close())
}

// token is root's for one call, "" where etcd does not ask for passwords yet.
func (c Cluster) token(ctx context.Context) (string, error) {
	var answer struct{ Token string }
	response, err := c.send(ctx, "/v3/auth/authenticate", "", map[string]string{"name": "root", "password": c.Password})
	if says(err, "authentication is not enabled") {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("log in as root: %w", err)
	}
	err = json.NewDecoder(response).Decode(&answer)
	return answer.Token, errors.Join(err, response.Close())
}

func (c Cluster) send(ctx context.Context, path, token string, body any) (io.ReadCloser, error) {
	b, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Endpoint+path, bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, model.ErrInvalid)
	}
	if token != "" {
		request.Header.Set("Authorization", token)
	}
	client, err := c.client()
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask etcd at %s: %w", c.Endpoint, errors.Join(err, model.ErrUnavailable))
	}
	if response.StatusCode == http.StatusOK {
		return response.Body, nil
	}
	refused := refusal{Code: codeUnavailable, Message: response.Status}
	err = json.NewDecoder(response.Body).Decode(&refused)
	_ = response.Body.Close()
	if err != nil {
		return nil, fmt.Errorf("%s answers %s: %w", c.Endpoint, response.Status, model.ErrUnavailable)
	}
	return nil, fmt.Errorf("%s: %w", c.Endpoint, refused)
}
