//! What terminals fetch from the switch, and what the switch asks of them by the header of an answer.

/// One of the lists that terminals fetch.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum DownloadSet {
    /// Parameters of the terminal: timeouts, telephone numbers, what it may do.
    Parameters,
    /// Public keys of certification authorities, for offline data authentication of chips (EMV book 2).
    Capks,
    /// Applications of chips, and their limits (EMV book 4).
    Applications,
    /// Parameters of contactless kernels.
    Contactless,
}

impl DownloadSet {
    /// All of them, in the order in which a terminal is asked to fetch them.
    pub const ALL: [Self; 4] = [Self::Parameters, Self::Capks, Self::Applications, Self::Contactless];

    /// The name in logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Parameters => "parameters",
            Self::Capks => "capks",
            Self::Applications => "applications",
            Self::Contactless => "contactless",
        }
    }
}

/// The versions of the lists that a terminal has, or that there are; 0 is none.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Versions(pub [u32; 4]);

impl Versions {
    /// The version of one list.
    #[must_use]
    pub fn of(&self, set: DownloadSet) -> u32 {
        self.0.get(set as usize).copied().unwrap_or_default()
    }

    /// The same with another version of one list.
    #[must_use]
    pub fn with(mut self, set: DownloadSet, version: u32) -> Self {
        if let Some(slot) = self.0.get_mut(set as usize) {
            *slot = version;
        }
        self
    }
}

/// What a terminal does after its transaction because the header of the answer says so.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RemoteRequest {
    /// It signs in again.
    SignIn,
    /// It fetches a list.
    Download(DownloadSet),
    /// Its software is to be renewed.
    Upgrade,
}

impl RemoteRequest {
    /// The hex digit in the header (Q/CUP 009): 1 parameters, 3 sign-in, 4 public keys, 5 applications, 6 software,
    /// 9 contactless parameters. 0 is no request.
    #[must_use]
    pub fn digit(self) -> u8 {
        match self {
            Self::Download(DownloadSet::Parameters) => 1,
            Self::SignIn => 3,
            Self::Download(DownloadSet::Capks) => 4,
            Self::Download(DownloadSet::Applications) => 5,
            Self::Upgrade => 6,
            Self::Download(DownloadSet::Contactless) => 9,
        }
    }
}
