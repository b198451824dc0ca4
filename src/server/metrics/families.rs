//! Metric families: names, types and texts. The table in `docs/metrics.md` is the same.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use super::latency::LatencyHistogram;
use super::snapshot::Snapshot;
use crate::hub::StorageHealth;

/// States of the store, as the status report names them.
const STORE_STATES: [(StorageHealth, &str); 4] = [
    (StorageHealth::Sound, "sound"),
    (StorageHealth::MemoryOnly, "memory_only"),
    (StorageHealth::Refusing, "refusing"),
    (StorageHealth::Stalled, "stalled"),
];

impl Collector for Snapshot {
    /// Writes all families. One whose value is not known is left out.
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut families = Families(encoder);
        let seconds = Some(&Unit::Seconds);
        let bytes = Some(&Unit::Bytes);
        let hub = &self.engine.hub;
        families
            .begin("chat_server_build", "Version of the program.", None, MetricType::Info)?
            .encode_info(&[("version", env!("CARGO_PKG_VERSION"))])?;
        families.gauge(
            "chat_server_uptime",
            "Time since the start of the server.",
            seconds,
            self.uptime.as_secs(),
        )?;
        families.gauge(
            "chat_server_users",
            "Users that have joined and are connected.",
            None,
            hub.connected_users as u64,
        )?;
        families.gauge(
            "chat_server_connections",
            "Connections, including those that have not joined and those that are closing.",
            None,
            hub.connections as u64,
        )?;
        families.gauge(
            "chat_server_rooms",
            "Rooms with at least one member.",
            None,
            hub.rooms as u64,
        )?;
        families.gauge(
            "chat_server_waiting_names",
            "Names that wait for users who have lost their connections.",
            None,
            hub.waiting_names as u64,
        )?;
        families.gauge(
            "chat_server_sessions",
            "Sessions that are remembered, those of connected users included.",
            None,
            hub.sessions as u64,
        )?;
        families.counter(
            "chat_server_messages",
            "Messages committed since the start, direct ones included.",
            self.engine.messages,
        )?;
        if let Some(latency) = &self.engine.latency {
            families.histogram(
                "chat_server_message_latency",
                "Time from a message's way to the log until it is sent out.",
                seconds,
                latency,
            )?;
        }
        families.refusals(self)?;
        families.gauge(
            "chat_server_log_head",
            "Sequence of the last entry in the log.",
            None,
            hub.head.0,
        )?;
        families.store_state(hub.storage)?;
        let system = &self.system;
        families.known(
            "chat_server_store",
            "Size of the files of the log on disk.",
            bytes,
            system.store_bytes,
        )?;
        families.known(
            "chat_server_filesystem_available",
            "Free space for the server where the log is.",
            bytes,
            system.file_system.map(|it| it.available),
        )?;
        families.known(
            "chat_server_filesystem_size",
            "Size of the file system where the log is.",
            bytes,
            system.file_system.map(|it| it.size),
        )?;
        families.gauge(
            "chat_server_unsent",
            "Memory of what waits for slow readers.",
            bytes,
            self.engine.unsent as u64,
        )?;
        families.gauge(
            "chat_server_unsent_limit",
            "Most memory of what may wait for slow readers.",
            bytes,
            self.unsent_limit as u64,
        )?;
        families.known(
            "process_resident_memory",
            "Resident memory of the process.",
            bytes,
            system.memory,
        )?;
        let Some(backup) = &self.backup else { return Ok(()) };
        families.gauge(
            "chat_server_backup_failing",
            "1 if the last attempt of a nightly backup has failed.",
            None,
            backup.error.is_some().into(),
        )?;
        families.known(
            "chat_server_backup_last_success_timestamp",
            "Time of the last good backup, since 1970.",
            seconds,
            backup.last.map(|it| it.0 / 1_000),
        )
    }
}

/// Writer of families.
struct Families<'a>(DescriptorEncoder<'a>);

impl Families<'_> {
    /// Begins a family. Its name gets the unit as its last word.
    fn begin<'s>(
        &'s mut self,
        name: &'s str,
        help: &str,
        unit: Option<&'s Unit>,
        kind: MetricType,
    ) -> Result<MetricEncoder<'s>, fmt::Error> {
        self.0.encode_descriptor(name, help, unit, kind)
    }

    /// Writes a gauge.
    fn gauge(&mut self, name: &str, help: &str, unit: Option<&Unit>, value: u64) -> fmt::Result {
        self.begin(name, help, unit, MetricType::Gauge)?.encode_gauge(&value)
    }

    /// Writes a gauge if its value is known.
    fn known(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        value: Option<u64>,
    ) -> fmt::Result {
        value.map_or(Ok(()), |value| self.gauge(name, help, unit, value))
    }

    /// Writes a counter. Its name gets the ending `_total`.
    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let mut metric = self.begin(name, help, None, MetricType::Counter)?;
        metric.encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    /// Writes a histogram of latencies.
    fn histogram(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        latency: &LatencyHistogram,
    ) -> fmt::Result {
        let buckets = latency.buckets();
        let mut metric = self.begin(name, help, unit, MetricType::Histogram)?;
        metric.encode_histogram::<NoLabelSet>(latency.sum(), latency.count(), &buckets, None)
    }

    /// Writes how often each limit was reached.
    fn refusals(&mut self, snapshot: &Snapshot) -> fmt::Result {
        let (name, help) = (
            "chat_server_refusals",
            "Times that addresses have reached each of their limits since the start.",
        );
        let mut metric = self.begin(name, help, None, MetricType::Counter)?;
        for (quota, times) in &snapshot.engine.refusals {
            let labels = [("limit", quota.name())];
            metric.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(times, None)?;
        }
        Ok(())
    }

    /// Writes the state of the store: 1 for the one that it has, 0 for the others.
    fn store_state(&mut self, storage: StorageHealth) -> fmt::Result {
        let (name, help) = ("chat_server_store_state", "1 for the state that the store has.");
        let mut metric = self.begin(name, help, None, MetricType::Gauge)?;
        for (state, text) in STORE_STATES {
            let labels = [("state", text)];
            metric.encode_family(&labels)?.encode_gauge(&u64::from(state == storage))?;
        }
        Ok(())
    }
}
