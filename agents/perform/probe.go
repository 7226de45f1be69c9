package perform

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Caller runs a charm's named Call for one unit, in a process of its own.
type Caller interface {
	// The text is its result. args have their secrets filled in.
	Call(ctx context.Context, call string, args map[string]string, user string, token uint64) (string, error)
}

// DefaultProbeTimeout bounds a reading whose probe names no timeout.
const DefaultProbeTimeout = 3 * time.Second

// maxReading bounds what a probe may answer.
const maxReading = 1 << 20

// ReadProbe takes one reading. An error means that the value is unknown.
func ReadProbe(ctx context.Context, secrets Secrets, caller Caller, p effect.Probe) (string, error) {
	timeout := p.Timeout
	if timeout <= 0 {
		timeout = DefaultProbeTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	value, err := readOnce(ctx, secrets, caller, p)
	if err != nil {
		return "", fmt.Errorf("probe %s: %w", p.ID, err)
	}
	return value, nil
}

func readOnce(ctx context.Context, secrets Secrets, caller Caller, p effect.Probe) (string, error) {
	switch {
	case p.HTTP != nil:
		return readHTTP(ctx, secrets, *p.HTTP, p.Select)
	case p.Exec != nil:
		text, err := readExec(ctx, secrets, caller, *p.Exec)
		if err != nil || len(p.Select) == 0 {
			return text, err
		}
		return selectPaths([]byte(text), p.Select)
	case p.TCP != "":
		return readTCP(ctx, p.TCP)
	case p.File != "":
		return readFile(p.File, p.Select)
	default:
		return "", fmt.Errorf("it has no http, exec, tcp or file: %w", model.ErrInvalid)
	}
}

func readTCP(ctx context.Context, address string) (string, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if errors.Is(ctx.Err(), context.Canceled) {
		return "", ctx.Err()
	}
	if err != nil {
		return "false", nil
	}
	return "true", conn.Close()
}

func readFile(path string, selects []string) (string, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(io.LimitReader(f, maxReading))
	if err = errors.Join(err, f.Close()); err != nil {
		return "", err
	}
	if len(selects) > 0 {
		return selectPaths(b, selects)
	}
	return strings.TrimSpace(string(b)), nil
}

func readExec(ctx context.Context, secrets Secrets, caller Caller, x effect.Exec) (string, error) {
	if x.Call != "" {
		args, err := renderAll(ctx, secrets, x.Args)
		if err != nil {
			return "", err
		}
		result, err := caller.Call(ctx, x.Call, args, x.User, 0)
		return strings.TrimSpace(result), err
	}
	command, err := commandOf(ctx, secrets, x)
	if err != nil {
		return "", err
	}
	out, err := command.Run(ctx)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(out.Stdout), out.failure(command.Argv[0])
}

func readHTTP(ctx context.Context, secrets Secrets, p effect.HTTPProbe, selects []string) (string, error) {
	method := p.Method
	if method == "" {
		method = http.MethodGet
	}
	request, err := http.NewRequestWithContext(ctx, method, p.URL, nil)
	if err != nil {
		return "", fmt.Errorf("%w: %w", err, model.ErrInvalid)
	}
	headers, err := renderAll(ctx, secrets, p.Header)
	if err != nil {
		return "", err
	}
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, TLSClientConfig: trust(request.URL.Hostname())},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxReading))
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return "", err
	}
	if len(selects) == 0 {
		return strconv.Itoa(response.StatusCode), nil
	}
	return selectPaths(body, selects)
}

// trust lets a probe of the machine's own server do without its certificate
// authority: nobody is between.
func trust(host string) *tls.Config {
	address := net.ParseIP(host)
	own := host == "localhost" || address != nil && (address.IsLoopback() || ownAddress(address))
	return &tls.Config{InsecureSkipVerify: own, MinVersion: tls.VersionTLS12}
}

func ownAddress(address net.IP) bool {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.Equal(address) {
			return true
		}
	}
	return false
}

// selectPaths picks dotted paths out of a JSON body. A number in a path
// indexes an array. The answer is a JSON object of the paths that were found.
func selectPaths(body []byte, paths []string) (string, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var document any
	if err := decoder.Decode(&document); err != nil {
		return "", fmt.Errorf("the body is not JSON: %w", err)
	}
	found := map[string]any{}
	for _, path := range paths {
		if value, ok := selectPath(document, strings.Split(path, ".")); ok {
			found[path] = value
		}
	}
	b, err := json.Marshal(found)
	return string(b), err
}

func selectPath(value any, path []string) (any, bool) {
	for _, step := range path {
		switch v := value.(type) {
		case map[string]any:
			next, ok := v[step]
			if !ok {
				return nil, false
			}
			value = next
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(v) {
				return nil, false
			}
			value = v[i]
		default:
			return nil, false
		}
	}
	return value, true
}
