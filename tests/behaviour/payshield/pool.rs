//! The pool: many calls on a connection, the least busy connection, bounds, headers, TLS, the right HSM.

use super::rig::Chance;
use super::rig::Host;
use super::rig::RETAIL;
use super::rig::connected;
use super::rig::mac;
use super::rig::mac_within;
use super::rig::name;
use super::rig::setup;
use super::rig::software;
use super::rig::until;
use super::rig::until_stats;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tollgate::hsm::Hsm;
use tollgate::hsm::HsmError;
use tollgate::hsm::MacKey;
use tollgate::hsm::payshield::HostTls;
use tollgate::hsm::payshield::PayshieldHsm;
use tollgate::hsm::payshield::PayshieldSetup;
use tollgate::hsm::payshield::behaviour::Behaviour;
use tollgate::hsm::payshield::behaviour::Delay;
use tollgate::hsm::payshield::counterpart::Counterpart;
use tollgate::hsm::payshield::serve::Served;
use tollgate::hsm::payshield::serve::serve;
use tollgate::server::config::ClientCertificates;
use tollgate::server::tls;

/// Never answers but to diagnostics.
fn silent() -> Behaviour {
    Behaviour { drop: 1.0, ..Behaviour::default() }
}

#[tokio::test]
async fn answers_that_come_in_another_order_find_their_calls() {
    let delay = Delay::Uniform(Duration::ZERO, Duration::from_millis(15));
    let host = Host::start(Behaviour { delay, engines: 16, ..Behaviour::default() }).await;
    let hsm = connected(PayshieldSetup { in_flight: 256, ..host.setup() }).await;
    let texts: Vec<String> = (0..200).map(|number| format!("message {number}")).collect();
    let over_wire = join_all(texts.iter().map(|text| mac(&hsm, text.as_bytes()))).await;
    let software = software();
    for (text, mac) in texts.iter().zip(over_wire) {
        let ctx = super::rig::CTX;
        let expected = software.mac_generate(&ctx, &MacKey(name("tak")), &RETAIL, text.as_bytes()).await;
        assert_eq!(mac, expected, "{text}");
    }
    assert_eq!((hsm.stats().calls, hsm.stats().connected), (200, 1), "all on one connection");
}

#[tokio::test]
async fn a_call_goes_to_the_connection_with_the_fewest_outstanding() {
    let (first, second) = (Host::start(silent()).await, Host::start(silent()).await);
    let hsm = connected(setup(&[first.address, second.address])).await;
    let outstanding = || hsm.connections().iter().map(|connection| connection.outstanding).collect::<Vec<_>>();
    let mut calls = FuturesUnordered::new();
    for many in 1..=6_usize {
        calls.push(mac(&hsm, b"x"));
        // Polled once, it is queued.
        let _ = timeout(Duration::from_millis(1), futures_util::StreamExt::next(&mut calls)).await;
        assert_eq!(outstanding(), [many.div_ceil(2), many / 2]);
    }
    until(|| first.served.taken() == [3] && second.served.taken() == [3]).await;
    drop(calls);
}

#[tokio::test]
async fn a_full_pool_is_busy() {
    let host = Host::start(silent()).await;
    let hsm = connected(PayshieldSetup { in_flight: 2, ..host.setup() }).await;
    let mut calls = FuturesUnordered::new();
    for _ in 0..2 {
        calls.push(mac(&hsm, b"x"));
        // Polled once, it is queued.
        let _ = timeout(Duration::from_millis(1), futures_util::StreamExt::next(&mut calls)).await;
    }
    assert_eq!(mac(&hsm, b"x").await, Err(HsmError::Busy));
    assert_eq!((hsm.stats().busy, hsm.connections()[0].outstanding), (1, 2));
    drop(calls);
}

#[tokio::test]
async fn answers_that_never_come_do_not_fill_a_connection_for_good() {
    let host = Host::start(Behaviour { drop: 0.1, ..Behaviour::default() }).await;
    let hsm = connected(PayshieldSetup { in_flight: 8, trip_after: 1000, ..host.setup() }).await;
    let mut full = 0;
    for _ in 0..300 {
        match mac_within(&hsm, Duration::from_millis(10), b"x").await {
            Err(HsmError::Busy) => full += 1,
            // While it is made again there is none.
            Err(HsmError::Unavailable) => assert!(hsm.ready(super::rig::LONG).await),
            _ => {}
        }
    }
    assert!(full == 0 && hsm.stats().timed_out > 8, "{:?}", hsm.stats());
    assert!(hsm.stats().retired > 1, "{:?}", hsm.stats());
    host.served.behave(Behaviour::default());
    assert!(hsm.ready(super::rig::LONG).await && mac(&hsm, b"x").await.is_ok());
}

#[tokio::test]
async fn one_answer_that_is_missing_for_long_makes_its_connection_again() {
    let host = Host::start(silent()).await;
    let missing_after = Duration::from_millis(40);
    let hsm = connected(PayshieldSetup { missing_after, trip_after: 100, ..host.setup() }).await;
    assert_eq!(mac_within(&hsm, Duration::from_millis(10), b"x").await, Err(HsmError::Timeout));
    assert_eq!(hsm.connections()[0].outstanding, 1, "its number is not used again");
    until_stats(&hsm, |stats| stats.retired == 1 && stats.connected == 2).await;
    until(|| hsm.connections()[0].up && hsm.connections()[0].outstanding == 0).await;
}

#[tokio::test]
async fn headers_of_any_length_come_back_as_they_were_sent() {
    for header in [1, 2, 4, 12, 255] {
        let host = Host::on("127.0.0.1:0".parse().unwrap(), Behaviour::default(), header).await;
        let hsm = connected(PayshieldSetup { header, in_flight: 8, ..host.setup() }).await;
        // More calls than a short header has numbers.
        for _ in 0..20 {
            let answers = join_all((0..8).map(|_| mac(&hsm, b"x"))).await;
            assert!(answers.iter().all(Result::is_ok), "header of {header}");
        }
    }
}

#[tokio::test]
async fn an_hsm_with_headers_of_another_length_is_never_used() {
    let host = Host::on("127.0.0.1:0".parse().unwrap(), Behaviour::default(), 8).await;
    let quick = Duration::from_millis(50);
    let hsm = PayshieldHsm::start(PayshieldSetup { connect_within: quick, ..host.setup() }).unwrap();
    until_stats(&hsm, |stats| stats.connected >= 2).await;
    assert_eq!(mac(&hsm, b"x").await, Err(HsmError::Unavailable));
    assert!(!hsm.connections()[0].up);
}

#[tokio::test]
async fn an_hsm_with_another_master_key_is_never_used() {
    let host = Host::start(Behaviour::default()).await;
    let other = PayshieldSetup { lmk_check: Some("1234560000000000".into()), ..host.setup() };
    let hsm = PayshieldHsm::start(other).unwrap();
    until_stats(&hsm, |stats| stats.connected >= 2).await;
    assert_eq!(mac(&hsm, b"x").await, Err(HsmError::Unavailable));
    let right = PayshieldSetup { lmk_check: Some("2686040000000000".into()), lmk: Some(0), ..host.setup() };
    assert!(mac(&connected(right).await, b"x").await.is_ok());
    let missing = PayshieldSetup { lmk: Some(7), ..host.setup() };
    assert_eq!(mac(&connected(missing).await, b"x").await, Err(HsmError::Backend("13".into())));
}

#[tokio::test]
async fn a_call_that_its_caller_drops_leaves_the_connection_usable() {
    let host = Host::start(Behaviour { delay: Delay::Fixed(Duration::from_millis(20)), ..Behaviour::default() }).await;
    let hsm = connected(host.setup()).await;
    for _ in 0..5 {
        let _ = timeout(Duration::from_millis(2), mac(&hsm, b"x")).await;
    }
    until_stats(&hsm, |stats| stats.late == 5).await;
    assert!(mac(&hsm, b"x").await.is_ok() && hsm.connections()[0].outstanding == 0);
    assert_eq!(hsm.stats().opened, 0, "a caller that leaves is no fault of the HSM");
}

#[tokio::test]
async fn setups_that_cannot_work_are_refused_with_the_number_that_is_wrong() {
    let fault = |setup: PayshieldSetup| PayshieldHsm::start(setup).map(|_| ()).unwrap_err().to_string();
    let usual = || PayshieldSetup::new("127.0.0.1:1500");
    assert!(fault(PayshieldSetup { addresses: vec![], ..usual() }).contains("no address"));
    assert!(fault(PayshieldSetup { connections: 65, ..usual() }).contains("connections"));
    assert!(fault(PayshieldSetup { in_flight: 0, ..usual() }).contains("in_flight"));
    assert!(fault(PayshieldSetup { header: 0, ..usual() }).contains("header"));
    assert!(fault(PayshieldSetup { header: 1, in_flight: 9, ..usual() }).contains("header"));
    assert!(fault(PayshieldSetup { trip_after: 0, ..usual() }).contains("trip_after"));
}

#[tokio::test]
async fn commands_go_over_tls_and_only_to_a_certificate_of_the_right_name() {
    let pem = rcgen::generate_simple_self_signed(vec!["hsm.test".to_owned()]).unwrap();
    let (certificate, key) = (pem.cert.pem(), pem.signing_key.serialize_pem());
    let identity = tls::Identity { certificates: certificate.as_bytes(), key: key.as_bytes() };
    let server = tls::server(identity, ClientCertificates::None, &[]).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = Arc::new(Served::new(Counterpart::new(Chance::new()), 4, Behaviour::default(), 1));
    let end = CancellationToken::new();
    tokio::spawn(serve(served, listener, Some(server), end.clone()));
    let config = tls::client(certificate.as_bytes(), None).unwrap();
    let with = |name: &str| {
        let name = name.to_owned().try_into().unwrap();
        PayshieldSetup { tls: Some(HostTls { config: Arc::clone(&config), name }), ..setup(&[address]) }
    };
    assert!(mac(&connected(with("hsm.test")).await, b"x").await.is_ok());
    let other = PayshieldHsm::start(with("other.test")).unwrap();
    assert!(!other.ready(Duration::from_millis(100)).await);
    assert!(!PayshieldHsm::start(setup(&[address])).unwrap().ready(Duration::from_millis(100)).await, "not in clear");
    end.cancel();
}
