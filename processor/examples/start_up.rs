//! How long does `tidemill run` take until it reads, and how much memory does it hold when there is nothing to do?
//!
//! ```text
//! cargo run --release -p tidemill --example start_up
//! cargo run --release -p tidemill --example start_up -- --bootstrap localhost:9092
//! ```
//!
//! Starts `tidemill run examples/top_users.sql` several times against `tidemill broker`, or against a broker of yours.
//! The time is from just before the process is created until it says `reading topic user_clicks` on stderr, which it does
//! when it has joined its group and knows where to read, and its consumer has put its first Fetch on the wire. Memory is
//! VmRSS in /proc after some seconds without records, so this needs Linux.
#![expect(clippy::disallowed_methods, reason = "it measures time")]
#![expect(clippy::print_stdout, reason = "it is a command")]

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clap::Parser;
use tidemill_client::{Admin, ClientConfig, ErrorCode, ErrorKind, NewTopic};

/// Measures the start of `tidemill run`.
#[derive(Debug, Parser)]
struct Arguments {
    /// The broker to use; without it, `tidemill broker` is started
    #[arg(long, value_name = "HOST:PORT")]
    bootstrap: Option<String>,
    /// How many starts
    #[arg(long, default_value_t = 10)]
    runs: usize,
    /// For how many seconds each is left alone before its memory is looked at
    #[arg(long, default_value_t = 2)]
    idle: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let tidemill = build()?;
    let mut broker = None;
    let bootstrap = match arguments.bootstrap {
        Some(bootstrap) => bootstrap,
        None => {
            let (process, bootstrap) = start_broker(&tidemill)?;
            broker = Some(process);
            bootstrap
        }
    };
    create_topics(&bootstrap)?;
    let idle = Duration::from_secs(arguments.idle);
    let (mut times, mut memory) = (Vec::new(), Vec::new());
    for _ in 0..arguments.runs.max(1) {
        let (time, resident) = start(&tidemill, &bootstrap, idle)?;
        times.push(time.as_secs_f64() * 1_000.0);
        memory.push(resident / 1_024.0);
    }
    drop(broker);
    println!("{} starts against {bootstrap}, {idle:?} idle each", times.len());
    println!("{:32} {:>8} {:>8} {:>8}", "", "min", "median", "max");
    print("process start to first fetch, ms", &mut times);
    print("resident memory when idle, MiB", &mut memory);
    Ok(())
}

/// Builds the binary in the profile of this example, and says where it lies.
fn build() -> Result<PathBuf, Box<dyn Error>> {
    let own = std::env::current_exe()?;
    let folder = own.parent().and_then(Path::parent).ok_or("this example lies in no target folder")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--bin", "tidemill"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    if !build.status()?.success() {
        return Err("the binary could not be built".into());
    }
    Ok(folder.join("tidemill"))
}

/// A process that ends with this program.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the embedded broker, which says its address in its first line.
fn start_broker(tidemill: &Path) -> Result<(Process, String), Box<dyn Error>> {
    let mut broker = Command::new(tidemill);
    broker.args(["broker", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut broker = Process(broker.spawn()?);
    let mut line = String::new();
    BufReader::new(broker.0.stdout.take().ok_or("no stdout")?).read_line(&mut line)?;
    match line.trim() {
        "" => Err("the broker did not start".into()),
        bootstrap => Ok((broker, bootstrap.to_owned())),
    }
}

fn create_topics(bootstrap: &str) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let topics = ["user_clicks", "top_users"].map(|topic| NewTopic::new(topic).partitions(1));
    let created = runtime.block_on(async {
        let admin = Admin::new(ClientConfig::default().bootstrap_servers(bootstrap))?;
        admin.create_topics(&topics, Duration::from_secs(10)).await
    })?;
    for (_, outcome) in created {
        match outcome {
            Err(error) if error.kind() != ErrorKind::Broker(ErrorCode::TOPIC_ALREADY_EXISTS) => {
                return Err(error.into());
            }
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}

/// One start: how long until it reads, and its resident memory in KiB after a while.
fn start(tidemill: &Path, bootstrap: &str, idle: Duration) -> Result<(Duration, f64), Box<dyn Error>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/top_users.sql");
    let mut run = Command::new(tidemill);
    run.arg("run").arg(file).args(["--bootstrap", bootstrap]).env_remove("RUST_LOG");
    run.stdout(Stdio::null()).stderr(Stdio::piped());
    let start = Instant::now();
    let mut process = Process(run.spawn()?);
    let stderr = BufReader::new(process.0.stderr.take().ok_or("no stderr")?);
    let mut said = Vec::new();
    let mut lines = stderr.lines();
    let time = loop {
        match lines.next() {
            Some(Ok(line)) if line == "reading topic user_clicks" => break start.elapsed(),
            Some(line) => said.push(line?),
            None => return Err(format!("it did not read:\n{}", said.join("\n")).into()),
        }
    };
    std::thread::sleep(idle);
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.0.id()))?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix("kB"));
    let resident: f64 = resident.ok_or("no VmRSS in /proc")?.trim().parse()?;
    // It leaves its group, so that the next one need not wait for it.
    Command::new("kill").arg("-TERM").arg(process.0.id().to_string()).status()?;
    for line in lines {
        line?;
    }
    process.0.wait()?;
    Ok((time, resident))
}

fn print(name: &str, values: &mut [f64]) {
    values.sort_by(f64::total_cmp);
    if let (Some(min), Some(median), Some(max)) = (values.first(), values.get(values.len() / 2), values.last()) {
        println!("{name:32} {min:8.1} {median:8.1} {max:8.1}");
    }
}
