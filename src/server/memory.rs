//! What other processes may see of this one's memory: nothing, where there are keys in it.

/// Set to 1, a debugger may look at this process and a crash may leave a core dump: for tests, on test keys.
pub const TRACEABLE: &str = "TOLLGATE_TRACEABLE";

/// Whether [`TRACEABLE`] asks for it.
#[must_use]
pub fn is_to_be_traceable() -> bool {
    std::env::var_os(TRACEABLE).is_some_and(|value| value == "1")
}

/// From now on no debugger of the same user can attach, `/proc` shows neither memory nor environment to it, and
/// there are no core dumps. Does nothing where the system has no such thing, or refuses.
pub fn keep_private() {
    #[cfg(unix)]
    {
        use rustix::process::Resource;
        use rustix::process::Rlimit;
        let _ = rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    }
    #[cfg(target_os = "linux")]
    {
        use rustix::process::DumpableBehavior;
        let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}
