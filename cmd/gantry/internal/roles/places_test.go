package roles

import (
	"os"
	"path/filepath"
	"testing"
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
