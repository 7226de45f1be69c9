package roles

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gantry-orchestrator/gantry/model"
)

func TestTheDefaultStateDirectoryNamesTheDefaultPlaces(t *testing.T) {
	p := Places{State: "/var/lib/gantry", Run: "/run/gantry", Log: "/var/log/gantry", Cache: "/var/cache/gantry"}
	same, err := p.At("/var/lib/gantry/")
	if err != nil || same != p {
		t.Errorf("At its own directory: %+v, %v", same, err)
	}
	other, err := p.At("/srv/other")
	if want := (Places{State: "/srv/other", Run: "/srv/other/run", Log: "/srv/other/log", Cache: p.Cache}); err != nil || other != want {
		t.Errorf("At another: %+v, %v; want %+v", other, err, want)
	}
}

func TestAnInstallLetsItsCharmsPassThrough(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	p := Places{State: dir, Run: filepath.Join(dir, "run"), Log: filepath.Join(dir, "log"), Cache: filepath.Join(dir, "cache")}
	if err := p.make(); err != nil {
		t.Fatal(err)
	}
	for _, place := range []string{p.State, p.Run} {
		if info, err := os.Stat(place); err != nil || info.Mode().Perm() != 0o711 {
			t.Errorf("%s: %v, %v; want mode 0711", place, info.Mode(), err)
		}
	}
}

func TestTheNextStepNamesTheInstallWhereItIsNotTheDefaultOne(t *testing.T) {
	if said := DefaultPlaces(os.Getenv).flag(); said != "" {
		t.Errorf("of the default install it says %q", said)
	}
	if said := (Places{State: "/srv/other"}).flag(); said != " --state-dir /srv/other" {
		t.Errorf("of another it says %q", said)
	}
}

// install is one in a directory of the test's, as up leaves it.
func install(t *testing.T) Places {
	t.Helper()
	p, err := Places{Cache: t.TempDir()}.At(filepath.Join(t.TempDir(), "state"))
	if err == nil {
		err = p.make()
	}
	if err == nil {
		err = p.saveInstall(Install{Provider: "loopback", Port: 17170})
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func write(t *testing.T, path string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
}

func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func TestADirectoryOfSomebodyElseIsNeitherTakenNorRemoved(t *testing.T) {
	for name, files := range map[string][]string{
		"files of somebody":                   {"passwd", "ssl/key"},
		"names that an install has too":       {"log/messages", "shared/data", "run/pid"},
		"a configuration of something else":   {"log/messages"},
		"an install beside files of somebody": {"machines/0/disk", "thesis.tex"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := Places{Cache: t.TempDir()}.At(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				write(t, filepath.Join(p.State, f))
			}
			if name == "a configuration of something else" {
				if err := os.WriteFile(p.config(), []byte(`{"auths": {}}`), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			before := names(t, p.State)
			if err := runDown(t.Context(), p, true, t.Output()); !errors.Is(err, model.ErrNotFound) && !errors.Is(err, model.ErrInvalid) {
				t.Errorf("down --destroy: %v", err)
			}
			for _, f := range files {
				if _, err := os.Stat(filepath.Join(p.State, f)); err != nil {
					t.Errorf("down --destroy took %v", err)
				}
			}
			if after := names(t, p.State); !slices.Equal(before, after) {
				t.Errorf("of %v there is %v", before, after)
			}
		})
	}
	p, err := Places{Cache: t.TempDir()}.At(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(p.State, "passwd"))
	if err := p.make(); !errors.Is(err, model.ErrConflict) {
		t.Errorf("up in a directory of somebody else: %v, want a conflict", err)
	}
	if info, err := os.Stat(p.State); err != nil || info.Mode().Perm() == 0o711 || len(names(t, p.State)) != 1 {
		t.Errorf("its mode is %v, it holds %v (%v)", info.Mode(), names(t, p.State), err)
	}
}

func TestAnInstallIsRemovedWholeAndNothingElseWithIt(t *testing.T) {
	p := install(t)
	for _, dir := range p.belongings() {
		write(t, filepath.Join(dir, "file"))
	}
	if stays, err := p.remove(); err != nil || len(stays) > 0 || len(names(t, filepath.Dir(p.State))) > 0 {
		t.Errorf("%v stays of %v, %v", stays, names(t, filepath.Dir(p.State)), err)
	}
	if err := p.removeEmpty(); err != nil {
		t.Errorf("where nothing is: %v", err)
	}
	p = install(t)
	write(t, filepath.Join(p.State, "thesis.tex"))
	if stays, err := p.remove(); err != nil || !slices.Equal(stays, []string{"thesis.tex"}) || !slices.Equal(names(t, p.State), stays) {
		t.Errorf("%v stays, %v; the directory has %v", stays, err, names(t, p.State))
	}
}
