//! The binary: all of it is in the library's `cli`.

use std::process::ExitCode;

/// Requests make many small objects that die on other threads: measured, a tenth more calls a second.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    muster::cli::main()
}
