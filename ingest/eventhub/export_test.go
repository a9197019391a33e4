package eventhub

import (
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"glassward/ingest"
)

// DecodeMessage decodes a message as a pipe does and looks at what comes of it.
func DecodeMessage(t *testing.T, text []byte) {
	s := &Source{o: Options{Namespace: "hubs", Now: time.Now}, partitions: map[place]*partition{}, hubs: map[string]*hub{}}
	p, err := s.partition("hub", 3)
	if err != nil {
		t.Fatal(err)
	}
	out := decoded{batch: new(ingest.Batch), none: true}
	pipe := &pipe{reading: &reading{Source: s}}
	pipe.message(&reader{p: p}, &kgo.Record{Offset: 7, Value: text}, &out)
	for _, x := range out.batch.Rejects {
		if !strings.HasSuffix(x.Source, "/hub/3@7") {
			t.Errorf("a reject has the place %q", x.Source)
		}
	}
	if len(out.batch.Shapes) != len(out.batch.Records) {
		t.Errorf("%d shapes of %d records", len(out.batch.Shapes), len(out.batch.Records))
	}
}
