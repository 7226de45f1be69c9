package cli

import (
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gantry-orchestrator/gantry/model"
)

// palette colours words; the zero value leaves them as they are.
type palette bool

func (p palette) paint(code, text string) string {
	if !p || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (p palette) bold(text string) string   { return p.paint("1", text) }
func (p palette) faint(text string) string  { return p.paint("2", text) }
func (p palette) red(text string) string    { return p.paint("31", text) }
func (p palette) green(text string) string  { return p.paint("32", text) }
func (p palette) yellow(text string) string { return p.paint("33", text) }

// level colours a word by how it fares.
func (p palette) level(l model.Level, text string) string {
	switch l {
	case model.Active:
		return p.green(text)
	case model.Maintenance, model.Waiting:
		return p.yellow(text)
	case model.Blocked:
		return p.red(text)
	default:
		return p.faint(text)
	}
}

// cell is one field of a table; colour is put on once its width is known.
type cell struct {
	text  string
	paint func(string) string
}

// table aligns rows of cells in columns, two spaces apart. The first row is the
// headings.
type table struct{ rows [][]cell }

func (t *table) row(cells ...string) {
	row := make([]cell, 0, len(cells))
	for _, text := range cells {
		row = append(row, cell{text: text})
	}
	t.add(row...)
}

func (t *table) add(cells ...cell) { t.rows = append(t.rows, cells) }

// tidy takes columns away that have a heading and nothing else.
func (t *table) tidy() {
	if len(t.rows) < 2 {
		return
	}
	for i := len(t.rows[0]) - 1; i >= 0; i-- {
		filled := func(row []cell) bool { return i < len(row) && row[i].text != "" }
		if slices.ContainsFunc(t.rows[1:], filled) {
			continue
		}
		for r, row := range t.rows {
			if i < len(row) {
				t.rows[r] = slices.Delete(row, i, i+1)
			}
		}
	}
}

// writeOr writes the table, or a line instead where it has headings only.
func (t *table) writeOr(w io.Writer, empty string) {
	if len(t.rows) < 2 {
		io.WriteString(w, empty+"\n")
		return
	}
	t.write(w)
}

func (t *table) write(w io.Writer) {
	t.tidy()
	var widths []int
	for _, row := range t.rows {
		for i, c := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(c.text))
		}
	}
	for _, row := range t.rows {
		for len(row) > 0 && row[len(row)-1].text == "" {
			row = row[:len(row)-1]
		}
		var line strings.Builder
		for i, c := range row {
			text := c.text
			if c.paint != nil {
				text = c.paint(text)
			}
			line.WriteString(text)
			if i < len(row)-1 {
				line.WriteString(strings.Repeat(" ", widths[i]+2-utf8.RuneCountInString(c.text)))
			}
		}
		line.WriteByte('\n')
		io.WriteString(w, line.String())
	}
}
