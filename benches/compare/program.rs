//! A server under measurement, as a process: started on its cores, stopped with its guard.

use std::cell::Cell;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tempfile::TempDir;

use crate::process::{Memory, cpu_time, memory};
use crate::signals;

/// Longest time until a server listens.
const PATIENCE: Duration = Duration::from_secs(60);

/// Pause between two looks at something that is awaited.
const PAUSE: Duration = Duration::from_millis(5);

/// Name of the file with the output of a server.
const OUTPUT: &str = "output";

/// Cores of server and generator.
#[derive(Clone, Copy)]
pub(crate) struct Cores {
    /// Cores of the server.
    server: CpuSet,
    /// Core of the generator; one of the server's if there is no other one.
    generator: CpuSet,
}

impl Cores {
    /// Picks the first so many cores on which this process may run for the server, and the last one
    /// for the generator; moves to the last.
    ///
    /// # Panics
    /// If there are not so many.
    pub(crate) fn pick(server_cores: usize) -> Self {
        let allowed = sched_getaffinity(None).unwrap();
        let cores: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect();
        assert!((1..=cores.len()).contains(&server_cores), "there are {} cores", cores.len());
        let (mut server, mut generator) = (CpuSet::new(), CpuSet::new());
        cores.iter().take(server_cores).for_each(|core| server.set(*core));
        generator.set(*cores.last().unwrap());
        run_on(&generator);
        Self { server, generator }
    }

    /// Returns true if the generator has a core that the server has not.
    pub(crate) fn are_apart(&self) -> bool {
        (0..CpuSet::MAX_CPU).all(|core| !self.server.is_set(core) || !self.generator.is_set(core))
    }
}

/// Moves the calling thread, and what it starts from now on, to these cores.
fn run_on(cores: &CpuSet) {
    sched_setaffinity(None, cores).unwrap();
}

/// How a server tells that it listens.
pub(crate) enum Listening<'a> {
    /// By a line that ends with the address, behind these words.
    Says(&'a str),
    /// It was told the address, and accepts a connection there.
    At(SocketAddr),
}

/// A running server. It is killed when this value is dropped, by [`signals`] when a signal ends this
/// process, and by the kernel when it ends in any other way.
pub(crate) struct Program {
    /// Its process.
    child: Child,
    /// Address at which clients connect.
    pub(crate) address: SocketAddr,
    /// Directory with its files, which is removed with it.
    directory: TempDir,
    /// Greatest CPU time that was seen.
    greatest_cpu_time: Cell<Duration>,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        signals::note_stopped();
        let _ = self.child.wait();
    }
}

impl Program {
    /// Starts a program on the server's cores, and waits until it listens. Its output goes into the
    /// directory.
    ///
    /// # Panics
    /// If it ends, or does not listen in time; with its output.
    pub(crate) fn start(
        cores: Cores,
        program: &Path,
        arguments: &[&str],
        directory: TempDir,
        listening: Listening<'_>,
    ) -> Self {
        let output_path = directory.path().join(OUTPUT);
        let output = File::create(&output_path).unwrap();
        // A child inherits the core of the thread that starts it.
        run_on(&cores.server);
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .arg(program)
            .args(arguments)
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn();
        run_on(&cores.generator);
        let child = child.expect("setpriv is missing");
        signals::note_started(child.id(), directory.path());
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut started = Self { child, address, directory, greatest_cpu_time: Cell::default() };
        let start = Instant::now();
        loop {
            let text = String::from_utf8_lossy(&fs::read(&output_path).unwrap()).into_owned();
            if let Some(address) = listening.address(&text) {
                started.address = address;
                return started;
            }
            let has_ended = started.child.try_wait().unwrap().is_some();
            if has_ended || start.elapsed() > PATIENCE {
                panic!("{} does not listen:\n{text}", program.display());
            }
            thread::sleep(PAUSE);
        }
    }

    /// Returns the CPU time that it has used. It never falls: the end of a thread may take some from
    /// what is read, up to a tick, and then the greatest value until now counts.
    ///
    /// # Panics
    /// If it has ended; with its output.
    pub(crate) fn cpu_time(&self) -> Duration {
        let now = cpu_time(self.child.id()).max(self.cpu_time_in_ticks());
        self.greatest_cpu_time.set(self.greatest_cpu_time.get().max(now));
        self.greatest_cpu_time.get()
    }

    /// Returns the CPU time that it has used, rounded down to ticks of 10 ms, but including that of
    /// threads that have ended.
    fn cpu_time_in_ticks(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // The name of the program, in parentheses, may have spaces.
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        if fields.starts_with('Z') {
            let output = fs::read(self.directory.path().join(OUTPUT)).unwrap();
            panic!("the server has ended:\n{}", String::from_utf8_lossy(&output));
        }
        let ticks = fields.split(' ').skip(11).take(2).map(|it| it.parse::<u64>().unwrap());
        Duration::from_millis(10 * ticks.sum::<u64>())
    }

    /// Returns its memory.
    pub(crate) fn memory(&self) -> Memory {
        memory(self.child.id())
    }

    /// Waits until it does nothing, and so much longer that work which it has put off is done, too:
    /// `chat-server` adds messages to its search index when nobody has written for 2 s.
    pub(crate) fn wait_for_work_put_off(&self) {
        self.wait_until_idle();
        thread::sleep(Duration::from_millis(2_300));
        self.wait_until_idle();
    }

    /// Waits until it does nothing for a moment.
    pub(crate) fn wait_until_idle(&self) {
        let (slice, patience) = (Duration::from_millis(100), Duration::from_secs(5));
        let start = Instant::now();
        while start.elapsed() < patience {
            let before = self.cpu_time();
            thread::sleep(slice);
            if self.cpu_time() - before < slice / 50 {
                return;
            }
        }
    }
}

impl Listening<'_> {
    /// Returns the address if the server listens; `output` is what it has written.
    fn address(&self, output: &str) -> Option<SocketAddr> {
        match self {
            Self::Says(words) => {
                // Only a whole line has the whole address.
                let (lines, _) = output.rsplit_once('\n')?;
                let (_, address) = lines.lines().find_map(|line| line.split_once(words))?;
                address.trim().parse().ok()
            }
            Self::At(address) => TcpStream::connect(address).is_ok().then_some(*address),
        }
    }
}

/// Returns an address on loopback with a port that is free now, for a server that has to be told one.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

/// Makes a directory for the files of a server, on the disk of the build.
pub(crate) fn directory() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}
