//! The simulated network between frontends: calls and streams of messages, delayed, lost, doubled,
//! reordered, cut.
//!
//! It stands where TCP stands ([`Dial`]): the callers' clients and the called service are the real
//! ones. A single call is one message each way, and either may be lost, late, or (the request)
//! delivered twice. A stream is what TCP makes of it: in order, whole, or broken. What meets a cut
//! link waits; when the link heals, it arrives late or never.

mod body;
mod dial;
mod feeds;
mod stream;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use parking_lot::Mutex;
use quorate::raft::Dial;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::{Service, StdError, http};
use tonic::service::Routes;

use super::context::Context;
use super::oracle::Oracle;
use body::{Incoming, Piece, collect, next_piece};
use feeds::{Feed, Known};
use stream::{Closer, Stream};

/// Calls that are streams of messages.
const STREAMS: [&str; 4] = ["Append", "Forward", "InstallSnapshot", "Feed"];
/// A connection over a cut link is given up after so many milliseconds.
const GIVEN_UP_MS: std::ops::RangeInclusive<u64> = 200..=2500;
/// A peer whose machine is gone is noticed after so many.
const SILENT_MS: u64 = 2000;

/// How messages fare, in millionths.
#[derive(Debug, Clone)]
pub struct Weather {
    /// A message of a call is lost, or a stream breaks at a message.
    pub loss: u64,
    /// A request of a call is delivered a second time.
    pub double: u64,
    /// A message is much later than usual.
    pub late: u64,
    /// Usual delay in milliseconds.
    pub delay_ms: std::ops::RangeInclusive<u64>,
}

impl Weather {
    /// A quiet network.
    pub fn calm() -> Self {
        Self { loss: 0, double: 0, late: 0, delay_ms: 1..=1 }
    }
}

/// The network.
pub struct Network {
    context: Arc<Context>,
    oracle: OnceLock<Arc<Mutex<Oracle>>>,
    state: Mutex<State>,
}

struct State {
    weather: Weather,
    /// Where hosts are that have moved, and how often they have.
    moved: BTreeMap<usize, u64>,
    hosts: BTreeMap<usize, Host>,
    cut: BTreeSet<(usize, usize)>,
    due: BTreeMap<(u64, u64), Message>,
    held: Vec<Message>,
    streams: Vec<Arc<Stream>>,
    /// How often one host began to send another one a snapshot.
    snapshots: BTreeMap<(usize, usize), u64>,
    sent: u64,
}

struct Host {
    handle: Handle,
    service: Routes,
}

/// Something under way.
struct Message {
    from: usize,
    to: usize,
    stream: Option<Arc<Stream>>,
    arrive: Arrival,
}

/// What happens when a message arrives.
type Arrival = Box<dyn FnOnce(&Arc<Network>) + Send>;

/// Who waits for the answer to a call; whichever message comes first answers it.
type Reply = Arc<Mutex<Option<oneshot::Sender<Result<http::Response<Body>, StdError>>>>>;

fn unavailable(why: &str) -> StdError {
    Status::unavailable(why).into()
}

impl Network {
    /// A network in which nobody listens yet.
    pub fn new(context: Arc<Context>) -> Arc<Self> {
        let state = State {
            weather: Weather::calm(),
            moved: BTreeMap::new(),
            hosts: BTreeMap::new(),
            cut: BTreeSet::new(),
            due: BTreeMap::new(),
            held: Vec::new(),
            streams: Vec::new(),
            snapshots: BTreeMap::new(),
            sent: 0,
        };
        Arc::new(Self { context, oracle: OnceLock::new(), state: Mutex::new(state) })
    }

    /// Who knows what is committed.
    pub fn set_oracle(&self, oracle: Arc<Mutex<Oracle>>) {
        let _ = self.oracle.set(oracle);
    }

    /// The address of a host, as frontends are registered with.
    pub fn address(&self, host: usize) -> String {
        dial::address(host, self.state.lock().moved.get(&host).copied().unwrap_or_default())
    }

    /// The address that a host begins with.
    pub fn home(host: usize) -> String {
        dial::address(host, 0)
    }

    /// Whether a host is elsewhere than it began.
    pub fn has_moved(&self, host: usize) -> bool {
        self.state.lock().moved.contains_key(&host)
    }

    /// A host gets another address, which nobody had before. Nobody answers at the old one.
    pub fn move_away(&self, host: usize) -> String {
        *self.state.lock().moved.entry(host).or_default() += 1;
        self.address(host)
    }

    /// How `host` calls others.
    pub fn dialer(self: &Arc<Self>, host: usize) -> Arc<dyn Dial> {
        dial::dialer(Arc::clone(self), host)
    }

    /// From now on `host` answers.
    pub fn listen(&self, host: usize, handle: Handle, service: Routes) {
        self.state.lock().hosts.insert(host, Host { handle, service });
    }

    /// From now on `host` does not answer. Its streams break: at once when its process ended, after
    /// a while when its machine did.
    pub fn leave(self: &Arc<Self>, host: usize, at_once: bool) {
        let streams = {
            let mut state = self.state.lock();
            state.hosts.remove(&host);
            state.streams.retain(|stream| !stream.broken.load(Ordering::Relaxed));
            state.streams.clone()
        };
        for stream in streams {
            if stream.ends.0 == host || stream.ends.1 == host {
                self.break_later(&stream, if at_once { 1 } else { SILENT_MS }, "the peer is gone");
            }
        }
    }

    /// Changes how messages fare.
    pub fn set_weather(&self, weather: Weather) {
        self.state.lock().weather = weather;
    }

    /// Cuts a link in one direction.
    pub fn cut(self: &Arc<Self>, from: usize, to: usize) {
        let streams = {
            let mut state = self.state.lock();
            state.cut.insert((from, to));
            state.streams.retain(|stream| !stream.broken.load(Ordering::Relaxed));
            state.streams.clone()
        };
        for stream in streams {
            if stream.ends == (from, to) || stream.ends == (to, from) {
                self.give_up(&stream, from, to);
            }
        }
    }

    /// After a while without a sign of life, both ends find out by themselves.
    fn give_up(self: &Arc<Self>, stream: &Arc<Stream>, from: usize, to: usize) {
        let (network, stream) = (Arc::clone(self), Arc::clone(stream));
        self.at(self.context.dice.within(&GIVEN_UP_MS), move || {
            if network.is_cut(from, to) || network.is_cut(to, from) {
                stream.reset("no sign of life");
            }
        });
    }

    /// Heals all links; what waited at them arrives late or never.
    pub fn heal(self: &Arc<Self>) {
        let held = {
            let mut state = self.state.lock();
            state.cut.clear();
            std::mem::take(&mut state.held)
        };
        for message in held {
            if message.stream.is_some() || self.context.dice.chance(500_000) {
                let Message { from, to, stream, arrive } = message;
                self.send(from, to, stream, true, arrive);
            }
        }
    }

    /// Whether a link is cut.
    pub fn is_cut(&self, from: usize, to: usize) -> bool {
        self.state.lock().cut.contains(&(from, to))
    }

    /// Delivers what is due.
    pub fn deliver(self: &Arc<Self>, now_ms: u64) {
        loop {
            let message = {
                let mut state = self.state.lock();
                let Some(first) = state.due.first_entry() else { return };
                if first.key().0 > now_ms {
                    return;
                }
                let message = first.remove();
                if state.cut.contains(&(message.from, message.to)) {
                    state.held.push(message);
                    continue;
                }
                message
            };
            if message.stream.as_ref().is_some_and(|s| s.broken.load(Ordering::Relaxed)) {
                continue;
            }
            (message.arrive)(self);
        }
    }

    fn at(&self, after_ms: u64, act: impl FnOnce() + Send + 'static) {
        let mut state = self.state.lock();
        state.sent += 1;
        let key = (self.context.now_ms() + after_ms, state.sent);
        let arrive = Box::new(move |_: &Arc<Self>| act());
        // From a host to itself: no link, so never cut.
        state.due.insert(key, Message { from: 0, to: 0, stream: None, arrive });
    }

    fn break_later(&self, stream: &Arc<Stream>, after_ms: u64, why: &'static str) {
        let stream = Arc::clone(stream);
        self.at(after_ms, move || stream.reset(why));
    }

    /// Puts a message under way. `up` is the direction of a stream.
    fn send(&self, from: usize, to: usize, stream: Option<Arc<Stream>>, up: bool, arrive: Arrival) {
        let dice = &self.context.dice;
        let mut state = self.state.lock();
        let mut delay = dice.within(&state.weather.delay_ms);
        if dice.chance(state.weather.late) {
            self.context.count("messages late");
            delay += dice.within(&(5..=400));
        }
        let lost = dice.chance(state.weather.loss);
        let mut at = self.context.now_ms() + delay;
        match &stream {
            Some(stream) => {
                if lost {
                    self.context.count("streams broken");
                    drop(state);
                    self.break_later(stream, delay, "the connection broke");
                    return;
                }
                let last = if up { &stream.last_up } else { &stream.last_down };
                at = at.max(last.load(Ordering::Relaxed));
                last.store(at, Ordering::Relaxed);
            }
            None if lost => {
                self.context.count("messages lost");
                return;
            }
            None => {}
        }
        state.sent += 1;
        let key = (at, state.sent);
        state.due.insert(key, Message { from, to, stream, arrive });
    }

    async fn call(
        self: Arc<Self>,
        from: usize,
        to: usize,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>, StdError> {
        let is_stream =
            request.uri().path().rsplit('/').next().is_some_and(|name| STREAMS.contains(&name));
        if is_stream {
            self.open(from, to, request).await
        } else {
            self.ask(from, to, request).await
        }
    }

    /// One request, one response.
    async fn ask(
        self: Arc<Self>,
        from: usize,
        to: usize,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>, StdError> {
        let (parts, body) = request.into_parts();
        let pieces = collect(body).await?;
        let (reply, answer) = oneshot::channel();
        let reply = Arc::new(Mutex::new(Some(reply)));
        let doubled = self.context.dice.chance(self.state.lock().weather.double);
        for copy in 0..=u8::from(doubled) {
            if copy > 0 {
                self.context.count("messages doubled");
            }
            let (parts, pieces, reply) = (parts.clone(), pieces.clone(), Arc::clone(&reply));
            let arrive = move |network: &Arc<Self>| {
                network.serve(from, to, http::Request::from_parts(parts, pieces), reply);
            };
            self.send(from, to, None, true, Box::new(arrive));
        }
        drop(reply);
        match answer.await {
            Ok(answer) => answer,
            // Lost, somewhere: nothing ever comes.
            Err(_lost) => std::future::pending().await,
        }
    }

    fn serve(
        self: &Arc<Self>,
        from: usize,
        to: usize,
        request: http::Request<Vec<Piece>>,
        reply: Reply,
    ) {
        let state = self.state.lock();
        let Some(host) = state.hosts.get(&to) else {
            drop(state);
            let refuse = move |_: &Arc<Self>| {
                if let Some(reply) = reply.lock().take() {
                    let _ = reply.send(Err(unavailable("connection refused")));
                }
            };
            self.send(to, from, None, false, Box::new(refuse));
            return;
        };
        let (mut service, network) = (host.service.clone(), Arc::clone(self));
        host.handle.spawn(async move {
            let (parts, pieces) = request.into_parts();
            let request = http::Request::from_parts(parts, Body::new(Incoming::whole(pieces)));
            let Ok(response) = Service::call(&mut service, request).await;
            let (parts, body) = response.into_parts();
            let Ok(pieces) = collect(body).await else { return };
            let arrive = move |_: &Arc<Self>| {
                if let Some(reply) = reply.lock().take() {
                    let body = Body::new(Incoming::whole(pieces));
                    let _ = reply.send(Ok(http::Response::from_parts(parts, body)));
                }
            };
            network.send(to, from, None, false, Box::new(arrive));
        });
    }

    /// A stream each way.
    async fn open(
        self: Arc<Self>,
        from: usize,
        to: usize,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>, StdError> {
        let (parts, body) = request.into_parts();
        let is = |name: &str| parts.uri.path().ends_with(&format!("/{name}"));
        if is("InstallSnapshot") {
            *self.state.lock().snapshots.entry((from, to)).or_default() += 1;
        }
        let (up, arriving) = mpsc::unbounded_channel();
        let (down, coming) = mpsc::unbounded_channel();
        let feed = is("Feed").then(Feed::default);
        let stream = Arc::new(Stream::new((from, to), feed, up, down));
        self.state.lock().streams.push(Arc::clone(&stream));
        let (head, opened) = oneshot::channel();
        let opening = {
            let stream = Arc::clone(&stream);
            move |network: &Arc<Self>| network.accept(&stream, parts, arriving, head)
        };
        self.send(from, to, Some(Arc::clone(&stream)), true, Box::new(opening));
        if self.is_cut(from, to) || self.is_cut(to, from) {
            self.give_up(&stream, from, to);
        }

        let pump = tokio::spawn(Arc::clone(&self).pump(Arc::clone(&stream), body, true));
        // Whoever drops the call or the response closes the stream.
        let closer = Closer { network: self, stream, pump: pump.abort_handle() };
        match opened.await {
            Ok(Ok(parts)) => {
                let body = Body::new(Incoming::streamed(coming, Box::new(closer)));
                Ok(http::Response::from_parts(parts, body))
            }
            Ok(Err(why)) => Err(why),
            // The message that opens it is lost, or whoever was to answer is.
            Err(_gone) => Err(unavailable("connection reset")),
        }
    }

    fn accept(
        self: &Arc<Self>,
        stream: &Arc<Stream>,
        parts: http::request::Parts,
        arriving: mpsc::UnboundedReceiver<Result<Piece, Status>>,
        head: oneshot::Sender<Result<http::response::Parts, StdError>>,
    ) {
        let (from, to) = stream.ends;
        let state = self.state.lock();
        let Some(host) = state.hosts.get(&to) else {
            drop(state);
            self.break_later(stream, 1, "connection refused");
            return;
        };
        let (mut service, network) = (host.service.clone(), Arc::clone(self));
        let stream = Arc::clone(stream);
        host.handle.spawn(async move {
            let body = Body::new(Incoming::streamed(arriving, Box::new(())));
            let request = http::Request::from_parts(parts, body);
            let Ok(response) = Service::call(&mut service, request).await;
            let (parts, body) = response.into_parts();
            let arrive = move |_: &Arc<Self>| {
                let _ = head.send(Ok(parts));
            };
            network.send(to, from, Some(Arc::clone(&stream)), false, Box::new(arrive));
            network.pump(stream, body, false).await;
        });
    }

    /// Looks at what goes over a feed.
    fn overhear(&self, feed: &Feed, (to, from): (usize, usize), up: bool, data: &Bytes) {
        let snapshots = self.state.lock().snapshots.get(&(from, to)).copied().unwrap_or_default();
        let is_committed =
            |id| self.oracle.get().is_some_and(|oracle| oracle.lock().is_committed(id));
        let count = |what| self.context.count(what);
        let known = Known { snapshots, is_committed: &is_committed, count: &count };
        if let Err(what) = feed.overhear(up, data, &known) {
            self.context.violate(format!("the feed from host {from} to host {to}: {what}"));
        }
    }

    /// Sends the pieces of a body down a stream.
    async fn pump(self: Arc<Self>, stream: Arc<Stream>, mut body: Body, up: bool) {
        let (from, to) = if up { stream.ends } else { (stream.ends.1, stream.ends.0) };
        loop {
            let piece = next_piece(&mut body).await;
            if stream.broken.load(Ordering::Relaxed) {
                return;
            }
            if let (Some(feed), Some(Ok(Piece::Data(data)))) = (&stream.feed, &piece) {
                self.overhear(feed, stream.ends, up, data);
            }
            let ended = piece.is_none();
            let at = Arc::clone(&stream);
            let arrive = move |_: &Arc<Self>| {
                let mut end = if up { at.up.lock() } else { at.down.lock() };
                match piece {
                    Some(piece) => {
                        if let Some(end) = &*end {
                            let _ = end.send(piece);
                        }
                    }
                    None => drop(end.take()),
                }
            };
            self.send(from, to, Some(Arc::clone(&stream)), up, Box::new(arrive));
            if ended {
                return;
            }
        }
    }
}
