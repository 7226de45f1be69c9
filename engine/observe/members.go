package observe

import (
	"fmt"
	"strings"

	"github.com/gantry-orchestrator/gantry/model/operator"
)

// quorum says how many controllers may still be lost.
func quorum(f Facts) []operator.Finding {
	voters, up := 0, 0
	for _, c := range f.Controllers {
		if !c.Voter {
			continue
		}
		voters++
		if c.Fault == "" {
			up++
		}
	}
	one := operator.Finding{Check: "quorum", Level: operator.FindingOK}
	margin := up - (voters/2 + 1)
	switch {
	case voters < 2:
		one.What = "one controller: nothing takes over should it fail"
		one.Why = "workloads go on without a controller, changes wait for it"
		one.Do = "gantry enable-ha -n 3"
	case margin <= 0:
		one.Level, one.Degrades = operator.FindingBad, true
		one.What = fmt.Sprintf("%d of %d controllers answer: no other may be lost", up, voters)
		one.Why = "with one more lost there is no majority, and every change is refused"
		one.Do = "bring the missing ones up, or replace them: gantry controllers, gantry enable-ha"
	case up < voters:
		one.Level, one.Degrades = operator.FindingWarn, true
		one.What = fmt.Sprintf("%d of %d controllers answer: %d more may be lost", up, voters, margin)
		one.Why = "less may fail than was asked for"
		one.Do = "bring the missing ones up, or replace them: gantry controllers, gantry enable-ha"
	default:
		one.What = fmt.Sprintf("%d of %d controllers answer: %d may be lost", up, voters, margin)
	}
	return []operator.Finding{one}
}

// answering names the controllers that do not answer, and those that are far
// behind.
func answering(f Facts) (found []operator.Finding) {
	for _, c := range f.Controllers {
		switch {
		case c.Fault != "":
			found = append(found, operator.Finding{
				Check: "controllers", Subject: c.Name, Level: operator.FindingBad, Degrades: true,
				What: "does not answer at " + c.Address + ": " + c.Fault,
				Why:  "it takes part in no decision, and can take over nothing",
				Do:   "see its machine and its log; one that does not come back: gantry controllers remove " + c.ID,
			})
		case !c.Voter:
			found = append(found, operator.Finding{
				Check: "controllers", Subject: c.Name, Level: operator.FindingWarn, Degrades: true,
				What: "has no vote yet", Why: "until it has caught up it counts for nothing", Do: "wait; if it stays so see its log",
			})
		case c.Lag > lagWarn:
			found = append(found, operator.Finding{
				Check: "controllers", Subject: c.Name, Level: operator.FindingWarn, Degrades: true,
				What: fmt.Sprintf("is %d entries of the log behind", c.Lag),
				Why:  "it must catch up before it can lead", Do: "see its disk and its network",
			})
		}
	}
	return orOK(found, "controllers", "all answer and follow")
}

// paths are those between controllers that both answer the leader.
func paths(f Facts) (found []operator.Finding) {
	if !f.several() {
		return nil
	}
	reached := map[string]string{}
	for _, c := range f.Controllers {
		if c.Fault == "" {
			reached[c.ID] = c.Name
		}
	}
	for _, c := range f.Controllers {
		if c.Fault != "" {
			continue
		}
		for _, p := range c.Vitals.Paths {
			if to, ok := reached[p.To]; ok && p.Fault != "" {
				found = append(found, operator.Finding{
					Check: "paths", Subject: c.Name, Level: operator.FindingBad, Degrades: true,
					What: "does not reach controller " + to + ": " + p.Fault,
					Why:  "should the leader fail, these two cannot elect one of themselves",
					Do:   "see the network and the firewalls between them",
				})
			}
		}
	}
	return orOK(found, "paths", "every controller reaches every other")
}

// agentPaths says which controllers agents would miss. One that does not answer
// the leader is another check's.
func agentPaths(f Facts) (found []operator.Finding) {
	for _, c := range f.Controllers {
		if c.Fault != "" {
			continue
		}
		var cut []string
		why, tried := "", 0
		for _, a := range f.Agents {
			for _, p := range a.Paths {
				if !a.Heard || p.To != c.Address && p.To != c.ID {
					continue
				}
				tried++
				if p.Fault != "" {
					cut, why = append(cut, a.Name), p.Fault
				}
			}
		}
		if len(cut) > 0 {
			found = append(found, operator.Finding{
				Check: "agents' paths", Subject: c.Name, Level: operator.FindingBad, Degrades: f.several(),
				What: fmt.Sprintf("%d of %d agents do not reach it at %s (%s): %s", len(cut), tried, c.Address, few(cut), why),
				Why:  "should it come to lead, it cannot steer their machines",
				Do:   "see the network and the firewalls between them",
			})
		}
	}
	return orOK(found, "agents' paths", "every agent that is heard reaches every controller")
}

// silent names the agents that are not heard.
func silent(f Facts) (found []operator.Finding) {
	var names []string
	for _, a := range f.Agents {
		if !a.Heard {
			names = append(names, a.Name)
		}
	}
	if len(names) > 0 {
		found = append(found, operator.Finding{
			Check: "agents", Level: operator.FindingWarn,
			What: fmt.Sprintf("%d of %d are not heard: %s", len(names), len(f.Agents), few(names)),
			Why:  "their services go on, and change with nothing that is asked for here",
			Do:   "see those machines: gantry machines",
		})
	}
	return orOK(found, "agents", fmt.Sprintf("all %d are heard", len(f.Agents)))
}

// versions names who runs another one than the leader.
func versions(f Facts) (found []operator.Finding) {
	for _, c := range f.Controllers {
		if v := c.Vitals.Version; v != "" && v != f.Version {
			found = append(found, skewed(c.Name, v, f.Version))
		}
	}
	others := map[string][]string{}
	for _, a := range f.Agents {
		if a.Version != "" && a.Version != f.Version {
			others[a.Version] = append(others[a.Version], a.Name)
		}
	}
	for _, v := range sortedKeys(others) {
		found = append(found, skewed("agents "+few(others[v]), v, f.Version))
	}
	return orOK(found, "versions", "all run "+f.Version)
}

func skewed(who, has, leader string) operator.Finding {
	return operator.Finding{
		Check: "versions", Subject: who, Level: operator.FindingWarn,
		What: fmt.Sprintf("runs %s, the leader %s", has, leader),
		Why:  "one version of difference is good for an upgrade, not for good",
		Do:   "end the upgrade: put the same gantry there and restart it",
	}
}

// few names the first of many.
func few(names []string) string {
	const most = 3
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
