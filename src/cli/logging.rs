//! Logging of a server or a headless peer to standard error. Log lines are formatted for people, or
//! have priorities for systemd's journal. No log line may contain message texts, passwords or
//! tokens.

use std::env;
use std::fmt;
use std::io::{self, IsTerminal};

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Format of log lines for systemd's journal. A line has a priority prefix (`sd-daemon(3)`), and no
/// time, because the journal adds it.
struct JournalFormat;

impl<S, N> FormatEvent<S, N> for JournalFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    /// Writes one log event as a line.
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let priority = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            _ => 7,
        };
        write!(writer, "<{priority}>")?;
        context.format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

/// Installs the global logger, for events of the level INFO and above. A second call panics. Uses
/// [`JournalFormat`] if the variable `JOURNAL_STREAM` is set, as in a systemd service, and standard
/// error is no terminal. Otherwise formats log lines for people.
pub(super) fn init() {
    // A failure to write a log line cannot be logged.
    let base = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_target(false)
        .log_internal_errors(false);
    if env::var_os("JOURNAL_STREAM").is_some() && !io::stderr().is_terminal() {
        base.with_ansi(false).event_format(JournalFormat).init();
    } else {
        base.with_ansi(io::stderr().is_terminal()).init();
    }
}
