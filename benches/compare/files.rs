//! The files of the report: figures as JSON, the table, and plots.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::measure::Metric;
use crate::plot;
use crate::results::{Line, Results};
use crate::table::{table, unit};

/// Plots: name of the file, heading, and what they show.
const PLOTS: &[(&str, &str, &[Metric])] = &[
    ("cpu", "CPU time of the server for a delivery", &[Metric::Cpu]),
    ("latency", "Time of a delivery", &[Metric::Median, Metric::Percentile99]),
    (
        "connections",
        "Connections, memory, slow readers",
        &[Metric::Connection, Metric::Join, Metric::Resident, Metric::Slowdown],
    ),
];

/// Writes all files into a directory, which it makes.
pub(crate) fn write(results: &Results, directory: &Path) {
    fs::create_dir_all(directory).unwrap();
    let json = serde_json::to_string_pretty(&to_json(results)).unwrap();
    fs::write(directory.join("results.json"), json + "\n").unwrap();
    fs::write(directory.join("table.md"), table(results)).unwrap();
    for (name, heading, metrics) in PLOTS {
        if let Some(svg) = plot::svg(results, heading, metrics) {
            fs::write(directory.join(format!("{name}.svg")), svg).unwrap();
        }
    }
}

/// Returns everything that was measured.
fn to_json(results: &Results) -> Value {
    let servers: Map<String, Value> = results
        .columns
        .iter()
        .map(|column| (column.name.to_owned(), json!({ "version": column.version })))
        .collect();
    let remarks: Vec<Value> = results
        .remarks
        .iter()
        .map(|((row, server), remark)| {
            json!({
                "row": row,
                "server": server,
                "faults": remark.faults,
                "generator_busy": remark.is_generator_busy,
                "notes": remark.notes,
            })
        })
        .collect();
    json!({
        "command": results.command,
        "rounds": results.rounds,
        "conditions": results.conditions,
        "servers": servers,
        "lines": results.lines.iter().map(line_to_json).collect::<Vec<_>>(),
        "remarks": remarks,
    })
}

/// Returns a line of the table, with the figures of all rounds.
fn line_to_json(line: &Line) -> Value {
    let figures: Map<String, Value> = line
        .figures
        .iter()
        .map(|(server, rounds)| {
            let value = json!({
                "median": line.median(server),
                "ratio_to_relay": line.ratio(server, "relay"),
                "rounds": rounds,
            });
            ((*server).to_owned(), value)
        })
        .collect();
    json!({ "row": line.row, "title": line.title, "unit": unit(line.metric), "figures": figures })
}
