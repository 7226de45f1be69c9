package operate

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// gateway is a member that answers as etcd's does, without passwords.
func gateway(t *testing.T, lists func() []Member, added func() Member) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var answer any
		switch {
		case strings.HasSuffix(r.URL.Path, "/authenticate"):
			w.WriteHeader(http.StatusBadRequest)
			answer = map[string]any{"code": codePrecondition, "message": "etcdserver: authentication is not enabled"}
		case strings.HasSuffix(r.URL.Path, "/member/add"):
			answer = map[string]any{"member": added(), "members": append(lists(), added())}
		default:
			answer = map[string]any{"members": lists()}
		}
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

func TestALearnerWaitsUntilAMemberThatIsBehindListsIt(t *testing.T) {
	const url = "http://10.0.0.3:2380"
	earlier, learner := Member{ID: 30, Name: "etcd-2", PeerURLs: []string{url}}, Member{ID: 31, PeerURLs: []string{url}}
	first, second := Member{ID: 1, Name: "etcd-0"}, Member{ID: 2, Name: "etcd-1"}
	var asked atomic.Int32
	behind := gateway(t, func() []Member {
		if asked.Add(1) < 3 {
			return []Member{first, second, earlier}
		}
		return []Member{first, second, learner}
	}, nil)
	second.ClientURLs = []string{behind.URL}
	partner := gateway(t, func() []Member { return []Member{first, second} }, func() Member { return learner })
	cluster, err := Cluster{Endpoint: partner.URL}.Join(t.Context(), "etcd-2", url)
	if err != nil || !strings.Contains(cluster, "etcd-2="+url) {
		t.Fatalf("%q, %v", cluster, err)
	}
	if n := asked.Load(); n != 3 {
		t.Errorf("the member that is behind was asked %d times, and listed the learner at the third", n)
	}
}
