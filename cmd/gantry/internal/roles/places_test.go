package roles

import "testing"

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
