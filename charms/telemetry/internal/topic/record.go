package topic

import (
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/archive"
	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/ledger"
	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/packet"
	"github.com/gantry-orchestrator/gantry/model"
)

// The headers of a record. Its value is the packet's octets alone, so that
// whoever reads the topic needs CCSDS's books and none of ours.
const (
	headerID     = "id"
	headerSource = "source"
)

// recordOf is the record of a packet. The packets of one application process
// have one key and keep their order.
func recordOf(source string, p archive.Packet) *kgo.Record {
	return &kgo.Record{
		Key:       []byte(source + "/" + strconv.Itoa(int(p.APID))),
		Value:     p.Octets,
		Timestamp: p.Generated,
		Headers:   []kgo.RecordHeader{{Key: headerID, Value: p.ID[:]}, {Key: headerSource, Value: []byte(source)}},
	}
}

// Decode reads the packet that a record holds, and who sent it.
func Decode(r *kgo.Record) (source string, p archive.Packet, err error) {
	if source, p, err = decode(r); err != nil {
		return "", archive.Packet{}, fmt.Errorf("record %d of partition %d of %s: %w", r.Offset, r.Partition, r.Topic, err)
	}
	return source, p, nil
}

func decode(r *kgo.Record) (source string, p archive.Packet, err error) {
	for _, h := range r.Headers {
		switch h.Key {
		case headerSource:
			source = string(h.Value)
		case headerID:
			if len(h.Value) != len(ledger.ID{}) {
				return "", archive.Packet{}, fmt.Errorf("its id has %d octets instead of %d: %w", len(h.Value), len(ledger.ID{}), model.ErrInvalid)
			}
			p.ID = ledger.ID(h.Value)
		}
	}
	if source == "" || p.ID == (ledger.ID{}) {
		return "", archive.Packet{}, fmt.Errorf("it lacks the headers %s and %s: %w", headerID, headerSource, model.ErrInvalid)
	}
	space, err := packet.Decode(r.Value)
	if err != nil {
		return "", archive.Packet{}, err
	}
	report, err := packet.DecodeReport(space.Data)
	if err != nil {
		return "", archive.Packet{}, err
	}
	p.Spacecraft, p.APID, p.Count = report.Spacecraft, uint16(space.Header.APID), space.Header.Count
	p.Generated, p.Octets = space.Time.UTC(), r.Value
	return source, p, nil
}
