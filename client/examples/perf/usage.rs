//! What the process has used so far, as the system counts it.

use std::fs;
use std::io;
use std::time::{Duration, Instant};

use nix::sys::resource::{Usage as System, UsageWho, getrusage};

/// A point in time, by the clock and by the CPU.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    at: Instant,
    cpu: Duration,
}

impl Mark {
    /// Now.
    pub(super) fn now() -> io::Result<Self> {
        let usage = usage()?;
        let cpu = [usage.user_time(), usage.system_time()].into_iter().map(|time| {
            let seconds = u64::try_from(time.tv_sec()).unwrap_or_default();
            Duration::from_secs(seconds) + Duration::from_micros(u64::try_from(time.tv_usec()).unwrap_or_default())
        });
        Ok(Self { at: Instant::now(), cpu: cpu.sum() })
    }

    /// Seconds by the clock, and seconds of CPU, until `later`.
    pub(super) fn until(self, later: Self) -> (f64, f64) {
        ((later.at - self.at).as_secs_f64(), later.cpu.saturating_sub(self.cpu).as_secs_f64())
    }
}

/// The most memory that was resident at any time, in megabytes. What getrusage says may be that of the program that started
/// this one, so Linux is asked for it first.
pub(super) fn peak_rss_mb() -> io::Result<f64> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
    let kilobytes = peak.map_or_else(|| usage().map(|usage| u32::try_from(usage.max_rss()).unwrap_or(u32::MAX)), Ok)?;
    Ok(f64::from(kilobytes) / 1024.0)
}

fn usage() -> io::Result<System> {
    Ok(getrusage(UsageWho::RUSAGE_SELF)?)
}
