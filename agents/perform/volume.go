package perform

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// The stamp of a volume is a file beside it, not in it: initdb, mkfs-like and
// format tools refuse a directory that holds anything, and extended
// attributes are not to be had on every file system.
type stamp struct {
	Incarnation string `json:"incarnation"`
}

func stampPath(volume string) string {
	return filepath.Join(filepath.Dir(volume), "."+filepath.Base(volume)+".gantry-incarnation")
}

func readStamp(volume string) (string, error) {
	b, err := os.ReadFile(stampPath(volume))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the stamp of %s: %w", volume, err)
	}
	var s stamp
	if err := json.Unmarshal(b, &s); err != nil {
		return "", fmt.Errorf("stamp %s does not read: remove it only when the volume's data may go: %w", stampPath(volume), model.ErrConflict)
	}
	return s.Incarnation, nil
}

// VolumeState is the value of the volume's fact: empty, foreign, or stamped
// with an incarnation. A stamp beside a directory that is gone counts for
// nothing.
func VolumeState(path string) (string, error) {
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return effect.VolumeEmpty, nil
	}
	if err != nil {
		return "", fmt.Errorf("look into volume %s: %w", path, err)
	}
	incarnation, err := readStamp(path)
	switch {
	case err != nil:
		return "", err
	case incarnation != "":
		return effect.VolumeStamped + incarnation, nil
	case len(entries) == 0:
		return effect.VolumeEmpty, nil
	default:
		return effect.VolumeForeign, nil
	}
}

// MakeVolume makes the directory with its incarnation stamped beside it. Data
// of another incarnation is renamed aside under a warrant for it, and
// otherwise refused, as foreign data always is.
func MakeVolume(v effect.Volume, warrants []effect.Warrant) error {
	owner, err := lookup(v.Owner, v.Group)
	if err != nil {
		return fmt.Errorf("own volume %s: %w", v.Path, err)
	}
	state, err := VolumeState(v.Path)
	if err != nil {
		return err
	}
	switch state {
	case effect.VolumeForeign:
		return fmt.Errorf("volume %s holds data that Gantry did not make: move it away, or give the volume another path: %w", v.Path, model.ErrConflict)
	case effect.VolumeEmpty, effect.VolumeStamped + v.Incarnation:
	default:
		old := state[len(effect.VolumeStamped):]
		if !warranted(warrants, v.ID, old) {
			return fmt.Errorf("volume %s holds incarnation %s, not %s: only an order or --destroy-storage may replace it: %w", v.Path, old, v.Incarnation, model.ErrConflict)
		}
		if err := setAside(v.Path, old); err != nil {
			return err
		}
	}
	if err := makeParents(v.Path); err != nil {
		return err
	}
	// The stamp first: a directory without one that a service then filled
	// would be foreign.
	if err := writeStamp(v.Path, v.Incarnation); err != nil {
		return err
	}
	return makeDir(v.Path, fs.FileMode(v.Mode), owner)
}

func writeStamp(path, incarnation string) error {
	b, err := json.Marshal(stamp{Incarnation: incarnation})
	if err != nil {
		return err
	}
	return replaceFile(stampPath(path), append(b, '\n'), 0o600, account{UID: os.Geteuid(), GID: os.Getegid()})
}

// setAside renames the directory of an old incarnation to a name of its own
// and drops the stamp.
func setAside(path, incarnation string) error {
	aside := path + ".gantry-" + filepath.Base(incarnation)
	for n := 2; ; n++ {
		if _, err := os.Lstat(aside); errors.Is(err, fs.ErrNotExist) {
			break
		}
		aside = path + ".gantry-" + filepath.Base(incarnation) + "-" + strconv.Itoa(n)
	}
	if err := os.Rename(path, aside); err != nil {
		return fmt.Errorf("set aside volume %s: %w", path, err)
	}
	if _, err := remove(stampPath(path)); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// ReleaseVolume ends a volume and keeps its data, which it names in left. An
// empty directory goes.
func ReleaseVolume(v effect.Volume) (left []string, err error) {
	if left, err = remove(v.Path); err != nil || len(left) > 0 {
		return left, err
	}
	if _, err := remove(stampPath(v.Path)); err != nil {
		return nil, err
	}
	return nil, syncAbove(v.Path)
}

// DestroyVolume ends a volume with its data, under a warrant for the
// incarnation that is there.
func DestroyVolume(v effect.Volume, warrants []effect.Warrant) (left []string, err error) {
	incarnation, err := readStamp(v.Path)
	if err != nil {
		return nil, err
	}
	if incarnation == "" || !warranted(warrants, v.ID, incarnation) {
		return ReleaseVolume(v)
	}
	if err := os.RemoveAll(v.Path); err != nil {
		return nil, fmt.Errorf("destroy volume %s: %w", v.Path, err)
	}
	return ReleaseVolume(v)
}

func syncAbove(path string) error {
	err := SyncDir(filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func warranted(warrants []effect.Warrant, volume effect.ID, incarnation string) bool {
	return slices.ContainsFunc(warrants, func(w effect.Warrant) bool { return w.Permits(volume, incarnation) })
}
