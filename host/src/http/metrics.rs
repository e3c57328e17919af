//! `/metrics`, in Prometheus' text format.
//!
//! Names that begin with `starrocks_fe_` are StarRocks' and mean the same, as far as there is such
//! a thing here; the rest begins with `quorate_`. All of it is read from this frontend's memory:
//! nobody is asked and nothing is waited for. What is about all frontends comes from the leader
//! only, from its last look at them, at most five seconds old.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};
use std::time::Duration;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::Door;
use crate::cluster::VERSION;
use crate::cluster::pulse::Pulse;
use crate::proto::cluster::StatusResponse;
use crate::raft::NodeStatus;
use crate::session::Counted;
use crate::storage::log::Written;
use crate::types::Rejection;

const CONTENT: &str = "text/plain; version=0.0.4; charset=utf-8";
const MICROS: f64 = 1e6;
/// Those that StarRocks tells of its latencies.
const QUANTILES: [f64; 5] = [0.75, 0.95, 0.98, 0.99, 0.999];

pub(super) async fn metrics(State(door): State<Door>) -> Response {
    let facts = Facts {
        status: door.cluster.status(),
        node: door.cluster.node().status(),
        written: door.log.written(),
        pulse: door.cluster.pulse().map(|pulse| (*pulse).clone()),
        ready: door.not_ready().is_none(),
        lag_seconds: door.cluster.lag().as_secs_f64(),
        sessions: door.sessions.count(),
        statements: door.sessions.statements(),
        counted: door.sessions.counted(),
        latencies: door.sessions.latencies(QUANTILES),
        rejected: door.cluster.machine().rejected().borrow().clone(),
    };
    ([(CONTENT_TYPE, CONTENT)], facts.render()).into_response()
}

struct Facts {
    status: StatusResponse,
    node: NodeStatus,
    written: Written,
    pulse: Option<Pulse>,
    ready: bool,
    lag_seconds: f64,
    sessions: usize,
    statements: u64,
    counted: Counted,
    latencies: Option<[Duration; QUANTILES.len()]>,
    rejected: BTreeMap<Rejection, u64>,
}

/// A text in Prometheus' format.
#[derive(Default)]
struct Text(String);

impl Text {
    /// Begins a metric.
    fn metric(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn value(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<_> =
            labels.iter().map(|(label, text)| format!("{label}=\"{}\"", escaped(text))).collect();
        let labels = match labels.is_empty() {
            true => String::new(),
            false => format!("{{{}}}", labels.join(",")),
        };
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.metric(name, "gauge", help);
        self.value(name, &[], value);
    }

    fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.metric(name, "counter", help);
        self.value(name, &[], value);
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

impl Facts {
    fn render(&self) -> String {
        let mut text = Text::default();
        self.starrocks(&mut text);
        self.own(&mut text);
        if let Some(pulse) = &self.pulse {
            of_all(pulse, &mut text);
        }
        text.0
    }

    fn starrocks(&self, text: &mut Text) {
        let Self { status, node, written, .. } = self;
        text.gauge(
            "starrocks_fe_max_journal_id",
            "The last entry in this frontend's log.",
            status.last_lsn,
        );
        text.gauge(
            "starrocks_fe_meta_log_count",
            "Entries of the log after the newest snapshot.",
            status.last_lsn.saturating_sub(status.snapshot_lsn),
        );
        text.gauge(
            "starrocks_fe_editlog_stacked_num",
            "Operations that wait to be written to the log.",
            written.queued,
        );
        text.counter(
            "starrocks_fe_edit_log_write",
            "Entries written to the log since the start.",
            written.entries,
        );
        text.counter(
            "starrocks_fe_edit_log_size_bytes",
            "Bytes of entries written to the log since the start.",
            written.bytes,
        );
        let latency = "starrocks_fe_journal_write_latency_ms";
        text.metric(latency, "summary", "How long writing and syncing a group of entries took.");
        let sum = written.time.as_secs_f64() * 1000.0;
        text.value("starrocks_fe_journal_write_latency_ms_sum", &[], sum);
        text.value("starrocks_fe_journal_write_latency_ms_count", &[], written.groups);
        text.counter(
            "starrocks_fe_image_write",
            "Snapshots made since the start.",
            node.snapshots_made,
        );
        text.counter(
            "starrocks_fe_image_push",
            "Snapshots sent to other frontends since the start.",
            node.snapshots_sent,
        );
        text.gauge("starrocks_fe_connection_total", "Open client sessions.", self.sessions);
        text.counter("starrocks_fe_query_total", "Statements since the start.", self.statements);
        self.queries(text);
        // Sums and counts, of which rates can be made: the sizes of single groups are not kept.
        for (name, help, sum) in [
            ("starrocks_fe_journal_write_batch", "Entries of a group.", written.entries),
            ("starrocks_fe_journal_write_bytes", "Bytes of a group.", written.bytes),
        ] {
            text.metric(name, "summary", help);
            text.value(&format!("{name}_sum"), &[], sum);
            text.value(&format!("{name}_count"), &[], written.groups);
        }
    }

    fn queries(&self, text: &mut Text) {
        let Counted { ended, failed, time } = self.counted;
        let help =
            "Statements since the start that failed, those that could not be parsed included.";
        text.counter("starrocks_fe_query_err", help, failed);
        let name = "starrocks_fe_query_latency_ms";
        let help = "How long statements took; quantiles are of the last minute or two.";
        text.metric(name, "summary", help);
        let millis = |took: Duration| took.as_secs_f64() * 1000.0;
        for (part, took) in QUANTILES.iter().zip(self.latencies.iter().flatten()) {
            text.value(name, &[("quantile", &part.to_string())], millis(*took));
        }
        text.value(&format!("{name}_sum"), &[], millis(time));
        text.value(&format!("{name}_count"), &[], ended);
    }

    fn own(&self, text: &mut Text) {
        let Self { status, node, .. } = self;
        text.metric("quorate_info", "gauge", "Versions in use; always 1.");
        let module = status.module.as_str();
        text.value("quorate_info", &[("version", VERSION), ("module", module)], 1);
        let started = status.started_us as f64 / MICROS;
        text.gauge("process_start_time_seconds", "When it was started, since 1970.", started);
        text.gauge("quorate_ready", "Whether clients may come.", u8::from(self.ready));
        text.gauge("quorate_is_leader", "Whether it leads.", u8::from(node.is_leader));
        let voter = node.voters.contains(&node.id);
        text.gauge("quorate_is_voter", "Whether it votes.", u8::from(voter));
        text.gauge("quorate_leader_node", "Id of the leader it knows, or 0.", status.leader);
        text.gauge("quorate_term", "The term that it is in.", status.term);
        text.gauge("quorate_last_lsn", "The last entry in its log.", status.last_lsn);
        text.gauge(
            "quorate_committed_lsn",
            "The last entry that it knows to be committed.",
            status.committed_lsn,
        );
        text.gauge("quorate_applied_lsn", "The last entry applied.", status.applied_lsn);
        text.gauge(
            "quorate_lag_lsn",
            "Entries that it knows to be committed and has not applied.",
            status.committed_lsn.saturating_sub(status.applied_lsn),
        );
        text.gauge(
            "quorate_lag_seconds",
            "How long it has known of the first such entry; 0 without one.",
            self.lag_seconds,
        );
        text.gauge(
            "quorate_snapshot_lsn",
            "The last entry in its newest snapshot, or 0.",
            status.snapshot_lsn,
        );
        text.gauge(
            "quorate_purged_lsn",
            "The last entry purged from its log, or 0.",
            status.purged_lsn,
        );
        text.counter(
            "quorate_snapshot_received_bytes",
            "Bytes of snapshots received since the start.",
            node.snapshot_bytes_received,
        );
        let stalled = u8::from(!status.stalled.is_empty());
        text.gauge("quorate_stalled", "Whether it cannot apply entries.", stalled);
        let name = "quorate_module_rejected_total";
        let help = "Commands applied since the start that a sound module does not have rejected.";
        text.metric(name, "counter", help);
        for why in Rejection::DEFECTS {
            let count = self.rejected.get(&why).copied().unwrap_or_default();
            text.value(name, &[("reason", why.name())], count);
        }
        let low = u8::from(status.low_on_disk);
        text.gauge("quorate_low_on_disk", "Whether its disk is nearly full.", low);
    }
}

/// What the leader found at all frontends.
fn of_all(pulse: &Pulse, text: &mut Text) {
    let numbers = [("alive", pulse.alive), ("dead", pulse.dead)];
    text.metric("quorate_frontends", "gauge", "Registered frontends, by the leader's last look.");
    for (state, number) in numbers {
        text.value("quorate_frontends", &[("state", state)], number);
    }
    let name = "starrocks_fe_node_info";
    text.metric(name, "gauge", "Registered frontends, by the leader's last look.");
    for (state, number) in numbers {
        text.value(name, &[("type", "fe_node_num"), ("state", state)], number);
    }
    let name = "starrocks_fe_max_journal_replay_lag";
    text.metric(name, "gauge", "Entries that the slowest live frontend has not applied.");
    text.value(name, &[("is_leader", "true")], pulse.lag_lsn_max);
    let name = "quorate_clock_offset_seconds";
    text.metric(name, "gauge", "What a frontend's clock is ahead of the leader's.");
    for (frontend, offset_us) in &pulse.clock_offsets_us {
        text.value(name, &[("frontend", frontend)], *offset_us as f64 / MICROS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_cannot_break_out_of_its_quotes() {
        let mut text = Text::default();
        text.value("m", &[("l", "a\"b\\c\nd")], 1);
        assert_eq!(text.0, "m{l=\"a\\\"b\\\\c\\nd\"} 1\n");
    }

    #[test]
    fn every_sample_of_all_frontends_belongs_to_a_metric_with_a_type() {
        let mut text = Text::default();
        let clock_offsets_us = vec![("10.0.0.1:9010".to_owned(), -1_500_000)];
        of_all(&Pulse { alive: 2, dead: 1, lag_lsn_max: 7, clock_offsets_us }, &mut text);
        for line in text.0.lines().filter(|line| !line.starts_with('#')) {
            let name = line.split(['{', ' ']).next().unwrap_or_default();
            assert!(text.0.contains(&format!("# TYPE {name} gauge\n")), "{line}");
        }
        assert!(text.0.contains("quorate_frontends{state=\"dead\"} 1\n"));
        assert!(text.0.contains("{frontend=\"10.0.0.1:9010\"} -1.5\n"));
    }
}
