//! Keys out of components: each custodian enters one, in a run of its own, and nobody ever sees the key.
//!
//! Between the runs there is one block under the master key: the sum of the components so far, whose header says that
//! it is a part of a key (X9.143, key version number `c1`, `c2` …), of which key, and who entered what is in it. Such
//! a block is no key to any operation.

use super::SoftwareHsm;
use super::attributes;
use super::lifecycle::is_aes;
use super::lifecycle::kcv;
use super::lifecycle::travelling;
use crate::hsm::HsmError;
use crate::hsm::Kcv;
use crate::hsm::KeyAlgorithm;
use crate::hsm::KeyBlock;
use crate::hsm::KeyFault;
use crate::hsm::KeyUsage;
use crate::hsm::calculator::CipherKey;
use crate::hsm::calculator::equal;
use crate::hsm::calculator::keys::combine;
use crate::hsm::calculator::keys::set_odd_parity;
use crate::hsm::calculator::tr31::Header;
use crate::hsm::memory::swept;
use zeroize::Zeroizing;

/// The optional block of a header that says what a part belongs to. Numeric names are free for own use (X9.143, 6.3.6).
const BELONGS: &str = "10";
/// The optional block that fills a header up to whole cipher blocks.
const FILL: &str = "PB";
/// The longest name of a key with its generation, and of a custodian.
const LONGEST: (usize, usize) = (72, 32);
/// The most components of one key: what their custodians' names need must fit a header.
pub const MOST_COMPONENTS: u8 = 4;

/// What a ceremony makes. It is bound to what is kept between its runs.
#[derive(Clone, Copy, Debug)]
pub struct Ceremony<'a> {
    /// Name and generation of the key, at most 72 printable characters without `;`.
    pub subject: &'a str,
    /// What it is for.
    pub usage: KeyUsage,
    /// Its algorithm and length, which is the length of every component.
    pub algorithm: KeyAlgorithm,
    /// Of how many components, 2 to [`MOST_COMPONENTS`].
    pub components: u8,
}

/// One custodian's part.
pub struct Component<'a> {
    /// Who enters it: 1 to 32 printable characters without `;`.
    pub custodian: &'a str,
    /// As many bytes as the key has.
    pub clear: &'a Zeroizing<Vec<u8>>,
    /// Its own check value, as it stands beside it.
    pub check: &'a Kcv,
}

/// How far a ceremony has come.
#[derive(Clone, Debug)]
pub enum Progress {
    /// Custodians are still missing: what to keep until the next one's run.
    Waits(KeyBlock),
    /// The key, for the list, and its check value.
    Made(KeyBlock, Kcv),
}

/// A word of a header: printable, and without what stands between words.
fn is_word(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';')
}

impl Ceremony<'_> {
    /// The header of the sum of the components of `custodians`, who said that the whole key is to be this one.
    fn header(&self, custodians: &[&str], whole: Option<&Kcv>) -> Header {
        let whole = whole.map(|whole| format!("={whole}")).unwrap_or_default();
        let said = format!("{};{}{whole};{}", self.subject, self.components, custodians.join(";"));
        let mut optional = format!("{BELONGS}{:02X}{said}", said.len() + 4);
        let mut optional_count = 1;
        if !optional.len().is_multiple_of(16) {
            // A block has four characters at least.
            let fill = (optional.len() + 4).next_multiple_of(16) - optional.len();
            optional.push_str(&format!("{FILL}{fill:02X}{}", "0".repeat(fill - 4)));
            optional_count = 2;
        }
        let number = u8::try_from(custodians.len()).unwrap_or_default().min(9);
        let version = [b'c', b'0' + number];
        Header { version, optional, optional_count, ..attributes::header(self.usage, self.algorithm, b'N') }
    }

    /// Whose components are in a part that has this header, and the check value of the whole key if one of them stated
    /// it; `None` if it is not this ceremony's.
    fn custodians<'h>(&self, header: &'h Header) -> Option<(Vec<&'h str>, Option<Kcv>)> {
        let length = header.optional.strip_prefix(BELONGS)?.get(..2)?;
        let length = usize::from_str_radix(length, 16).ok()?;
        let mut words = header.optional.get(4..length)?.split(';');
        let (subject, components) = (words.next()?, words.next()?);
        let (components, whole) = match components.split_once('=') {
            Some((components, whole)) => (components, Some(Kcv::parse(whole)?)),
            None => (components, None),
        };
        let of = subject == self.subject && components.parse() == Ok(self.components);
        let custodians: Vec<&str> = words.collect();
        (of && *header == self.header(&custodians, whole.as_ref())).then_some((custodians, whole))
    }

    fn check(&self) -> Result<(), HsmError> {
        match is_word(self.subject, LONGEST.0) && (2..=MOST_COMPONENTS).contains(&self.components) {
            true => Ok(()),
            false => Err(HsmError::Input("name of the key, or number of its components")),
        }
    }
}

impl SoftwareHsm {
    /// Whose components are in what a ceremony kept, in the order of their runs.
    ///
    /// # Errors
    /// [`HsmError::Key`] if the block is not under this master key, or another ceremony's.
    pub fn custodians(&self, ceremony: &Ceremony<'_>, so_far: &KeyBlock) -> Result<Vec<String>, HsmError> {
        let (header, _) = self.protection()?.unwrap(so_far.as_str()).map_err(|_| travelling(KeyFault::Block))?;
        let (custodians, _) = ceremony.custodians(&header).ok_or_else(|| travelling(KeyFault::Usage))?;
        Ok(custodians.into_iter().map(str::to_owned).collect())
    }

    /// Adds one custodian's component. `so_far` is what the last run gave, none in the first one; `whole` is the check
    /// value that the key must have in the end, if it is known; it is kept with the part. A run that fails leaves
    /// everything as it was.
    ///
    /// # Errors
    /// [`HsmError::Key`] for a component of another length, with another check value, or a block that is not this
    /// ceremony's; [`HsmError::Policy`] if this custodian has entered one already, for another `whole` than one before
    /// stated, or for a component or a key that hides nothing.
    pub fn enter_component(
        &self,
        ceremony: &Ceremony<'_>,
        so_far: Option<&KeyBlock>,
        component: &Component<'_>,
        whole: Option<&Kcv>,
    ) -> Result<Progress, HsmError> {
        ceremony.check()?;
        swept(|| self.entered(ceremony, so_far, component, whole))
    }

    fn entered(
        &self,
        ceremony: &Ceremony<'_>,
        so_far: Option<&KeyBlock>,
        Component { custodian, clear, check }: &Component<'_>,
        whole: Option<&Kcv>,
    ) -> Result<Progress, HsmError> {
        let Ceremony { usage, algorithm, components, .. } = *ceremony;
        if !attributes::fits(usage, algorithm, self.single_des) {
            return Err(travelling(KeyFault::Algorithm));
        }
        if !is_word(custodian, LONGEST.1) {
            return Err(HsmError::Input("a custodian's name"));
        }
        if clear.len() != algorithm.key_length() {
            return Err(travelling(KeyFault::Length));
        }
        same_check(algorithm, clear, check)?;
        if clear.iter().all(|byte| *byte & 0xFE == 0) {
            return Err(HsmError::Policy("a component of zeros"));
        }
        let before =
            so_far.map(|block| self.protection()?.unwrap(block.as_str()).map_err(|_| travelling(KeyFault::Block)));
        let before = before.transpose()?;
        let (mut custodians, stated) = match &before {
            Some((header, _)) => ceremony.custodians(header).ok_or_else(|| travelling(KeyFault::Usage))?,
            None => (Vec::new(), None),
        };
        let whole = same_whole(stated, whole)?;
        if custodians.iter().any(|other| other.eq_ignore_ascii_case(custodian)) {
            return Err(HsmError::Policy("the same custodian twice"));
        }
        custodians.push(custodian);
        let mut sum = match &before {
            Some((_, sum)) => combine(&[sum, clear]).map_err(|_| travelling(KeyFault::Length))?,
            None => Zeroizing::new(clear.to_vec()),
        };
        if custodians.len() < usize::from(components) {
            return self.block_of(&ceremony.header(&custodians, whole.as_ref()), &sum).map(Progress::Waits);
        }
        if !is_aes(algorithm) {
            set_odd_parity(&mut sum);
        }
        if sum.iter().all(|byte| *byte & 0xFE == 0) {
            return Err(HsmError::Policy("components that make a weak key"));
        }
        self.acceptable((usage, algorithm), &sum, whole.as_ref())?;
        let cipher = CipherKey::new(algorithm, &sum).map_err(|_| travelling(KeyFault::Length))?;
        let check = kcv(&cipher, whole.as_ref().map_or(3, |whole| whole.as_bytes().len()))?;
        let header = attributes::header(usage, algorithm, attributes::exportability(usage));
        Ok(Progress::Made(self.block_of(&header, &sum)?, check))
    }
}

/// The check value of the whole key, out of what custodians before and this one stated: the longer of two that agree.
fn same_whole(before: Option<Kcv>, now: Option<&Kcv>) -> Result<Option<Kcv>, HsmError> {
    match (before, now) {
        (Some(before), Some(now)) if !before.agrees(now) => {
            Err(HsmError::Policy("another check value of the whole key than a custodian before has stated"))
        }
        (Some(before), Some(now)) if before.as_bytes().len() >= now.as_bytes().len() => Ok(Some(before)),
        (before, now) => Ok(now.cloned().or(before)),
    }
}

/// Whether a key has this check value.
fn same_check(algorithm: KeyAlgorithm, key: &[u8], expected: &Kcv) -> Result<(), HsmError> {
    let cipher = CipherKey::new(algorithm, key).map_err(|_| travelling(KeyFault::Length))?;
    let found = kcv(&cipher, expected.as_bytes().len())?;
    match equal(found.as_bytes(), expected.as_bytes()) {
        true => Ok(()),
        false => Err(travelling(KeyFault::CheckValue)),
    }
}
