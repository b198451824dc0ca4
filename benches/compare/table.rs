//! The report as a Markdown table.

use std::fmt::Write;

use crate::measure::Metric;
use crate::number::number;
use crate::results::{Kind, Line, Results};
use crate::targets::targets;

/// Name of the bare relay, with which everything is compared.
const RELAY: &str = "relay";

/// Returns the table, what has to be said about it, and how far the targets are met.
pub(crate) fn table(results: &Results) -> String {
    let mut text = String::new();
    let columns = results.measured_columns();
    text.push_str("| |");
    for column in &columns {
        let version = column.version.as_deref().unwrap_or_default();
        write!(text, " {} |", format!("{} {version}", column.name).trim()).unwrap();
    }
    text.push_str(
        " chat ÷ best other | chat-relaxed ÷ jetstream | disk, µs for a message |\n|---|",
    );
    text.push_str(&"--:|".repeat(columns.len() + 3));
    text.push('\n');
    for line in &results.lines {
        write!(text, "| {}: {} |", line.title, unit(line.metric)).unwrap();
        for column in &columns {
            write!(text, " {} |", cell(results, line, column.name)).unwrap();
        }
        let disk = ratio(line, "chat-relaxed", "jetstream");
        let price = price_of_disk(line);
        writeln!(text, " {} | {disk} | {price} |", comparison(results, line)).unwrap();
    }
    text.push('\n');
    for note in notes(results) {
        writeln!(text, "- {note}").unwrap();
    }
    let targets = targets(results);
    if !targets.is_empty() {
        write!(text, "\nTargets:\n\n{targets}").unwrap();
    }
    text
}

/// Returns what a figure says, with its unit.
pub(crate) const fn unit(metric: Metric) -> &'static str {
    match metric {
        Metric::Cpu => "CPU µs for a delivery",
        Metric::Median => "p50 in µs",
        Metric::Percentile99 => "p99 in µs",
        Metric::Connection => "kB for a connection",
        Metric::Join => "CPU µs for a join",
        Metric::Resident => "MB resident",
        Metric::Slowdown => "time, of that without",
    }
}

/// Returns a figure with its ratio to that of the relay, and marks.
fn cell(results: &Results, line: &Line, server: &'static str) -> String {
    let Some(figure) = line.median(server) else { return "–".to_owned() };
    let mut text = number(figure);
    if let Some(ratio) = line.ratio(server, RELAY).filter(|_| server != RELAY) {
        write!(text, " ({}×)", number(ratio)).unwrap();
    }
    if let Some(remark) = results.remarks.get(&(line.row, server)) {
        text.push_str(if remark.is_generator_busy { " †" } else { "" });
        text.push_str(if remark.faults > 0 { " ‡" } else { "" });
    }
    text
}

/// Returns the ratio of `chat-server`, with its log in memory, to the best server that people use.
fn comparison(results: &Results, line: &Line) -> String {
    let best = results.best(line, false);
    match (line.median("chat"), best) {
        (Some(ours), Some((name, figure))) => format!("{} ({name})", number(ours / figure)),
        _ => "–".to_owned(),
    }
}

/// Returns the ratio of one server to another.
fn ratio(line: &Line, server: &str, other: &str) -> String {
    line.ratio(server, other).map_or_else(|| "–".to_owned(), number)
}

/// Returns the microseconds of CPU time that a message costs more with the log on disk than in memory.
fn price_of_disk(line: &Line) -> String {
    match (line.metric, line.median("chat-relaxed"), line.median("chat")) {
        (Metric::Cpu, Some(disk), Some(memory)) => number((disk - memory) * line.people as f64),
        _ => "–".to_owned(),
    }
}

/// Returns what has to be said about the table.
pub(crate) fn notes(results: &Results) -> Vec<String> {
    let rounds = match results.rounds {
        1 => "One round".to_owned(),
        count => format!("Medians of {count} rounds"),
    };
    let mut notes = vec![format!(
        "{rounds}. In parentheses: the ratio to the relay. In the last columns: that of `chat`, with \
         its log in memory, to the best server that people use and that stores nothing; then that of \
         `chat-relaxed` to `jetstream`, and what a message costs `chat-relaxed` more than `chat`."
    )];
    notes.extend(results.conditions.iter().cloned());
    for column in &results.columns {
        if column.version.is_none() && column.kind == Kind::Foreign {
            notes.push(format!("{} is left out: it is not installed.", column.name));
        }
    }
    let remarks = || results.remarks.iter();
    if remarks().any(|(_, remark)| remark.is_generator_busy) {
        notes.push(
            "†: the generator was the bottleneck: it was busy for more than 90 % of the time, or sent \
             one of 100 messages more than 200 µs late. A faster one might have changed the figure."
                .to_owned(),
        );
    }
    for ((row, server), remark) in remarks() {
        if remark.faults > 0 {
            let count = remark.faults;
            notes.push(format!(
                "‡: {row}, {server}: deliveries lost, repeated or damaged: {count} (one that came \
                 behind a later one counts as lost and as repeated)."
            ));
        }
        for note in &remark.notes {
            notes.push(format!("{row}, {server}: {note}."));
        }
    }
    notes
}
