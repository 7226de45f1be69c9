package cli

import (
	"fmt"
	"io"
	"sync"
	"time"
	"unicode/utf8"
)

// quietFor is how long something may take before it is talked about.
const quietFor = time.Second

// progress tells what is under way: on a terminal in one line that changes,
// elsewhere in a line at every change.
type progress struct {
	w     io.Writer
	width int // of the terminal; 0 where it is none
	now   func() time.Time
	start time.Time
	quit  chan struct{}
	gone  sync.WaitGroup

	mu      sync.Mutex
	text    string
	printed string // the text of the last line
}

// begin starts to tell what is under way; end must follow.
func (sh *shell) begin(text string) *progress {
	p := &progress{w: sh.Stderr, now: sh.Now, start: sh.Now(), text: text, quit: make(chan struct{})}
	if sh.flags.quiet {
		p.w = io.Discard
	}
	p.width, _ = terminal(sh.Stderr)
	p.gone.Go(p.tick)
	return p
}

func (p *progress) tick() {
	ticks := time.NewTicker(quietFor)
	defer ticks.Stop()
	for {
		select {
		case <-p.quit:
			return
		case <-ticks.C:
			p.mu.Lock()
			p.draw()
			p.mu.Unlock()
		}
	}
}

// tell changes what is under way.
func (p *progress) tell(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text = text
	if p.now().Sub(p.start) >= quietFor {
		p.draw()
	}
}

func (p *progress) draw() {
	elapsed := p.now().Sub(p.start).Round(time.Second)
	switch {
	case p.width > 0:
		fmt.Fprintf(p.w, "\r\x1b[K%s", clip(fmt.Sprintf("%6s  %s", elapsed, p.text), p.width-1))
	case p.text != p.printed:
		fmt.Fprintf(p.w, "%6s  %s\n", elapsed, p.text)
	}
	p.printed = p.text
}

// end takes the line away and returns how long it all took.
func (p *progress) end() time.Duration {
	close(p.quit)
	p.gone.Wait()
	if p.width > 0 && p.printed != "" {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
	return p.now().Sub(p.start)
}

// clip shortens a text to so many characters.
func clip(text string, width int) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:max(0, width-1)]) + "…"
}
