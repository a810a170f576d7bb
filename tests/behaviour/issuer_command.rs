//! `tollgate issuer` as a process: its books outlive it, and it leaves clearing files.

use crate::switch_side::Ask;
use crate::switch_side::SwitchSide;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::process::Child;
use std::process::ChildStdout;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use tollgate::model::Kind;
use tollgate::settle::recon::ClearingFile;

const CARD: &str = "6225000000000253";

/// A mock issuer of its own process.
struct Process {
    child: Child,
    out: BufReader<ChildStdout>,
    line: TcpStream,
    side: SwitchSide,
}

impl Process {
    fn start(folder: &Path) -> Self {
        let (books, clearing) = (folder.join("bank-a.log"), folder.join("clearing"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
        command.args(["issuer", "--listen", "127.0.0.1:0", "--books"]).arg(books).arg("--clearing").arg(clearing);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains("listens on") {
            line.clear();
            assert!(out.read_line(&mut line).unwrap() > 0, "it ended");
        }
        let line = TcpStream::connect(line.trim().rsplit(' ').next().unwrap()).unwrap();
        line.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Self { child, out, line, side: SwitchSide::new("bank-a") }
    }

    /// Asks, and says the code and the approval code of the answer.
    fn ask(&mut self, stan: u32, minor: u64) -> (&'static str, Vec<u8>) {
        let ask = Ask { kind: Kind::Sale, stan, minor, pan: CARD, expiry: "3012", pin: Some("123456") };
        let unit = self.side.sign(self.side.compose(ask));
        self.line.write_all(&self.side.profile.enclose(&unit, None).unwrap()).unwrap();
        let mut received = Vec::new();
        let mut byte = [0];
        while self.side.units(&received).is_empty() {
            self.line.read_exact(&mut byte).unwrap();
            received.push(byte[0]);
        }
        let answer = self.side.read(&self.side.units(&received)[0]);
        assert!(self.side.mac_holds(&answer));
        let approval = answer.role(tollgate::iso8583::Role::ApprovalCode).map(|code| code.to_vec());
        (self.side.code(&answer).0.code(), approval.unwrap_or_default())
    }

    /// Asks it to end, and says what it printed since.
    fn end(mut self) -> String {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let mut said = String::new();
        self.out.read_to_string(&mut said).unwrap();
        assert!(self.child.wait().unwrap().success(), "{said}");
        said
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn clearing(folder: &Path) -> Vec<ClearingFile> {
    let mut paths: Vec<_> =
        std::fs::read_dir(folder.join("clearing")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| ClearingFile::read(&std::fs::read(path).unwrap()).unwrap()).collect()
}

#[test]
fn its_books_survive_kill_9_and_its_clearing_files_say_what_it_approved_in_both_lives() {
    let folder = tempfile::tempdir().unwrap();
    let mut bank = Process::start(folder.path());
    let approved = bank.ask(1, 12_00);
    assert_eq!(approved.0, "00");
    assert_eq!(bank.ask(2, 20_51).0, "51");
    bank.kill();
    assert!(!folder.path().join("clearing").exists(), "a killed issuer writes none");
    let mut bank = Process::start(folder.path());
    assert_eq!(bank.ask(1, 12_00), approved, "a repeat gets the recorded answer");
    assert_eq!(bank.ask(3, 30_00).0, "00");
    let said = bank.end();
    assert!(said.contains("clearing file ") && said.contains("booked 2"), "{said}");
    let rows: Vec<_> = clearing(folder.path()).into_iter().flat_map(|file| file.rows).collect();
    let rows: Vec<_> = rows.iter().map(|row| (row.kind, row.amount.minor(), row.sign.letter())).collect();
    assert_eq!(rows, [(Kind::Sale, 12_00, "D"), (Kind::Sale, 30_00, "D")]);
    // Nothing new: the same files again.
    let before = clearing(folder.path());
    Process::start(folder.path()).end();
    assert_eq!(clearing(folder.path()), before);
}
