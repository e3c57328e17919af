#![allow(clippy::unwrap_used)]

use super::*;
use crate::config::networks;

/// Two networks, a bridge of containers, loopback, and a link-local address.
struct Fake {
    name: &'static str,
    resolves: &'static [&'static str],
}

const FAKE: Fake = Fake { name: "fe1.example", resolves: &["10.1.3.11"] };

impl Machine for Fake {
    fn interfaces(&self) -> io::Result<Vec<(String, IpAddr)>> {
        let all = [
            ("lo", "127.0.0.1"),
            ("eth1", "10.1.4.11"),
            ("eth0", "10.1.3.111"),
            ("eth0", "10.1.3.11"),
            ("eth0", "fe80::11"),
            ("eth0", "fd00::11"),
            ("docker0", "172.17.0.1"),
        ];
        Ok(all.map(|(name, address)| (name.to_owned(), at(address))).to_vec())
    }

    fn host_name(&self) -> io::Result<String> {
        Ok(self.name.to_owned())
    }

    fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        match self.resolves {
            [] => Err(io::Error::other("no such name")),
            found => Ok(found.iter().map(|address| at(address)).collect()),
        }
    }
}

fn at(address: &str) -> IpAddr {
    address.parse().unwrap()
}

fn networks(text: &str) -> Wish<'static> {
    Wish { priority_networks: networks::list(text).unwrap(), ..Wish::default() }
}

fn bind_and_host(wish: &Wish<'_>, machine: &Fake) -> (String, String) {
    let chosen = choose(wish, machine).unwrap();
    (chosen.bind.to_string(), chosen.host)
}

fn pair(bind: &str, host: &str) -> (String, String) {
    (bind.to_owned(), host.to_owned())
}

#[test]
fn no_match_is_refused_with_the_candidates() {
    let refusal = choose(&networks("192.168.1.0/24;fd01::/64"), &FAKE).unwrap_err();
    assert_eq!(refusal.key, "priority_networks");
    for part in ["192.168.1.0/24;fd01::/64", "10.1.3.11 (eth0)", "172.17.0.1 (docker0)"] {
        assert!(refusal.message.contains(part), "{}", refusal.message);
    }
    assert!(!refusal.message.contains("fe80"), "{}", refusal.message);
}

#[test]
fn the_first_network_with_an_address_decides_and_then_the_lowest_address() {
    for (text, expected) in [
        ("10.1.3.0/24", "10.1.3.11"),
        ("10.1.0.0/16", "10.1.3.11"),
        ("10.1.4.0/24;10.1.3.0/24", "10.1.4.11"),
        ("192.168.1.0/24;10.1.4.0/24", "10.1.4.11"),
        ("10.1.3.111", "10.1.3.111"),
        ("fd00::/64;10.1.3.0/24", "fd00::11"),
        ("127.0.0.0/8", "127.0.0.1"),
    ] {
        assert_eq!(bind_and_host(&networks(text), &FAKE), pair(expected, expected), "{text}");
    }
}

#[test]
fn every_loopback_address_is_this_machines_when_it_is_named_alone() {
    assert_eq!(bind_and_host(&networks("127.0.0.2/32"), &FAKE), pair("127.0.0.2", "127.0.0.2"));
}

#[test]
fn without_any_setting_a_frontend_stays_on_loopback() {
    assert_eq!(bind_and_host(&Wish::default(), &FAKE), pair("127.0.0.1", "127.0.0.1"));
}

#[test]
fn all_addresses_are_no_name_to_be_known_by() {
    let wish = Wish { bind_address: Some(at("0.0.0.0")), ..Wish::default() };
    let refusal = choose(&wish, &FAKE).unwrap_err();
    assert!(refusal.message.contains("priority_networks"), "{}", refusal.message);
    let wish = Wish { bind_address: wish.bind_address, ..networks("10.1.3.0/24") };
    assert_eq!(bind_and_host(&wish, &FAKE), pair("0.0.0.0", "10.1.3.11"));
}

#[test]
fn a_frontend_address_must_be_of_this_machine_or_come_with_a_bind_address() {
    let named = |name| Wish { frontend_address: Some(name), ..Wish::default() };
    let refusal = choose(&named("10.1.9.9"), &FAKE).unwrap_err();
    assert!(refusal.message.contains("10.1.4.11 (eth1)"), "{}", refusal.message);
    assert_eq!(bind_and_host(&named("10.1.4.11"), &FAKE), pair("10.1.4.11", "10.1.4.11"));
    assert_eq!(bind_and_host(&named("127.0.0.9"), &FAKE), pair("127.0.0.9", "127.0.0.9"));
    assert_eq!(bind_and_host(&named("fe1.other"), &FAKE), pair("10.1.3.11", "fe1.other"));
    let wish = Wish { bind_address: Some(at("10.1.4.11")), ..named("203.0.113.9") };
    assert_eq!(bind_and_host(&wish, &FAKE), pair("10.1.4.11", "203.0.113.9"));
}

#[test]
fn a_machines_name_must_stand_for_an_address_that_others_reach() {
    let by_name = || Wish { by_name: true, ..Wish::default() };
    for resolves in [&["127.0.1.1"][..], &["10.1.9.9"]] {
        let refusal = choose(&by_name(), &Fake { name: "fe1", resolves }).unwrap_err();
        assert!(refusal.message.contains("fe1 stands for"), "{}", refusal.message);
        assert!(!refusal.passing);
    }
    let lost = Fake { name: "fe1", resolves: &[] };
    assert!(choose(&by_name(), &lost).unwrap_err().passing, "DNS may come back");
    assert_eq!(bind_and_host(&by_name(), &FAKE), pair("10.1.3.11", "fe1.example"));
    let elsewhere = Wish { by_name: true, ..networks("10.1.4.0/24") };
    let refusal = choose(&elsewhere, &FAKE).unwrap_err();
    assert!(refusal.message.contains("not for 10.1.4.11"), "{}", refusal.message);
    let contradiction = Wish { frontend_address: Some("10.1.3.11"), ..by_name() };
    assert_eq!(choose(&contradiction, &FAKE).unwrap_err().key, "host_type");
}

#[test]
fn this_machine_has_a_loopback_address_and_a_name() {
    let own = This.interfaces().unwrap();
    assert!(own.iter().any(|(_, address)| address.is_loopback()), "{own:?}");
    assert!(!This.host_name().unwrap().is_empty());
    assert!(This.resolve("localhost").unwrap().iter().all(IpAddr::is_loopback));
}
