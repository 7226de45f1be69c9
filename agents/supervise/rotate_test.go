package supervise

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// history is the log from its oldest file on, holes left out.
func history(t *testing.T, path string) string {
	t.Helper()
	var out []byte
	for i := 99; i >= 0; i-- {
		name := path
		if i > 0 {
			name = fmt.Sprintf("%s.%d", path, i)
		}
		b, err := os.ReadFile(name)
		if err == nil {
			out = append(out, bytes.TrimLeft(b, "\x00")...)
		}
	}
	return string(out)
}

// Both ways to take the head out of a live log are tested: the one of the
// temporary directory's file system and the one of a tmpfs.
func logDirs(t *testing.T) map[string]string {
	dirs := map[string]string{"temporary directory": t.TempDir()}
	if dir, err := os.MkdirTemp("/dev/shm", "sup"); err == nil {
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		dirs["tmpfs"] = dir
	}
	return dirs
}

func TestRotationLosesNoByteOfAWriter(t *testing.T) {
	for name, dir := range logDirs(t) {
		t.Run(name, func(t *testing.T) {
			const lines = 200_000
			path := filepath.Join(dir, "log")
			c := testConfig(shortDir(t))
			client := supervisorIn(t, c)
			s := Spec{ID: "seq", Command: []string{"sh", "-c", fmt.Sprintf("seq %d; exec sleep 1000", lines)}, LogFile: path, LogMaxBytes: 2 * logBlock, LogKeep: 50}
			mustStart(t, client, s)
			last := fmt.Sprintf("\n%d\n", lines)
			untilFile(t, path, func(s string) bool { return strings.HasSuffix(s, last) })
			// The last rotation is under way or over when the log is small.
			untilSmall(t, path, 2*logBlock)
			if _, err := client.Stop(t.Context(), "seq"); err != nil {
				t.Fatal(err)
			}
			var want strings.Builder
			for i := range lines {
				fmt.Fprintln(&want, i+1)
			}
			if got := history(t, path); got != want.String() {
				t.Errorf("%d bytes of log, want %d", len(got), want.Len())
			}
			files, _ := filepath.Glob(path + ".[0-9]*")
			if len(files) < 5 {
				t.Errorf("rotated files: %v", files)
			}
			for _, f := range files {
				if info, err := os.Stat(f); err != nil || info.Size() > 2*logBlock {
					t.Errorf("%s has %d bytes, %v", f, info.Size(), err)
				}
			}
		})
	}
}

// untilSmall waits until the live log holds less than max bytes of disk.
func untilSmall(t *testing.T, path string, max int64) {
	t.Helper()
	untilFile(t, path, func(string) bool {
		info, err := os.Stat(path)
		return err == nil && info.Sys().(*syscall.Stat_t).Blocks*512 <= max
	})
}

func TestRotationKeepsNoMoreThanItsCap(t *testing.T) {
	for name, dir := range logDirs(t) {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, "log")
			r := rotation{path, logBlock, 2}
			f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			for i := range 10 {
				if _, err := f.Write(bytes.Repeat([]byte{byte('a' + i)}, logBlock)); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := f.WriteString("rest"); err != nil {
				t.Fatal(err)
			}
			if err := r.rotate(); err != nil {
				t.Fatal(err)
			}
			want := strings.Repeat("i", logBlock) + strings.Repeat("j", logBlock) + "rest"
			if got := history(t, path); got != want {
				t.Errorf("kept %d bytes, want %d", len(got), len(want))
			}
			if err := r.rotate(); err != nil {
				t.Fatal(err)
			}
			if got := history(t, path); got != want {
				t.Error("a second rotation of a small log changed it")
			}
			if entries, _ := os.ReadDir(dir); len(entries) != 3 {
				t.Errorf("files: %v", entries)
			}
		})
	}
}

func TestRotationOfALogThatIsNotThereDoesNothing(t *testing.T) {
	if err := (rotation{filepath.Join(t.TempDir(), "none"), logBlock, 2}).rotate(); err != nil {
		t.Error(err)
	}
}
