//! A namespace for each frontend and one for the bridge between them. A cut takes a frontend's
//! cable out of the bridge; both ends stay up, so nothing notices but by silence.
//!
//! Frontends serve clients of their own machine only, and a namespace is a machine of its own. So a
//! relay runs in each: it takes connections from sockets that this process has opened outside,
//! which stay outside, and connects to the frontend's loopback.

use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::{fs, io, thread};

use anyhow::{Context, Result, ensure};
use parking_lot::Mutex;

use crate::Frontend;

/// What the names of namespaces begin with; the id of the process that made them follows.
const PREFIX: &str = "quorate-prove-";
/// First three parts of the frontends' addresses. The bridge has no address and the host no route
/// to it, so it collides with nothing.
const SUBNET: &str = "10.77.0";
/// Of every frontend, each within its own namespace.
const HTTP_PORT: u16 = 8030;

/// The namespaces. Removed when dropped.
pub struct Namespaces {
    own: String,
    relays: Mutex<Vec<Relay>>,
}

/// A relay, which ends when the socket is closed.
struct Relay {
    process: Child,
    alive: Option<UnixStream>,
}

impl Drop for Relay {
    fn drop(&mut self) {
        drop(self.alive.take());
        let _ = self.process.wait();
    }
}

impl Namespaces {
    /// Namespaces with addresses for so many frontends.
    ///
    /// # Errors
    /// When this process may not make them, or there is no `ip`.
    pub fn new(size: usize) -> Result<Self> {
        remove_left_over()?;
        let own = format!("{PREFIX}{}", std::process::id());
        let namespaces = Self { own, relays: Mutex::default() };
        let bridge = namespaces.bridge();
        ip(&format!("netns add {bridge}"))?;
        ip(&format!("-n {bridge} link add bridge type bridge"))?;
        ip(&format!("-n {bridge} link set bridge up"))?;
        for at in 0..size {
            let name = namespaces.name(at);
            ip(&format!("netns add {name}"))?;
            ip(&format!("-n {name} link add cable type veth peer name fe{at} netns {bridge}"))?;
            ip(&format!("-n {bridge} link set fe{at} master bridge up"))?;
            ip(&format!("-n {name} addr add {}/24 dev cable", address(at)))?;
            ip(&format!("-n {name} link set cable up"))?;
            ip(&format!("-n {name} link set lo up"))?;
        }
        Ok(namespaces)
    }

    fn bridge(&self) -> String {
        format!("{}-bridge", self.own)
    }

    fn name(&self, at: usize) -> String {
        format!("{}-{at}", self.own)
    }

    pub(super) fn place(&self, at: usize, frontend: &mut Frontend) -> Result<()> {
        let name = self.name(at);
        frontend.run_through(&["ip", "netns", "exec", &name]);
        frontend.register_as(&address(at));
        frontend.be_alone_on(&name, HTTP_PORT);
        // The address for its peers and loopback for its clients.
        frontend.configure("bind_address", "0.0.0.0");
        let (rpc, query) = frontend.bound();
        let doors = (self.relay(&name, rpc)?, self.relay(&name, query)?);
        frontend.reach_through(doors.0, doors.1);
        Ok(())
    }

    /// A port outside that leads to a port of loopback inside.
    fn relay(&self, name: &str, to: u16) -> Result<u16> {
        let outside = TcpListener::bind("127.0.0.1:0")?;
        let port = outside.local_addr()?.port();
        let (alive, theirs) = UnixStream::pair()?;
        let process = Command::new("ip")
            .args(["netns", "exec", name])
            .arg(std::env::current_exe()?)
            .args(["relay", &to.to_string()])
            .stdin(Stdio::from(OwnedFd::from(outside)))
            .stdout(Stdio::from(OwnedFd::from(theirs)))
            .spawn()
            .context("start a relay")?;
        self.relays.lock().push(Relay { process, alive: Some(alive) });
        Ok(port)
    }

    pub(super) fn cut(&self, at: usize) -> Result<()> {
        ip(&format!("-n {} link set fe{at} nomaster", self.bridge()))
    }

    pub(super) fn heal(&self, at: usize) -> Result<()> {
        ip(&format!("-n {} link set fe{at} master bridge", self.bridge()))
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        self.relays.lock().clear();
        if let Err(error) = remove(|name| belongs_to(name) == Some(std::process::id())) {
            eprintln!("{error:#}");
        }
    }
}

fn address(at: usize) -> String {
    format!("{SUBNET}.{}", at + 1)
}

/// The process that made a namespace.
fn belongs_to(name: &str) -> Option<u32> {
    name.strip_prefix(PREFIX)?.split('-').next()?.parse().ok()
}

/// Removes what processes left that were killed.
fn remove_left_over() -> Result<()> {
    remove(|name| {
        belongs_to(name).is_some_and(|process| !Path::new(&format!("/proc/{process}")).exists())
    })
}

fn remove(which: impl Fn(&str) -> bool) -> Result<()> {
    let Ok(names) = fs::read_dir("/run/netns") else { return Ok(()) };
    for name in names {
        let name = name?.file_name().to_string_lossy().into_owned();
        if which(&name) {
            ip(&format!("netns del {name}"))?;
        }
    }
    Ok(())
}

fn ip(arguments: &str) -> Result<()> {
    let output = Command::new("ip").args(arguments.split(' ')).output().context("run `ip`")?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "ip {arguments}: {}", error.trim());
    Ok(())
}

/// What runs inside a namespace: passes each connection that standard input accepts on to that port
/// of loopback. Returns when standard output is closed from the other side.
///
/// # Errors
/// When standard input and output are no sockets.
pub fn relay(to: u16) -> Result<()> {
    let listener = TcpListener::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut alive = UnixStream::from(io::stdout().as_fd().try_clone_to_owned()?);
    thread::spawn(move || {
        for accepted in listener.incoming().flatten() {
            // One that cannot be passed on is closed, as the frontend's kernel would.
            let Ok(inside) = TcpStream::connect(("127.0.0.1", to)) else { continue };
            let _ = pass(accepted, inside);
        }
    });
    io::copy(&mut alive, &mut io::sink())?;
    Ok(())
}

/// Copies both ways on threads of their own, until each direction ends.
fn pass(one: TcpStream, other: TcpStream) -> io::Result<()> {
    one.set_nodelay(true)?;
    other.set_nodelay(true)?;
    let back = (other.try_clone()?, one.try_clone()?);
    for (mut from, mut to) in [(one, other), back] {
        thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(std::net::Shutdown::Write);
            let _ = from.shutdown(std::net::Shutdown::Read);
        });
    }
    Ok(())
}
