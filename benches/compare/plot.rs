//! Plots as SVG: bars for each line of the table. Colours follow the reader's choice of light or dark,
//! and the font is that of the reader's system.

use std::fmt::Write;

use crate::measure::Metric;
use crate::number::number;
use crate::results::{Column, Kind, Line, Results};
use crate::table::unit;

/// Width of a plot.
const WIDTH: f64 = 760.0;

/// Left end of the bars: names stand left of it.
const BARS: f64 = 130.0;

/// Length of the longest bar: figures stand right of it.
const LONGEST_BAR: f64 = 440.0;

/// Height of a bar with its distance to the next one.
const BAR: f64 = 18.0;

/// Height of a title.
const TITLE: f64 = 30.0;

/// Colours, in light and in dark.
const STYLE: &str = "<style>
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.heading { font-size: 17px; font-weight: 600; }
.title { font-weight: 600; }
.ours { fill: #2563c9; } .foreign { fill: #a8adb4; } .relay { fill: #5d9c59; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; }
.ours { fill: #6ea8fe; } .foreign { fill: #6b7280; } .relay { fill: #7fc17a; }
}
</style>
";

/// Returns the plot of all lines with one of these metrics; `None` if there is none.
pub(crate) fn svg(results: &Results, heading: &str, metrics: &[Metric]) -> Option<String> {
    let lines: Vec<&Line> =
        results.lines.iter().filter(|line| metrics.contains(&line.metric)).collect();
    if lines.is_empty() {
        return None;
    }
    let mut body = String::new();
    let mut y = 28.0;
    writeln!(body, "<text class=\"heading\" x=\"8\" y=\"{y}\">{heading}</text>").unwrap();
    for line in lines {
        y += TITLE;
        let title = format!("{}: {}", line.title, unit(line.metric));
        writeln!(body, "<text class=\"title\" x=\"8\" y=\"{y}\">{title}</text>").unwrap();
        y += 8.0;
        let columns = results.measured_columns();
        let scale = scale(line, &columns);
        for column in columns {
            if let Some(figure) = line.median(column.name) {
                bar(&mut body, y, column, line, figure / scale);
                y += BAR;
            }
        }
    }
    let height = y + 12.0;
    let head = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\" role=\"img\" aria-label=\"{heading}\">\n"
    );
    Some([&head, STYLE, &body, "</svg>\n"].concat())
}

/// Returns the figure of the longest bar. One server that is far behind must not make the bars of all
/// others too short to compare: twice the worst figure of `chat-server` and the relay is enough.
fn scale(line: &Line, columns: &[&Column]) -> f64 {
    let greatest = |is_counted: fn(Kind) -> bool| {
        let counted = columns.iter().filter(|column| is_counted(column.kind));
        counted.filter_map(|column| line.median(column.name)).fold(0.0, f64::max)
    };
    let near = 2.0 * greatest(|kind| kind != Kind::Foreign);
    let all = greatest(|_| true);
    if near > 0.0 { all.min(near) } else { all }
}

/// Appends the bar of a server, of this length; the longest has 1, and longer ones are cut.
fn bar(body: &mut String, y: f64, column: &Column, line: &Line, length: f64) {
    let class = match column.kind {
        Kind::Ours => "ours",
        Kind::Foreign => "foreign",
        Kind::Relay => "relay",
    };
    let width = LONGEST_BAR * length.clamp(0.0, 1.0);
    let mut label = number(line.median(column.name).unwrap_or_default());
    if let Some(ratio) = line.ratio(column.name, "relay").filter(|_| column.kind != Kind::Relay) {
        write!(label, " ({} × relay)", number(ratio)).unwrap();
    }
    if length > 1.0 {
        label.insert_str(0, "» ");
    }
    let (text_y, name) = (y + 12.0, column.name);
    let (name_x, label_x) = (BARS - 8.0, BARS + width + 6.0);
    writeln!(
        body,
        "<text x=\"{name_x}\" y=\"{text_y}\" text-anchor=\"end\">{name}</text>\
         <rect class=\"{class}\" x=\"{BARS}\" y=\"{y}\" width=\"{width:.1}\" height=\"14\" rx=\"2\"/>\
         <text x=\"{label_x:.1}\" y=\"{text_y}\">{label}</text>"
    )
    .unwrap();
}
