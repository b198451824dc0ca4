//! Scrape: one request for the metrics, and its answer.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::snapshot::MetricsSource;
use crate::server::connection::Transport;
use crate::server::web::HeadReader;
use crate::wire::{HttpMethod, HttpRequest, HttpRequestError};

/// Path of the metrics.
const PATH: &str = "/metrics";

/// Media type of the metrics: the text format of OpenMetrics.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Media type of the other answers.
const PLAIN_TEXT: &str = "text/plain; charset=utf-8";

/// Number of bytes read from a socket at a time.
const READ_SIZE: usize = 1_024;

/// Limits of the time that a scrape may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeLimits {
    /// Time to the end of the request's head.
    head: Duration,
    /// Time until the engine has told its values. After it, the answer is an error.
    values: Duration,
    /// Time to send the answer.
    answer: Duration,
}

impl Default for TimeLimits {
    fn default() -> Self {
        let [head, values, answer] = [10, 5, 10].map(Duration::from_secs);
        Self { head, values, answer }
    }
}

/// Answer to a request.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    /// Status code and reason.
    status: &'static str,
    /// Media type of the body.
    media_type: &'static str,
    /// Body.
    body: String,
}

impl Answer {
    /// Returns an answer that is an error, with a sentence about it.
    fn error(status: &'static str, sentence: &str) -> Self {
        Self { status, media_type: PLAIN_TEXT, body: format!("{sentence}\n") }
    }

    /// Returns the answer as it is sent. A connection ends after it.
    fn encode(&self) -> String {
        let Self { status, media_type, body } = self;
        let length = body.len();
        let allow = if status.starts_with("405") { "Allow: GET\r\n" } else { "" };
        format!(
            "HTTP/1.1 {status}\r\nConnection: close\r\n{allow}Content-Type: {media_type}\r\n\
             Content-Length: {length}\r\nX-Content-Type-Options: nosniff\r\n\r\n{body}"
        )
    }
}

/// Reads one request from a connection, answers it, and closes the connection. A client that sends
/// or reads too slowly is cut off.
///
/// # Errors
/// Those of the socket, or a time limit is over.
pub(super) async fn serve(
    mut stream: TcpStream,
    source: &MetricsSource,
    limits: TimeLimits,
) -> io::Result<()> {
    let Some(request) = timeout(limits.head, read_request(&mut stream)).await?? else {
        return Ok(());
    };
    let answer = match refusal(&request) {
        Some(refusal) => refusal,
        None => match timeout(limits.values, source.text()).await {
            Ok(Some(body)) => Answer { status: "200 OK", media_type: OPEN_METRICS, body },
            _ => Answer::error("503 Service Unavailable", "The server's engine does not answer."),
        },
    };
    timeout(limits.answer, stream.write_all(answer.encode().as_bytes())).await??;
    stream.close(None).await;
    Ok(())
}

/// Reads the head of the request; `None` if the client has closed its sending half before its end.
///
/// # Errors
/// Those of the socket. An invalid head is a value.
async fn read_request(
    stream: &mut TcpStream,
) -> io::Result<Option<Result<HttpRequest, HttpRequestError>>> {
    let mut received = HeadReader::default();
    let mut buffer = vec![0; READ_SIZE];
    loop {
        let count = stream.read(&mut buffer).await?;
        received.extend(buffer.get(..count).unwrap_or_default());
        match received.next_request() {
            None if count == 0 => return Ok(None),
            None => {}
            request => return Ok(request),
        }
    }
}

/// Returns the answer to a request that gets no metrics; `None` for one that does.
fn refusal(request: &Result<HttpRequest, HttpRequestError>) -> Option<Answer> {
    let not_understood = "This server does not understand the request.";
    match request {
        Err(HttpRequestError::TooLong) => {
            Some(Answer::error("431 Request Header Fields Too Large", not_understood))
        }
        Err(HttpRequestError::Malformed) => Some(Answer::error("400 Bad Request", not_understood)),
        Ok(request) if request.path != PATH => {
            Some(Answer::error("404 Not Found", "The metrics are at /metrics."))
        }
        Ok(request) if request.method != HttpMethod::Get => {
            Some(Answer::error("405 Method Not Allowed", "Metrics can only be read."))
        }
        Ok(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use tokio::sync::watch;

    use super::*;
    use crate::model::Moment;
    use crate::os::Clock;
    use crate::server::ServerSettings;
    use crate::server::engine::unanswered_handle;

    /// Limit that no test reaches.
    const LONG: Duration = Duration::from_secs(600);

    /// Limit that is over soon.
    const SHORT: Duration = Duration::from_millis(50);

    /// Has a client send `head` to a server whose engine answers nothing, or has ended. Returns
    /// what the client gets.
    async fn scrape(limits: TimeLimits, head: &str, is_engine_gone: bool) -> (bool, String) {
        let (engine, queue) = unanswered_handle();
        let queue = (!is_engine_gone).then_some(queue);
        let source = MetricsSource::new(
            engine,
            watch::channel(ServerSettings::default()).1,
            watch::channel(None).1,
            Clock::start(),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        client.write_all(head.as_bytes()).await.unwrap();
        let mut told = String::new();
        let (served, _) = tokio::join!(
            async { serve(stream, &source, limits).await.is_ok() },
            client.read_to_string(&mut told)
        );
        drop(queue);
        (served, told)
    }

    /// A request that does not end is cut off. An engine that does not answer, or has ended, is
    /// told to whoever asks.
    #[tokio::test]
    async fn nobody_waits_for_ever() {
        let clock = Clock::start();
        let limits = TimeLimits { head: SHORT, values: LONG, answer: LONG };
        assert_eq!(scrape(limits, "GET /metrics HTT", false).await, (false, String::new()));
        assert!(clock.now() >= Moment::after_start(SHORT));
        let request = "GET /metrics HTTP/1.1\r\nHost: pi\r\n\r\n";
        let limits = TimeLimits { head: LONG, values: SHORT, answer: LONG };
        for is_engine_gone in [false, true] {
            let (served, told) = scrape(limits, request, is_engine_gone).await;
            assert!(served && told.starts_with("HTTP/1.1 503 "), "{told}");
        }
    }
}
