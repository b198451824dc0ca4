//! The targets of `chat-server`, each as a ratio to another server in the same run or as a bound.

use crate::measure::Metric;
use crate::results::{Line, Results};
use crate::table::unit;
use crate::verdict::{Compared, verdict};

/// A target for some lines of the table.
struct Target {
    /// What it demands.
    title: &'static str,
    /// Returns the figure and what it must not exceed; `None` if the line is not concerned, or was not
    /// measured.
    compare: fn(&Results, &Line) -> Option<(f64, f64)>,
}

/// All targets.
const TARGETS: &[Target] = &[
    Target {
        title: "chat is not above the best server that people use",
        compare: |results, line| {
            let is_concerned = line.metric != Metric::Slowdown;
            let (_, best) = results.best(line, false).filter(|_| is_concerned)?;
            Some((line.median("chat")?, best))
        },
    },
    Target {
        title: "chat is at most 1.3 × relay in rooms of 1,000 and of 100",
        compare: |_, line| {
            let is_concerned = ["room-1000", "room-100"].contains(&line.row);
            let bound = 1.3 * line.median("relay").filter(|_| is_concerned)?;
            Some((line.median("chat")?, bound))
        },
    },
    Target {
        title: "chat-relaxed takes at most 5 µs more for a message than chat",
        compare: |_, line| {
            let memory = line.median("chat").filter(|_| line.metric == Metric::Cpu)?;
            Some((line.median("chat-relaxed")?, memory + 5.0 / line.people as f64))
        },
    },
    Target {
        title: "chat-relaxed takes at most 0.5 × the CPU time of jetstream",
        compare: |_, line| ratio(line, Metric::Cpu, "chat-relaxed", 0.5, "jetstream"),
    },
    Target {
        title: "a connection takes chat at most 2 kB",
        compare: |_, line| {
            let figure = line.median("chat").filter(|_| line.metric == Metric::Connection)?;
            Some((figure, 2.0))
        },
    },
    Target {
        title: "p50 of chat is at most 1.25 × relay",
        compare: |_, line| ratio(line, Metric::Median, "chat", 1.25, "relay"),
    },
    Target {
        title: "p50 of chat-relaxed is at most 1.25 × relay",
        compare: |_, line| ratio(line, Metric::Median, "chat-relaxed", 1.25, "relay"),
    },
    Target {
        title: "p99 of chat-relaxed is not above the best server that people use",
        compare: |results, line| {
            let is_concerned = line.metric == Metric::Percentile99;
            let (_, best) = results.best(line, false).filter(|_| is_concerned)?;
            Some((line.median("chat-relaxed")?, best))
        },
    },
];

/// Returns the figure of a server, and `factor` times that of another one, in lines with this metric.
fn ratio(
    line: &Line,
    metric: Metric,
    server: &str,
    factor: f64,
    other: &str,
) -> Option<(f64, f64)> {
    let bound = factor * line.median(other).filter(|_| line.metric == metric)?;
    Some((line.median(server)?, bound))
}

/// Returns a list in Markdown: each target that something was measured for, and where it is missed.
pub(crate) fn targets(results: &Results) -> String {
    let mut text = String::new();
    for Target { title, compare } in TARGETS {
        let compared: Vec<Compared> = results
            .lines
            .iter()
            .filter_map(|line| {
                let (figure, most) = compare(results, line)?;
                Some(Compared { what: line.row.to_owned(), unit: unit(line.metric), figure, most })
            })
            .collect();
        text.push_str(&verdict(title, &compared));
    }
    text
}
