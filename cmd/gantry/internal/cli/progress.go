package cli

import (
	"fmt"
	"io"
	"sync"
	"time"
	"unicode/utf8"
)

// How long something may take before it is talked about, and after how long
// it is said again, where there is no terminal, what is under way.
const (
	quietFor    = time.Second
	remindAfter = time.Minute
)

// progress tells what is under way: on a terminal in one line that changes,
// elsewhere in a line at every change of its gist.
type progress struct {
	w     io.Writer
	width int // of the terminal; 0 where it is none
	now   func() time.Time
	start time.Time
	quit  chan struct{}
	gone  sync.WaitGroup

	mu         sync.Mutex
	text, gist string
	printed    string // the gist of the last line
	printedAt  time.Time
}

// begin starts to tell what is under way; end must follow.
func (sh *shell) begin(text string) *progress {
	p := &progress{w: sh.Stderr, now: sh.Now, start: sh.Now(), text: text, gist: text, quit: make(chan struct{})}
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
func (p *progress) tell(text string) { p.tellOf(text, text) }

// tellOf changes what is under way. Without a terminal a text of the same gist
// as the one before is not worth a line.
func (p *progress) tellOf(gist, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text, p.gist = text, gist
	if p.now().Sub(p.start) >= quietFor {
		p.draw()
	}
}

func (p *progress) draw() {
	now := p.now()
	elapsed := now.Sub(p.start).Round(time.Second)
	switch {
	case p.width > 0:
		fmt.Fprintf(p.w, "\r\x1b[K%s", clip(fmt.Sprintf("%6s  %s", elapsed, p.text), p.width-1))
	case p.gist != p.printed, now.Sub(p.printedAt) >= remindAfter:
		fmt.Fprintf(p.w, "%6s  %s\n", elapsed, p.text)
	default:
		return
	}
	p.printed, p.printedAt = p.gist, now
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
