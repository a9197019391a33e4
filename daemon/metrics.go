package daemon

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// collector gives Prometheus what status shows, at the time of the scrape.
type collector struct{ d *Daemon }

var (
	recordsDesc   = prometheus.NewDesc("glassward_records", "Records kept, by table.", []string{"tenant", "table"}, nil)
	newestDesc    = prometheus.NewDesc("glassward_newest_received_seconds", "When the newest record of a table was received, Unix time.", []string{"tenant", "table"}, nil)
	headDesc      = prometheus.NewDesc("glassward_head", "Sequence number of the newest record.", []string{"tenant"}, nil)
	waitingDesc   = prometheus.NewDesc("glassward_batches_waiting", "Batches that are durable and not yet judged.", []string{"tenant"}, nil)
	failingDesc   = prometheus.NewDesc("glassward_rules_failing", "Rules that cannot be judged.", []string{"tenant"}, nil)
	suppressDesc  = prometheus.NewDesc("glassward_rule_suppressed_windows", "Windows since the rule's last alert whose alerts were suppressed.", []string{"tenant", "rule"}, nil)
	openDesc      = prometheus.NewDesc("glassward_incidents_open", "Incidents that are not closed.", []string{"tenant"}, nil)
	pendingDesc   = prometheus.NewDesc("glassward_deliveries_pending", "Notices owed to receivers.", nil, nil)
	oldestDesc    = prometheus.NewDesc("glassward_delivery_oldest_seconds", "Age of the oldest notice that is owed.", nil, nil)
	roadDesc      = prometheus.NewDesc("glassward_road_state", "1 for the state in which a road stands with a table.", []string{"tenant", "road", "table", "state"}, nil)
	lagDesc       = prometheus.NewDesc("glassward_road_lag_seconds", "Learned time from event to receipt, by road and table.", []string{"tenant", "road", "table", "quantile"}, nil)
	backlogDesc   = prometheus.NewDesc("glassward_road_backlog", "Records that wait at the service, where it says so.", []string{"tenant", "road", "table"}, nil)
	stepDesc      = prometheus.NewDesc("glassward_way_seconds", "Time of each part of a record's way, from the event to the receiver.", []string{"tenant", "step", "quantile"}, nil)
	legDesc       = prometheus.NewDesc("glassward_leg_seconds", "Time of a part of an alarm's way, by source or receiver; quantile 1 is the worst of thirty days.", []string{"tenant", "leg", "of", "quantile"}, nil)
	collectedDesc = prometheus.NewDesc("glassward_collected_total", "What came under data collection rules since the start: records by outcome (taken, filtered, retimed, refused) and fields (field-wrong, field-cut, field-unknown).", []string{"tenant", "table", "outcome"}, nil)
	receiversDesc = prometheus.NewDesc("glassward_receiver_failing", "1 for a receiver that does not take notices.", []string{"receiver"}, nil)
)

// Describe names the metrics.
func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{recordsDesc, newestDesc, headDesc, waitingDesc, failingDesc, suppressDesc, openDesc, pendingDesc, oldestDesc, roadDesc, lagDesc, backlogDesc, stepDesc, legDesc, collectedDesc, receiversDesc} {
		ch <- d
	}
}

// Collect reads them. What cannot be read is missing from the scrape.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	v, err := operator(c).Status(ctx, "")
	s, ok := v.(Status)
	if err != nil || !ok {
		return
	}
	for _, w := range s.Workspaces {
		gauge(headDesc, float64(w.Head), w.Name)
		gauge(waitingDesc, float64(w.Waiting), w.Name)
		failing := 0
		for _, r := range w.Rules {
			if r.Error != "" {
				failing++
			}
			if r.Suppressed > 0 {
				gauge(suppressDesc, float64(r.Suppressed), w.Name, r.ID)
			}
		}
		gauge(failingDesc, float64(failing), w.Name)
		for _, t := range w.Tables {
			gauge(recordsDesc, float64(t.Rows), w.Name, t.Name)
			gauge(newestDesc, float64(t.Received.Unix()), w.Name, t.Name)
		}
		for _, r := range w.Roads {
			gauge(roadDesc, 1, w.Name, r.Road, r.Table, string(r.State))
			for q, v := range map[string]float64{"0.5": r.P50, "0.95": r.P95, "0.99": r.P99} {
				gauge(lagDesc, v, w.Name, r.Road, r.Table, q)
			}
			if r.Backlog >= 0 {
				gauge(backlogDesc, float64(r.Backlog), w.Name, r.Road, r.Table)
			}
		}
		for _, x := range w.Way {
			for q, v := range map[string]float64{"0.5": x.P50, "0.95": x.P95, "0.99": x.P99} {
				gauge(stepDesc, v, w.Name, x.Step, q)
			}
		}
	}
	legs := s.Latency
	for _, w := range s.Workspaces {
		legs = append(legs, w.Latency...)
	}
	for _, l := range legs {
		for q, v := range map[string]float64{"0.5": l.P50, "0.95": l.P95, "0.99": l.P99, "1": l.Worst} {
			gauge(legDesc, v, l.Tenant, l.Leg, l.Of, q)
		}
	}
	for tenant, n := range s.Owed.Open {
		gauge(openDesc, float64(n), tenant)
	}
	gauge(pendingDesc, float64(s.Owed.Pending))
	if !s.Owed.Oldest.IsZero() {
		gauge(oldestDesc, c.d.now().Sub(s.Owed.Oldest).Seconds())
	}
	c.d.collected.each(func(k collectionKey, n float64) {
		ch <- prometheus.MustNewConstMetric(collectedDesc, prometheus.CounterValue, n, k.tenant, k.table, k.outcome)
	})
	for _, r := range s.Receivers {
		bad := 0.0
		if !r.FailingSince.IsZero() {
			bad = 1
		}
		gauge(receiversDesc, bad, r.Receiver)
	}
}

// metrics serves /metrics from a registry of its own.
func (d *Daemon) metrics() http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(collector{d}, d.over.counter(), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{})
}
