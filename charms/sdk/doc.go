// Package sdk is what a charm is written with.
//
// A charm is a value with one pure method, Reconcile: from all that a unit may
// know to all that there should be on its machine. It does nothing itself; the
// agent carries out what it returns. What a charm can do beyond that is told
// by the optional interfaces that it implements: named calls, actions, a
// workload of its own, a simulated twin.
//
//	type Charm struct{}
//
//	func (Charm) Reconcile(in effect.Input) effect.Desired {
//		var b sdk.Builder
//		pkg := b.Package("redis-server")
//		conf := b.File(effect.File{
//			Path:    in.Host.Config + "/redis.conf",
//			Content: sdk.Text("port ", sdk.Int(in, "port"), "\n"),
//		})
//		b.Service(effect.Service{
//			ID:        "service/redis",
//			Command:   []string{"/usr/bin/redis-server", in.Host.Config + "/redis.conf"},
//			Uses:      []effect.ID{pkg, conf},
//			RestartOn: []effect.ID{conf},
//		})
//		return b.Done(sdk.Active(""))
//	}
//
//	func main() { sdk.Main(Charm{}) }
package sdk
