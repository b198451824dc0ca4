//! The log of a server, or of a peer without a person, on standard error: for people on a terminal, with
//! priorities under systemd. Never what people say, no passwords, no tokens.

use std::env;
use std::fmt;
use std::io::{self, IsTerminal};

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Lines for the journal: it adds the time itself, and takes the priority
/// from the beginning of the line (`sd-daemon(3)`).
struct JournalFormat;

impl<S, N> FormatEvent<S, N> for JournalFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    /// Writes one line.
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

/// Begins to log. To be called once.
pub(super) fn init() {
    // Where a line cannot be written, nobody can be told so either.
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
