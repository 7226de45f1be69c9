package cli

import (
	"os"
	"path/filepath"
	"testing"
)

func TestTheModelOfAnInstallThatIsGoneIsForgottenAndThatOfAnotherControllerKept(t *testing.T) {
	for content, want := range map[string]string{
		`{"model":"p1"}`: "p1", `{"model":"default"}`: "", `{"context":"ground","model":"p1"}`: "",
	} {
		dir := t.TempDir()
		getenv := func(name string) string { return map[string]string{"XDG_CONFIG_HOME": dir}[name] }
		if err := os.Mkdir(filepath.Join(dir, "gantry"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "gantry", "client.json"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		was, err := ForgetModel(getenv)
		if err != nil || string(was) != want {
			t.Errorf("%s: forgot %q, %v", content, was, err)
		}
		sh := &shell{Config: Config{Getenv: getenv}}
		if p, err := sh.preferences(); err != nil || want != "" && p.Model != "" || want == "" && p.Model == "" {
			t.Errorf("%s: left %+v, %v", content, p, err)
		}
	}
}
