package sandbox

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

func (n network) table() string { return "gantry_" + n.id }

// mark labels the rules that we must add to others' chains.
func (n network) mark() []byte { return []byte(n.table()) }

// ensureRules masks machines behind this host's address, and lets their
// packets pass chains of others that drop what they do not know (Docker's,
// firewalld's): an accept of our own would not overrule those.
func (n network) ensureRules(subnet netip.Prefix) error {
	nft, err := nftables.New()
	if err != nil {
		return err
	}
	tables, err := nft.ListTablesOfFamily(nftables.TableFamilyIPv4)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(tables, func(t *nftables.Table) bool { return t.Name == n.table() }) {
		n.addMasquerade(nft, subnet)
	}
	chains, err := forwardChains(nft)
	if err != nil {
		return err
	}
	for _, chain := range chains {
		if chain.Policy == nil || *chain.Policy != nftables.ChainPolicyDrop {
			continue
		}
		if err := n.pass(nft, chain); err != nil {
			return err
		}
	}
	return nft.Flush()
}

func (n network) addMasquerade(nft *nftables.Conn, subnet netip.Prefix) {
	table := nft.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: n.table()})
	chain := nft.AddChain(&nftables.Chain{
		Table: table, Name: "postrouting", Type: nftables.ChainTypeNAT,
		Hooknum: nftables.ChainHookPostrouting, Priority: nftables.ChainPriorityNATSource,
	})
	const sourceOffset = 12 // of an IPv4 header
	address := subnet.Addr().As4()
	nft.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: sourceOffset, Len: 4},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: binaryutil.BigEndian.PutUint32(^uint32(0) << (32 - subnet.Bits())), Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: address[:]},
		&expr.Meta{Key: expr.MetaKeyOIFNAME, Register: 1},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: interfaceName(n.bridge())},
		&expr.Masq{},
	}})
}

// forwardChains are all chains at the forward hook.
func forwardChains(nft *nftables.Conn) ([]*nftables.Chain, error) {
	var found []*nftables.Chain
	for _, family := range []nftables.TableFamily{nftables.TableFamilyIPv4, nftables.TableFamilyINet} {
		chains, err := nft.ListChainsOfTableFamily(family)
		if err != nil {
			return nil, err
		}
		for _, c := range chains {
			if c.Hooknum != nil && *c.Hooknum == *nftables.ChainHookForward {
				found = append(found, c)
			}
		}
	}
	return found, nil
}

// pass lets packets from and to the bridge through a chain, once.
func (n network) pass(nft *nftables.Conn, chain *nftables.Chain) error {
	rules, err := nft.GetRules(chain.Table, chain)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(rules, func(r *nftables.Rule) bool { return bytes.Equal(r.UserData, n.mark()) }) {
		return nil
	}
	n.log.Warn("a firewall drops forwarded packets; letting those of machines pass",
		"table", chain.Table.Name, "chain", chain.Name, "bridge", n.bridge())
	for _, key := range []expr.MetaKey{expr.MetaKeyIIFNAME, expr.MetaKeyOIFNAME} {
		nft.InsertRule(&nftables.Rule{Table: chain.Table, Chain: chain, UserData: n.mark(), Exprs: []expr.Any{
			&expr.Meta{Key: key, Register: 1},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: interfaceName(n.bridge())},
			&expr.Counter{},
			&expr.Verdict{Kind: expr.VerdictAccept},
		}})
	}
	return nil
}

// removeRules removes our table, and our rules from others' chains.
func (n network) removeRules() error {
	nft, err := nftables.New()
	if err != nil {
		return err
	}
	chains, err := forwardChains(nft)
	if err != nil {
		return err
	}
	for _, chain := range chains {
		rules, err := nft.GetRules(chain.Table, chain)
		if err != nil {
			return err
		}
		for _, r := range rules {
			if bytes.Equal(r.UserData, n.mark()) {
				if err := nft.DelRule(r); err != nil {
					return fmt.Errorf("remove rule %d of %s: %w", r.Handle, chain.Name, err)
				}
			}
		}
	}
	tables, err := nft.ListTablesOfFamily(nftables.TableFamilyIPv4)
	if err != nil {
		return err
	}
	for _, t := range tables {
		if t.Name == n.table() {
			nft.DelTable(t)
		}
	}
	return nft.Flush()
}

// interfaceName is a name as the kernel compares it, padded with zeros.
func interfaceName(name string) []byte {
	padded := make([]byte, unix.IFNAMSIZ)
	copy(padded, name)
	return padded
}
