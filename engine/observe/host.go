package observe

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gantry-orchestrator/gantry/model/operator"
)

// clocks compares everyone's with the leader's.
func clocks(f Facts) (found []operator.Finding) {
	for _, c := range f.Controllers {
		if one, off := clock(c.Name, c.Skew); c.Fault == "" && off {
			one.Degrades = f.several()
			found = append(found, one)
		}
	}
	for _, a := range f.Agents {
		if one, off := clock(a.Name, a.Skew); a.Heard && off {
			found = append(found, one)
		}
	}
	return orOK(found, "clock", fmt.Sprintf("no two are more than %v apart", 2*SkewWarn))
}

func clock(who string, skew time.Duration) (operator.Finding, bool) {
	f := operator.Finding{
		Check: "clock", Subject: who, Level: operator.FindingWarn,
		Why: "certificates, records and logs of different hosts no longer fit together",
		Do:  "run a time service there, such as chrony",
	}
	direction := "ahead of"
	if skew < 0 {
		direction, skew = "behind", -skew
	}
	f.What = fmt.Sprintf("its clock is %v %s the leader's", skew.Round(time.Millisecond), direction)
	if skew >= SkewBad {
		f.Level = operator.FindingBad
	}
	return f, skew > SkewWarn
}

// disks are those of the controllers.
func disks(f Facts) (found []operator.Finding) {
	worst := time.Duration(0)
	for _, c := range f.Controllers {
		if c.Fault != "" {
			continue
		}
		worst = max(worst, c.Vitals.Fsync)
		for _, one := range []operator.Finding{Fsync(c.Name, c.Vitals.Fsync), Space(c.Name, c.Vitals.DiskFreeMiB, c.Vitals.DiskMiB)} {
			if one.Level != operator.FindingOK {
				one.Degrades = f.several()
				found = append(found, one)
			}
		}
	}
	return orOK(found, "disk", fmt.Sprintf("all have space, and keep a write within %v", worst.Round(100*time.Microsecond)))
}

// Fsync judges how long a disk takes to keep a small write.
func Fsync(who string, took time.Duration) operator.Finding {
	f := operator.Finding{Check: "disk", Subject: who, Level: operator.FindingOK, What: fmt.Sprintf("keeps a write within %v", took.Round(100*time.Microsecond))}
	if took < FsyncWarn {
		return f
	}
	f.Level, f.What = operator.FindingWarn, fmt.Sprintf("takes %v to keep a write", took.Round(time.Millisecond))
	if took >= FsyncBad {
		f.Level = operator.FindingBad
	}
	f.Why = "every change waits for the disks of a majority, and a leader whose disk stalls is voted out"
	f.Do = "see what else writes there, and the disk's own health; give the controller a disk of its own"
	return f
}

// Space judges what is left of a disk. A size of 0 is not known.
func Space(who string, freeMiB, sizeMiB int) operator.Finding {
	f := operator.Finding{Check: "disk", Subject: who, Level: operator.FindingOK, What: fmt.Sprintf("%d MiB are free", freeMiB)}
	if sizeMiB == 0 || freeMiB >= 2048 && freeMiB*10 >= sizeMiB || freeMiB >= 20480 {
		return f
	}
	f.Level = operator.FindingWarn
	if freeMiB < 512 {
		f.Level = operator.FindingBad
	}
	f.What = fmt.Sprintf("%d of %d MiB are free", freeMiB, sizeMiB)
	f.Why = "a controller whose disk is full stops, and machines get no room for what they are to hold"
	f.Do = "free some space, or grow the disk"
	return f
}

// certificates are the controllers' own and their authority's.
func certificates(f Facts) (found []operator.Finding) {
	for _, c := range f.Controllers {
		if c.Fault != "" {
			continue
		}
		found = append(found, expiring(c.Name, "its certificate", c.Vitals.Certificate, f.Now)...)
		found = append(found, expiring(c.Name, "the authority of all certificates", c.Vitals.Authority, f.Now)...)
	}
	return orOK(found, "certificates", "all are renewed in time")
}

// expiring finds a certificate that should have been renewed: that happens when
// two thirds of its life are over.
func expiring(who, which string, c operator.Validity, now time.Time) []operator.Finding {
	if one := Expiry(who, which, c, now); one.Level != operator.FindingOK {
		return []operator.Finding{one}
	}
	return nil
}

// Expiry judges how long a certificate is good yet. The zero one is not known.
func Expiry(who, which string, c operator.Validity, now time.Time) operator.Finding {
	left, life := c.Ends.Sub(now), c.Ends.Sub(c.Begins)
	f := operator.Finding{Check: "certificates", Subject: who, Level: operator.FindingOK, What: fmt.Sprintf("%s is good until %s", which, c.Ends.UTC().Format(time.DateOnly))}
	if c.Ends.IsZero() || left > life/5 {
		return f
	}
	f.Level = operator.FindingWarn
	f.What = fmt.Sprintf("%s ends in %v", which, left.Round(time.Minute))
	f.Why = "it should have been renewed by now, and nobody is let in with one that has ended"
	f.Do = "see the log of what holds it; an operator's: gantry login"
	if left <= life/20 {
		f.Level = operator.FindingBad
	}
	if left <= 0 {
		f.What = fmt.Sprintf("%s ended on %s", which, c.Ends.UTC().Format(time.DateTime))
	}
	return f
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// Skew is how far another clock is ahead, which answered theirs between two
// moments of ours. It is wrong by half the round trip at most.
func Skew(asked, theirs, answered time.Time) time.Duration {
	return theirs.Sub(asked.Add(answered.Sub(asked) / 2))
}
