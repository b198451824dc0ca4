//! One measurement: a row, with one server.

use std::time::{Duration, Instant};

use crate::generator::{Crowd, Generator, Until};
use crate::process::cpu_time;
use crate::program::{Cores, Program};
use crate::rows::{Length, Row, Work};
use crate::servers::Server;

/// What a figure says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Metric {
    /// CPU time of the server for a delivery, in microseconds.
    Cpu,
    /// Median of the time from when a message was due until it was received, in microseconds.
    Median,
    /// 99th percentile of the same.
    Percentile99,
    /// Memory (PSS) for a connection, in kilobytes.
    Connection,
    /// CPU time of the server for a join, in microseconds.
    Join,
    /// Resident memory, in megabytes.
    Resident,
    /// Time for a million deliveries with somebody who does not read, as a ratio to that without.
    Slowdown,
}

/// Figures of a measurement.
#[derive(Default)]
pub(crate) struct Measurement {
    /// The figures.
    pub(crate) figures: Vec<(Metric, f64)>,
    /// Number of deliveries.
    pub(crate) deliveries: u64,
    /// Number of deliveries in a second, where senders write as fast as they can; 0 elsewhere.
    pub(crate) rate: f64,
    /// Number of deliveries that were lost, repeated or damaged; one that came late counts twice.
    pub(crate) faults: u64,
    /// True if the generator was the bottleneck: it used its core for more than nine tenths of the
    /// time, or sent too late.
    pub(crate) is_generator_busy: bool,
    /// What else a reader of the table has to know.
    pub(crate) note: Option<String>,
}

/// Share of its core above which the generator is the bottleneck.
const BUSY: f64 = 0.9;

/// Most microseconds by which 99 of 100 messages may be sent late.
const LATE: f64 = 200.0;

/// Number of file descriptors for everything but clients.
const SPARE_DESCRIPTORS: u64 = 100;

/// CPU time and wall-clock time of the two sides.
struct Times {
    /// CPU time of the server.
    server: Duration,
    /// CPU time of the generator.
    generator: Duration,
    /// When they were taken.
    at: Instant,
}

impl Times {
    /// Takes them.
    fn take(program: &Program) -> Self {
        let generator = cpu_time(std::process::id());
        Self { server: program.cpu_time(), generator, at: Instant::now() }
    }
}

/// Starts a server, measures it, and stops it. Returns `None` if it cannot do what the row asks for.
pub(crate) fn measure(
    row: &Row,
    server: &dyn Server,
    length: Length,
    cores: Cores,
) -> Option<Measurement> {
    let crowd = if length.is_quick { row.shortened() } else { row.crowd };
    if crowd.size > server.longest_text() {
        return None;
    }
    let program = server.start(cores);
    Some(match row.work {
        Work::Window(window) => run_window(&program, server, crowd, window, length.until()),
        Work::Rate(rate) => run_rate(&program, server, crowd, rate, length.duration),
        Work::Idle => idle(&program, server, crowd),
        Work::Memory(count) => {
            let count = if length.is_quick { count / 10 } else { count };
            let measured = run_window(&program, server, crowd, 8, Until::Sent(count));
            let resident = program.memory().resident / 1e3;
            Measurement { figures: vec![(Metric::Resident, resident)], ..measured }
        }
        Work::SlowReader(window) => slow_reader(&program, server, crowd, window, length.until()),
    })
}

/// Measures senders with messages in flight.
fn run_window(
    program: &Program,
    server: &dyn Server,
    crowd: Crowd,
    window: u32,
    until: Until,
) -> Measurement {
    let mut generator = Generator::connect(server, program.address, crowd);
    run_window_of(&mut generator, program, window, until).0
}

/// The same, with clients that are there. Returns the seconds for a delivery, too.
fn run_window_of(
    generator: &mut Generator<'_>,
    program: &Program,
    window: u32,
    until: Until,
) -> (Measurement, f64) {
    program.wait_for_work_put_off();
    let (before, delivered) = (Times::take(program), generator.deliveries.count());
    generator.run_window(window, until);
    let after = Times::take(program);
    let wall = (after.at - before.at).as_secs_f64();
    let mut measured = measurement(generator, program, &before, delivered);
    let generator_time = after.generator.saturating_sub(before.generator);
    measured.is_generator_busy = generator_time.as_secs_f64() > BUSY * wall;
    measured.rate = measured.deliveries as f64 / wall;
    let seconds = measured.rate.recip();
    (measured, seconds)
}

/// Measures messages at a fixed rate.
fn run_rate(
    program: &Program,
    server: &dyn Server,
    crowd: Crowd,
    rate: u32,
    duration: Duration,
) -> Measurement {
    let mut generator = Generator::connect(server, program.address, crowd);
    program.wait_for_work_put_off();
    let before = Times::take(program);
    generator.run_rate(rate, duration);
    let mut measured = measurement(&generator, program, &before, 0);
    let deliveries = &generator.deliveries;
    measured.figures.push((Metric::Median, deliveries.latency(0.5)));
    measured.figures.push((Metric::Percentile99, deliveries.latency(0.99)));
    measured.is_generator_busy = deliveries.lateness(0.99) > LATE;
    measured
}

/// Returns what was measured since `before`, when so many messages had been delivered. What the
/// server does behind the last delivery counts, too.
fn measurement(
    generator: &Generator<'_>,
    program: &Program,
    before: &Times,
    delivered: u64,
) -> Measurement {
    program.wait_for_work_put_off();
    let deliveries = generator.deliveries.count() - delivered;
    let cpu = (program.cpu_time() - before.server).as_secs_f64();
    Measurement {
        figures: vec![(Metric::Cpu, cpu * 1e6 / deliveries as f64)],
        deliveries,
        faults: generator.deliveries.faults.count(),
        ..Measurement::default()
    }
}

/// Measures joins, and connections on which nothing happens.
fn idle(program: &Program, server: &dyn Server, mut crowd: Crowd) -> Measurement {
    let limit = rlimit::Resource::NOFILE.get_soft().unwrap().saturating_sub(SPARE_DESCRIPTORS);
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let wanted = crowd.rooms;
    crowd.rooms = wanted.min(most / crowd.people);
    program.wait_until_idle();
    let (before, memory) = (Times::take(program), program.memory());
    let generator = Generator::connect(server, program.address, crowd);
    program.wait_until_idle();
    let count = generator.client_count() as f64;
    let cpu = (program.cpu_time() - before.server).as_secs_f64();
    let kilobytes = program.memory().proportional - memory.proportional;
    Measurement {
        figures: vec![(Metric::Connection, kilobytes / count), (Metric::Join, cpu * 1e6 / count)],
        note: (crowd.rooms < wanted)
            .then(|| format!("the limit of open files allowed {count} connections only")),
        ..Measurement::default()
    }
}

/// Measures a room twice: the second time with somebody who does not read.
fn slow_reader(
    program: &Program,
    server: &dyn Server,
    crowd: Crowd,
    window: u32,
    until: Until,
) -> Measurement {
    let mut generator = Generator::connect(server, program.address, crowd);
    let (_, without) = run_window_of(&mut generator, program, window, until);
    generator.add_slow_reader();
    let (mut measured, with) = run_window_of(&mut generator, program, window, until);
    measured.figures = vec![
        (Metric::Slowdown, with / without),
        (Metric::Resident, program.memory().resident / 1e3),
    ];
    let is_lost = generator.has_lost_slow_reader();
    measured.note = Some(if is_lost { "disconnected" } else { "kept" }.to_owned());
    measured
}
