//! What a terminal fetches, because somebody says so or because the host's header asks for it.

use super::answer::Answer;
use super::drive::{Attendant, DriveFault, Driver, Outcome, now};
use super::management::Block;
use crate::iso8583::Role;
use crate::iso8583::tlv;
use crate::model::DownloadSet;
use crate::model::RemoteRequest;

/// The most messages for one list, and the most that it may name.
const BLOCKS_AT_MOST: usize = 99;

/// The network management codes of one list.
struct Codes {
    /// What there is.
    list: &'static str,
    /// Whether that is a question (0820), and its answer names what is fetched one by one.
    one: Option<&'static str>,
    /// That was all.
    end: &'static str,
}

fn codes(set: DownloadSet) -> Codes {
    let (list, one, end) = match set {
        DownloadSet::Parameters => ("360", None, "361"),
        DownloadSet::Capks => ("372", Some("370"), "371"),
        DownloadSet::Applications => ("382", Some("380"), "381"),
        DownloadSet::Contactless => ("394", None, "395"),
    };
    Codes { list, one, end }
}

impl<A: Attendant> Driver<A> {
    /// Fetches one list whole, block by block, and says so at the end. What came is in the terminal's memory
    /// then; before, it has what it had. Returns how the last message ended.
    ///
    /// # Errors
    /// [`DriveFault`].
    pub async fn download(&mut self, set: DownloadSet) -> Result<Outcome, DriveFault> {
        let codes = codes(set);
        let (mut came, mut names): (Vec<Vec<u8>>, Vec<Vec<u8>>) = (Vec::new(), Vec::new());
        for _ in 0..BLOCKS_AT_MOST {
            let counted = if codes.one.is_some() { names.len() } else { came.len() };
            let data = if set == DownloadSet::Parameters { String::new() } else { format!("1{counted:02}") };
            let block = Block { code: codes.list, asks: codes.one.is_some(), data: data.into_bytes() };
            let (outcome, status, data) = self.fetch(&block).await?;
            let Some(status) = status else { return Ok(outcome) };
            match codes.one {
                Some(_) => names.extend(named(&data)),
                None => came.extend((!data.is_empty()).then_some(data)),
            }
            let more = set != DownloadSet::Parameters && matches!(status, b'2' | b'3');
            if !more {
                break;
            }
        }
        if let Some(code) = codes.one {
            for name in names.into_iter().take(BLOCKS_AT_MOST) {
                let (outcome, status, data) = self.fetch(&Block { code, asks: false, data: name }).await?;
                if status.is_none() {
                    return Ok(outcome);
                }
                came.push(data);
            }
        }
        let sent = self.terminal_mut().download(&Block { code: codes.end, asks: false, data: Vec::new() }, now())?;
        let outcome = self.send(&sent).await?;
        if outcome.answer().is_some_and(|answer| answer.approved) {
            self.terminal_mut().keep_list(set, came);
            self.keep()?;
        }
        Ok(outcome)
    }

    /// Fetches every list, until one does not come. Returns how the last message ended.
    ///
    /// # Errors
    /// [`DriveFault`].
    pub async fn download_all(&mut self) -> Result<Outcome, DriveFault> {
        let mut outcome = self.download(DownloadSet::Parameters).await?;
        for set in DownloadSet::ALL.into_iter().skip(1) {
            if !outcome.answer().is_some_and(|answer| answer.approved) {
                break;
            }
            outcome = self.download(set).await?;
        }
        Ok(outcome)
    }

    /// One block: how its request ended, and if it came its status and what follows it. Parameters have no
    /// status: they come in one block.
    async fn fetch(&mut self, block: &Block) -> Result<(Outcome, Option<u8>, Vec<u8>), DriveFault> {
        let sent = self.terminal_mut().download(block, now())?;
        let outcome = self.send(&sent).await?;
        let value = outcome.answer().filter(|answer| answer.approved).map(data);
        Ok(match value {
            None => (outcome, None, Vec::new()),
            Some(value) if block.code == "360" => (outcome, Some(b'1'), value),
            Some(value) => {
                let status = value.first().copied().unwrap_or(b'0');
                (outcome, Some(status), value.get(1..).unwrap_or_default().to_vec())
            }
        })
    }

    /// Does what the header of an answer asks for.
    ///
    /// # Errors
    /// [`DriveFault`].
    pub async fn obey(&mut self, asked: RemoteRequest) -> Result<Outcome, DriveFault> {
        match asked {
            RemoteRequest::SignIn => self.sign_in().await,
            RemoteRequest::Download(set) => self.download(set).await,
            // Its software is never older: all that is left to say is that it is there.
            RemoteRequest::Upgrade => self.echo().await,
        }
    }
}

fn data(answer: &Answer) -> Vec<u8> {
    answer.message.role(Role::KeyData).map(|value| value.to_vec()).unwrap_or_default()
}

/// What a question's answer names, as it is asked for one by one: 9F06, with 9F22 where it has one.
fn named(list: &[u8]) -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> = Vec::new();
    for element in tlv::Reader::new(list).map_while(Result::ok) {
        match element.tag {
            [0x9F, 0x06] => {
                let mut name = Vec::new();
                if tlv::write(element.tag, element.value, &mut name) {
                    names.push(name);
                }
            }
            [0x9F, 0x22] => {
                // Too long to be a key's index: the name stays without, and the host refuses it.
                let _fits = names.last_mut().is_some_and(|name| tlv::write(element.tag, element.value, name));
            }
            _ => {}
        }
    }
    names
}
