//! All figures of a run.

use std::collections::{BTreeMap, BTreeSet};

use crate::measure::{Measurement, Metric};
use crate::rows::Row;

/// A server of the comparison.
pub(crate) struct Column {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its version; `None`: it is not installed.
    pub(crate) version: Option<String>,
    /// What it is.
    pub(crate) kind: Kind,
    /// True if it stores messages.
    pub(crate) has_disk: bool,
}

/// What a server is in the comparison.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `chat-server`.
    Ours,
    /// One that people use.
    Foreign,
    /// The bare relay.
    Relay,
}

/// A line of the table: a figure of a row, with all servers.
pub(crate) struct Line {
    /// Name of the row.
    pub(crate) row: &'static str,
    /// Title of the row.
    pub(crate) title: &'static str,
    /// Number of people in a room, each of whom gets every message.
    pub(crate) people: usize,
    /// What the figures say.
    pub(crate) metric: Metric,
    /// Figures of all rounds, by server.
    pub(crate) figures: BTreeMap<&'static str, Vec<f64>>,
}

/// What has to be said about a row with a server.
#[derive(Default)]
pub(crate) struct Remark {
    /// Number of deliveries that were lost, repeated or damaged; one that came late counts twice.
    pub(crate) faults: u64,
    /// True if the generator was the bottleneck.
    pub(crate) is_generator_busy: bool,
    /// Anything else.
    pub(crate) notes: BTreeSet<String>,
}

/// Everything that was measured.
pub(crate) struct Results {
    /// The servers, in the order of the table.
    pub(crate) columns: Vec<Column>,
    /// The figures, in the order of the table.
    pub(crate) lines: Vec<Line>,
    /// Remarks by row and server.
    pub(crate) remarks: BTreeMap<(&'static str, &'static str), Remark>,
    /// Number of rounds.
    pub(crate) rounds: usize,
    /// Command that has made them.
    pub(crate) command: String,
    /// What is true of the whole run.
    pub(crate) conditions: Vec<String>,
}

impl Results {
    /// Adds a measurement.
    pub(crate) fn add(&mut self, row: &Row, server: &'static str, measured: Measurement) {
        for (metric, figure) in measured.figures {
            let is_it = |line: &Line| line.row == row.name && line.metric == metric;
            let at = self.lines.iter().position(is_it).unwrap_or_else(|| {
                self.lines.push(Line::new(row, metric));
                self.lines.len() - 1
            });
            self.lines[at].figures.entry(server).or_default().push(figure);
        }
        let remark = self.remarks.entry((row.name, server)).or_default();
        remark.faults += measured.faults;
        remark.is_generator_busy |= measured.is_generator_busy;
        remark.notes.extend(measured.note);
    }

    /// Returns the servers that were measured.
    pub(crate) fn measured_columns(&self) -> Vec<&Column> {
        self.columns.iter().filter(|column| column.version.is_some()).collect()
    }

    /// Returns the best of the servers that people use, with its figure; of those that store messages
    /// or of those that do not.
    pub(crate) fn best(&self, line: &Line, has_disk: bool) -> Option<(&'static str, f64)> {
        let foreign = self.columns.iter();
        let foreign = foreign.filter(|it| it.kind == Kind::Foreign && it.has_disk == has_disk);
        let figures = foreign.filter_map(|it| Some((it.name, line.median(it.name)?)));
        figures.min_by(|(_, one), (_, other)| one.total_cmp(other))
    }
}

impl Line {
    /// Begins a line.
    const fn new(row: &Row, metric: Metric) -> Self {
        let (row, title, people) = (row.name, row.title, row.crowd.people);
        Self { row, title, people, metric, figures: BTreeMap::new() }
    }

    /// Returns the median of the rounds with a server.
    pub(crate) fn median(&self, server: &str) -> Option<f64> {
        let mut figures = self.figures.get(server)?.clone();
        figures.sort_by(f64::total_cmp);
        figures.get(figures.len() / 2).copied()
    }

    /// Returns the figure of one server as a ratio to that of another.
    pub(crate) fn ratio(&self, server: &str, other: &str) -> Option<f64> {
        Some(self.median(server)? / self.median(other)?)
    }
}
