package roles

import "github.com/gantry-orchestrator/gantry/engine/observe/trace"

// traced is the place for spans that up was given, for the roles that it
// starts.
func traced(getenv func(string) string) (env []string) {
	for _, name := range []string{trace.EndpointVariable, trace.FileVariable} {
		if value := getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}
