//! What can only be shown on a process of its own: this test binary, run again with one test.

use super::{Client, PATIENCE, Stage, request};
use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Set for the child; without it the child's test does nothing.
const CHILD: &str = "TOLLGATE_TEST_CHILD";

/// The child: says where it listens and serves until it is stopped.
#[test]
fn child_station() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let stage = Stage::new();
    tollgate::server::stop_on_signals(stage.server.stopper()).unwrap();
    println!("listening {}", stage.address());
    let (log, ending) = (stage.log.clone(), stage.server.wait());
    println!("ended {ending:?}");
    for line in String::from_utf8(log.0.lock().clone()).unwrap().lines() {
        println!("log {line}");
    }
}

/// A station in a process of its own, started by a shell that runs `before` first.
struct Station {
    child: Child,
    output: BufReader<ChildStdout>,
    address: String,
}

impl Station {
    fn start(before: &str) -> Self {
        let program = std::env::current_exe().unwrap();
        let script = format!("{before} exec \"$0\" --exact server::crash::child_station --nocapture");
        let mut command = Command::new("sh");
        command.args(["-c", &script]).arg(program).env(CHILD, "1").stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains("listening ") {
            line.clear();
            assert!(output.read_line(&mut line).unwrap() > 0, "the child did not start");
        }
        let address = line.split("listening ").nth(1).unwrap().trim().to_owned();
        Self { child, output, address }
    }

    fn connect(&self) -> Client {
        Client::of(TcpStream::connect(&self.address).unwrap())
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Everything it still said, and how it ended.
    fn finish(mut self) -> (String, ExitStatus) {
        let until = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < until, "the child goes on");
            std::thread::sleep(Duration::from_millis(2));
        };
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        (rest, status)
    }
}

/// A test that fails leaves no process behind.
impl Drop for Station {
    fn drop(&mut self) {
        // It has normally ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_panic_in_a_flow_ends_the_process() {
    let station = Station::start("");
    let mut client = station.connect();
    client.send(&[request(1, "PANIC001", 1)]);
    client.closed();
    let (said, status) = station.finish();
    assert!(!status.success() && !said.contains("ended"), "{said}");
}

#[test]
fn sigterm_drains_and_ends_well() {
    for name in ["TERM", "INT"] {
        let station = Station::start("");
        let mut client = station.connect();
        client.send(&[request(1, "10000001", 1)]);
        assert_eq!(client.answer().unwrap().2, 1);
        station.signal(name);
        assert_eq!(client.answer(), None);
        drop(client);
        let (said, status) = station.finish();
        assert!(status.success() && said.contains("ended Drained"), "{said}");
    }
}

#[test]
fn a_second_signal_forces() {
    let station = Station::start("");
    let (mut busy, mut idle) = (station.connect(), station.connect());
    busy.send(&[request(1, "SLOW0001", 1)]);
    idle.send(&[request(1, "10000001", 1)]);
    assert_eq!(idle.answer().unwrap().2, 1);
    station.signal("TERM");
    assert_eq!(idle.answer(), None, "the drain has begun");
    station.signal("TERM");
    let (said, _) = station.finish();
    assert!(said.contains("ended Forced"), "{said}");
}

#[test]
fn a_process_out_of_file_descriptors_backs_off_and_comes_back() {
    let station = Station::start("ulimit -n 40;");
    let mut first = station.connect();
    first.send(&[request(1, "10000001", 1)]);
    assert_eq!(first.answer().unwrap().2, 1);
    // More than it has descriptors for: the rest waits in the kernel's queue.
    let mut crowd: Vec<Client> = (0..60).map(|_| station.connect()).collect();
    let mut served = 0;
    for client in &mut crowd {
        client.send(&[request(1, "10000001", 2)]);
        client.stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        if !matches!(client.stream.peek(&mut [0]), Ok(1)) {
            break;
        }
        served += 1;
    }
    assert!((1..60).contains(&served), "{served} were served");
    first.send(&[request(1, "10000001", 3)]);
    assert_eq!(first.answer().unwrap().2, 3, "who is inside is served on");
    let mut last = crowd.pop().unwrap();
    drop(crowd);
    last.stream.set_read_timeout(Some(PATIENCE)).unwrap();
    last.send(&[request(1, "10000001", 4)]);
    assert_eq!(last.answer().unwrap().2, 4, "who waited is served when there is room");
    drop((first, last));
    station.signal("TERM");
    let (said, status) = station.finish();
    let pauses = said.matches("cannot accept").count();
    assert!(status.success() && (1..40).contains(&pauses), "{pauses} pauses\n{said}");
}
