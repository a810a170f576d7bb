//! The real binary, from outside: `tollgate serve` as a process of its own, killed, starved and lied to
//! by its disk, while banks and terminals go on living in the test.

mod counter;
mod crowd;
mod full_disk;
mod hang_up;
mod kill;
mod means;
#[cfg(target_os = "linux")]
pub(crate) mod memory;
mod process;
mod refusals;
mod secrets;
mod strace;
mod surgery;
mod sweep;
mod trace;
mod traffic;
