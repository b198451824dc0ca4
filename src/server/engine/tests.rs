//! Tests of the engine without its loop: the tests pass inputs to the engine.

use std::net::IpAddr;

use std::sync::Mutex;
use std::task::Context;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::*;
use crate::hub::{NotStoredReason, Ticket};
use crate::log::{LogEvent, MemoryLimits, MemoryLog};
use crate::model::{Draft, LogId, Reference, Token};
use crate::server::outbox::{Item, Outbox};
use crate::wire::tcp::{Hello, Join, MAGIC, Ping, Say};

/// Returns an engine with default settings and a log in memory. Its loop does not run.
fn engine() -> Engine {
    engine_with(Box::new(MemoryLog::new(MemoryLimits::default()))).0
}

/// Returns an engine with default settings and this log, and the handle of its queue.
fn engine_with(log: Box<dyn Log>) -> (Engine, EngineHandle) {
    let restored = RestoredState::empty(LogId([0; 16]));
    let settings = HubSettings::default();
    Engine::new(settings, restored, log, FanoutLimits::default(), Clock::start())
}

/// Connects a client from 127.0.0.1, and joins with the username `guest` and `number`. Returns the
/// client's outbox, emptied.
fn joined_client(engine: &mut Engine, number: u64) -> Arc<Outbox> {
    let outbox = Arc::new(Outbox::default());
    let connection = ConnectionId(number);
    engine.handle_input(EngineInput::Connected {
        connection,
        address: IpAddr::from([127, 0, 0, 1]),
        token: Token([u8::try_from(number).unwrap(); 16]),
        proof_context: None,
        outbox: outbox.clone(),
    });
    let hello = Hello {
        magic: MAGIC,
        min_version: 1,
        max_version: 1,
        features: 0,
        client_name: String::new(),
        client_version: String::new(),
    };
    let join = Join {
        username: format!("guest{number}"),
        password: None,
        rooms: Vec::new(),
        token: None,
        position: None,
        proof: None,
        invite: None,
    };
    send(engine, number, hello);
    send(engine, number, join);
    assert!(!take_frames(&outbox).0.is_empty());
    outbox
}

/// Passes a frame to the engine as received on connection `number`.
fn send(engine: &mut Engine, number: u64, frame: impl Into<ClientFrame>) {
    let frames = vec![Decoded::Frame(frame.into())];
    let memory = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
    engine.handle_input(EngineInput::Received { connection: ConnectionId(number), frames, memory });
}

/// Takes all items out of an outbox. Returns the frames, and true if `Close` was among the items.
/// Drops all other items.
fn take_frames(outbox: &Outbox) -> (Vec<ServerFrame>, bool) {
    let (mut frames, mut is_end) = (Vec::new(), false);
    while let Some(item) = outbox.take() {
        match item {
            Item::Frames(bytes) => match ServerFrame::decode(&bytes[2..]) {
                Decoded::Frame(frame) => frames.push(frame),
                other => panic!("{other:?}"),
            },
            Item::Close => is_end = true,
            _ => {}
        }
    }
    (frames, is_end)
}

/// If the hub panics on a client's input, that client gets the error `internal` and is closed.
/// Other clients are served as before.
#[test]
fn panic_in_hub_closes_only_the_triggering_connection() {
    let mut engine = engine();
    let (unlucky, bystander) = (joined_client(&mut engine, 1), joined_client(&mut engine, 2));
    engine.hub.inject_panic(ConnectionId(1));
    send(&mut engine, 1, Ping { token: 1 });
    let (told, is_end) = take_frames(&unlucky);
    let [ServerFrame::Error(error)] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((error.code, is_end), (ErrorCode::Internal.number(), true));
    send(&mut engine, 2, Ping { token: 2 });
    assert_eq!(take_frames(&bystander).0.len(), 1);
    joined_client(&mut engine, 3);
}

/// Log that answers each draft with `NotStored` if `answers` is true. If it is false, answers
/// nothing.
#[derive(Default)]
struct SlowLog {
    /// Drafts without an answer, in order.
    unanswered: std::collections::VecDeque<Draft>,
    /// True if the log answers drafts.
    answers: Arc<std::sync::atomic::AtomicBool>,
}

impl Log for SlowLog {
    fn propose(&mut self, _: Now, proposals: Vec<Proposal>) {
        for proposal in proposals {
            if let Proposal::Message(draft) = proposal {
                self.unanswered.push_back(draft);
            }
        }
    }

    fn read(&mut self, _: crate::hub::ReadTag, _: crate::hub::ReadRequest) {}

    fn maintain(&mut self, _: &dyn Fn(&crate::model::RoomName) -> bool) {}

    fn set_retention(&mut self, _: crate::model::Retention) {}

    fn poll_event(&mut self, _: &mut Context<'_>) -> Poll<Option<LogEvent>> {
        if !self.answers.load(std::sync::atomic::Ordering::Relaxed) {
            return Poll::Pending;
        }
        self.unanswered.pop_front().map_or(Poll::Pending, |draft| {
            let (ticket, reason) = (Ticket::of_message(&draft), NotStoredReason::Storage);
            Poll::Ready(Some(LogEvent::NotStored { ticket, reason }))
        })
    }

    fn close(self: Box<Self>) {}
}

/// Takes all items out of an outbox. Returns the codes of the notices among them.
fn take_notices(outbox: &Outbox) -> Vec<u16> {
    let code = |frame: &ServerFrame| match frame {
        ServerFrame::Notice(notice) => Some(notice.code),
        _ => None,
    };
    take_frames(outbox).0.iter().filter_map(code).collect()
}

/// A stalled log is announced to users once, and its end too. A shutdown waits for the log only
/// until its deadline.
#[test]
fn stalled_log_is_announced_once_and_does_not_delay_shutdown() {
    let mut engine = engine();
    let anna = joined_client(&mut engine, 1);
    let log = SlowLog::default();
    let answers = log.answers.clone();
    engine.log = Box::new(log);
    let say = |reference| Say {
        reference: Reference(reference),
        room: "lobby".to_owned(),
        style: 0,
        text: "x".to_owned(),
    };
    send(&mut engine, 1, say(1));
    engine.commit();
    let begun = engine.unanswered_since.unwrap();
    engine.check_log_stall(begun + HOUSEKEEPING_INTERVAL / 2);
    assert_eq!(take_notices(&anna), [0; 0]);
    engine.check_log_stall(begun + HOUSEKEEPING_INTERVAL);
    engine.check_log_stall(begun + HOUSEKEEPING_INTERVAL * 2);
    assert_eq!(take_notices(&anna), [5], "once");
    answers.store(true, std::sync::atomic::Ordering::Relaxed);
    engine.poll_log();
    assert_eq!(take_notices(&anna), [6]);
    answers.store(false, std::sync::atomic::Ordering::Relaxed);
    send(&mut engine, 1, say(2));
    engine.commit();
    engine.handle_input(EngineInput::ShutDown { retry_after: 7 });
    assert!(!engine.is_stopping, "what is under way is waited for");
    engine.pending_shutdown.as_mut().unwrap().deadline = engine.clock.now();
    engine.on_timers();
    let (told, is_end) = take_frames(&anna);
    let [ServerFrame::Error(error)] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((error.code, error.retry_after, is_end), (111, 7, true));
}

/// Messages that are committed together are published in several turns, in order. Between the
/// turns, the engine's loop lets the connections' tasks run.
#[test]
fn committed_messages_are_published_in_turns() {
    let mut engine = engine();
    let _outbox = joined_client(&mut engine, 1);
    let head = engine.head();
    let say = |number| {
        let (room, text) = ("lobby".to_owned(), "x".repeat(4_000));
        Decoded::Frame(Say { reference: Reference(number), room, style: 0, text }.into())
    };
    let memory = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
    let frames = (1..=200).map(say).collect();
    engine.handle_input(EngineInput::Received { connection: ConnectionId(1), frames, memory });
    let before = head.get().0;
    engine.commit();
    let mut published = vec![head.get().0 - before];
    while engine.publish_turn.is_over() {
        engine.publish_turn.begin();
        engine.poll_log();
        published.push(head.get().0 - before);
    }
    assert_eq!(published.last(), Some(&200));
    let largest = published.windows(2).map(|it| it[1] - it[0]).max();
    assert!(published[0] < 40 && largest < Some(40), "{published:?}");
}

/// Log in memory that notes how many messages are proposed at a time.
struct NotingLog {
    /// The log.
    log: MemoryLog,
    /// Number of messages of each call that had any.
    proposed: Arc<Mutex<Vec<usize>>>,
}

impl Log for NotingLog {
    fn propose(&mut self, now: Now, proposals: Vec<Proposal>) {
        let messages = proposals.iter().filter(|it| matches!(it, Proposal::Message(_))).count();
        if messages > 0 {
            self.proposed.lock().unwrap().push(messages);
        }
        self.log.propose(now, proposals);
    }

    fn read(&mut self, tag: crate::hub::ReadTag, request: crate::hub::ReadRequest) {
        self.log.read(tag, request);
    }

    fn maintain(&mut self, is_open: &dyn Fn(&crate::model::RoomName) -> bool) {
        self.log.maintain(is_open);
    }

    fn set_retention(&mut self, retention: crate::model::Retention) {
        self.log.set_retention(retention);
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Option<LogEvent>> {
        self.log.poll_event(context)
    }

    fn close(self: Box<Self>) {}
}

/// What several connections have received at the same time is proposed to the log together,
/// although the first of their tasks wakes the engine.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn messages_that_arrive_together_are_proposed_together() {
    let proposed = Arc::new(Mutex::new(Vec::new()));
    let log = MemoryLog::new(MemoryLimits::default());
    let (mut engine, handle) = engine_with(Box::new(NotingLog { log, proposed: proposed.clone() }));
    let numbers = 1..=8;
    let outboxes: Vec<_> = numbers.clone().map(|it| joined_client(&mut engine, it)).collect();
    tokio::spawn(engine.run());
    tokio::spawn(async move {
        for number in numbers {
            let handle = handle.clone();
            tokio::spawn(async move {
                let (room, text) = ("lobby".to_owned(), "x".to_owned());
                let say = Say { reference: Reference(1), room, style: 0, text };
                let frames = vec![Decoded::Frame(say.into())];
                handle.send_frames(ConnectionId(number), frames, 1).await.unwrap();
            });
        }
    });
    let count = || proposed.lock().unwrap().iter().sum::<usize>();
    let all = async {
        while count() < outboxes.len() {
            yield_now().await;
        }
    };
    timeout(Duration::from_secs(30), all).await.unwrap();
    assert_eq!(*proposed.lock().unwrap(), [outboxes.len()]);
}

/// A probe that waits in the queue when the engine ends comes back as failed.
#[tokio::test]
async fn probe_ends_with_the_engine() {
    let (engine, handle) = engine_with(Box::new(MemoryLog::new(MemoryLimits::default())));
    let probe = tokio::spawn(async move { crate::server::service::probe(&handle).await });
    while engine.inputs.is_empty() {
        yield_now().await;
    }
    drop(engine);
    let patience = Duration::from_secs(30);
    assert!(!timeout(patience, probe).await.unwrap().unwrap());
}

/// Latencies are measured only if somebody may read them; then each message has one. The memory of
/// what is unsent is told in any case.
#[tokio::test]
async fn stats_have_latencies_on_request() {
    for is_measured in [false, true] {
        let mut engine = engine();
        if is_measured {
            engine.measure_latency();
        }
        joined_client(&mut engine, 1);
        for number in 1..=3 {
            let (room, text) = ("lobby".to_owned(), "x".to_owned());
            send(&mut engine, 1, Say { reference: Reference(number), room, style: 0, text });
        }
        engine.commit();
        engine.budget().take(7);
        let (answer, mut told) = tokio::sync::oneshot::channel();
        engine.handle_input(EngineInput::QueryStats { answer });
        let stats = told.try_recv().unwrap();
        let measured = stats.latency.map(|it| it.buckets().iter().map(|(_, count)| count).sum());
        assert_eq!((stats.messages, measured), (3, is_measured.then_some(3_u64)));
        assert_eq!(stats.unsent, 7);
        engine.budget().release(7);
    }
}
