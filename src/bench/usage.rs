//! What processes cost, as Linux tells it in `/proc`. Elsewhere there is nothing to read, and no figure.

use std::fs;
use std::path::Path;
use std::time::Duration;

/// Ticks a second of the processor times in `/proc`; the same on every Linux that a program sees.
const TICKS: u64 = 100;

/// Processor time of a process so far, its threads included.
pub(super) fn of_process(pid: u32) -> Option<Duration> {
    let fields = stat(pid)?;
    Some(ticks(fields.get(11)?) + ticks(fields.get(12)?))
}

/// Processor time of a PostgreSQL so far: its main process and all that it started.
pub(super) fn of_postgres(postmaster: u32) -> Option<Duration> {
    let fields = stat(postmaster)?;
    let own: Duration = (11..15).filter_map(|at| fields.get(at)).map(|text| ticks(text)).sum();
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let parent = postmaster.to_string();
    let children = pids.filter_map(|pid: u32| {
        let fields = stat(pid)?;
        (*fields.get(1)? == parent).then(|| of_process(pid))?
    });
    Some(own + children.sum::<Duration>())
}

/// The calling thread's number.
pub(super) fn this_thread() -> Option<u32> {
    fs::read_link("/proc/thread-self").ok()?.file_name()?.to_str()?.parse().ok()
}

/// Processor time of a thread of this process so far. Exact while it waits: one that runs is behind by up to a
/// tick.
pub(super) fn of_thread(thread: u32) -> Option<Duration> {
    let text = fs::read_to_string(format!("/proc/self/task/{thread}/schedstat")).ok()?;
    text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

/// Resident memory of a process, in bytes.
pub(super) fn memory(pid: u32) -> Option<u64> {
    kilobytes(format!("/proc/{pid}/status"), "VmRSS:")
}

/// Memory of the kernel's own small objects, sockets among them, in bytes.
pub(super) fn kernel() -> Option<u64> {
    kilobytes("/proc/meminfo", "Slab:")
}

fn kilobytes(file: impl AsRef<Path>, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// The fields of a process behind its name: the state, its parent, …
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, behind) = text.rsplit_once(')')?;
    Some(behind.split_whitespace().map(ToOwned::to_owned).collect())
}

fn ticks(text: &str) -> Duration {
    Duration::from_millis(text.parse::<u64>().unwrap_or_default() * 1_000 / TICKS)
}

#[cfg(test)]
mod tests {
    #[cfg(target_os = "linux")]
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn what_this_process_and_thread_cost_is_read() {
        let this = this_thread().expect("a thread");
        let (process, thread) = (of_process(std::process::id()), of_thread(this));
        let mut sum = 0_u64;
        let begun = std::time::Instant::now();
        while begun.elapsed() < Duration::from_millis(50) {
            sum = sum.wrapping_add(1);
        }
        assert!(sum > 0 && of_thread(this) > thread, "{thread:?}");
        assert!(of_process(std::process::id()) > process, "{process:?}");
        assert!(memory(std::process::id()).is_some_and(|bytes| bytes > 1_000_000));
        assert!(kernel().is_some_and(|bytes| bytes > 1_000_000));
    }
}
