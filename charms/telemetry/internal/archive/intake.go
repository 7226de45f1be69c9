package archive

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gantry-orchestrator/gantry/model"
)

// What was taken from a topic is counted where it was put: the offsets move in
// the statement that inserts the rows, and only from where its sender believes
// them to be. So it counts once, whoever else sends it, and whether or not its
// sender hears of it. The archiver of a topic holds it on lease, lest two do
// the same work; the lease guards nothing.
const (
	createOffsets = `CREATE TABLE IF NOT EXISTS telemetry_offset (
	topic uuid NOT NULL,
	partition integer NOT NULL,
	next bigint NOT NULL,
	PRIMARY KEY (topic, partition)
)`
	createArchiver = `CREATE TABLE IF NOT EXISTS telemetry_archiver (
	topic uuid PRIMARY KEY,
	holder text NOT NULL,
	until timestamptz NOT NULL
)`

	claimTopic = `INSERT INTO telemetry_archiver AS a (topic, holder, until)
VALUES ($1::uuid, $2::text, clock_timestamp() + $3::float8 * interval '1 second')
ON CONFLICT (topic) DO UPDATE SET holder = excluded.holder, until = excluded.until
WHERE a.holder = excluded.holder OR a.until < clock_timestamp()`

	beginPartitions = `INSERT INTO telemetry_offset (topic, partition, next)
SELECT $1::uuid, p, 0 FROM unnest($2::integer[]) AS p ON CONFLICT DO NOTHING`

	readOffsets = `SELECT partition, next FROM telemetry_offset WHERE topic = $1::uuid`

	takeRows = `WITH moved AS (
	UPDATE telemetry_offset AS o SET next = m.next
	FROM unnest($2::integer[], $3::bigint[], $4::bigint[]) AS m (partition, former, next)
	WHERE o.topic = $1::uuid AND o.partition = m.partition AND o.next = m.former
	RETURNING o.partition
), taken AS (
	INSERT INTO telemetry_packet (id, source, spacecraft, apid, sequence_count, generated, packet)
	SELECT p.id, p.source, p.spacecraft, p.apid, p.sequence_count, p.generated, p.packet
	FROM unnest($5::integer[], $6::uuid[], $7::text[], $8::integer[], $9::integer[], $10::integer[], $11::timestamptz[], $12::bytea[])
		AS p (partition, id, source, spacecraft, apid, sequence_count, generated, packet)
	WHERE p.partition IN (SELECT partition FROM moved)
)
SELECT count(*) FROM moved`
)

// Intake is the archive's entrance for packets from topics: one connection,
// used by one goroutine.
type Intake struct {
	conn    *pgx.Conn
	timeout time.Duration
}

// OpenIntake connects with the archive; an exchange with it takes no longer
// than timeout.
func OpenIntake(ctx context.Context, target Target, timeout time.Duration) (*Intake, error) {
	conn, err := connect(ctx, target, timeout)
	if err != nil {
		return nil, fmt.Errorf("connect to the archive: %w", err)
	}
	return &Intake{conn: conn, timeout: timeout}, nil
}

// Close hangs up.
func (i *Intake) Close() { hangUp(i.conn) }

// Claim takes topic on lease for holder, or prolongs the lease that it has; it
// reports false while somebody else has one.
func (i *Intake) Claim(ctx context.Context, topic TopicID, holder string, lease time.Duration) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, i.timeout)
	defer cancel()
	tag, err := i.conn.Exec(ctx, claimTopic, topic.String(), holder, lease.Seconds())
	if err != nil {
		return false, fmt.Errorf("claim the topic: %w", err)
	}
	return tag.RowsAffected() == 1, nil
}

// Position returns how far topic was taken; its partitions are begun at zero.
func (i *Intake) Position(ctx context.Context, topic TopicID, partitions []int32) (Position, error) {
	ctx, cancel := context.WithTimeout(ctx, i.timeout)
	defer cancel()
	if _, err := i.conn.Exec(ctx, beginPartitions, topic.String(), partitions); err != nil {
		return Position{}, fmt.Errorf("begin partitions: %w", err)
	}
	p, err := positionOf(ctx, i.conn, topic)
	if err != nil {
		return Position{}, err
	}
	return p, nil
}

func positionOf(ctx context.Context, conn *pgx.Conn, topic TopicID) (Position, error) {
	rows, err := conn.Query(ctx, readOffsets, topic.String())
	if err != nil {
		return Position{}, fmt.Errorf("read offsets: %w", err)
	}
	p := Position{Topic: topic, Next: map[int32]int64{}}
	var partition int32
	var next int64
	if _, err := pgx.ForEachRow(rows, []any{&partition, &next}, func() error {
		p.Next[partition] = next
		return nil
	}); err != nil {
		return Position{}, fmt.Errorf("read offsets: %w", err)
	}
	return p, nil
}

// Batch is what was read from a topic between two positions.
type Batch struct {
	From, To Position // of the same partitions
	Packets  []Arrival
}

// Arrival is a packet that came through a partition.
type Arrival struct {
	Packet
	Source    string
	Partition int32
}

// Take archives a batch and moves the topic's position, both or neither. It is
// a conflict where the position is no longer the batch's: then read it again.
func (i *Intake) Take(ctx context.Context, b Batch) error {
	ctx, cancel := context.WithTimeout(ctx, i.timeout)
	defer cancel()
	partitions := b.To.Partitions()
	var moved int
	if err := i.conn.QueryRow(ctx, takeRows, b.arguments(partitions)...).Scan(&moved); err != nil {
		return fmt.Errorf("archive %d packets: %w", len(b.Packets), err)
	}
	if moved != len(partitions) {
		return fmt.Errorf("archive %d packets: %d of %d partitions are no longer where they were, another archiver has taken them: %w", len(b.Packets), len(partitions)-moved, len(partitions), model.ErrConflict)
	}
	return nil
}

// arguments are those of takeRows.
func (b Batch) arguments(partitions []int32) []any {
	var former, next []int64
	for _, p := range partitions {
		former, next = append(former, b.From.Next[p]), append(next, b.To.Next[p])
	}
	var (
		of, craft, apid, count []int32
		ids, sources           []string
		generated              []time.Time
		octets                 [][]byte
	)
	for _, a := range b.Packets {
		of, ids, sources = append(of, a.Partition), append(ids, a.ID.String()), append(sources, a.Source)
		craft, apid, count = append(craft, int32(a.Spacecraft)), append(apid, int32(a.APID)), append(count, int32(a.Count))
		generated, octets = append(generated, a.Generated), append(octets, a.Octets)
	}
	return []any{b.To.Topic.String(), partitions, former, next, of, ids, sources, craft, apid, count, generated, octets}
}
