//! What is said on a feed, which must be the committed log: without a gap, nothing twice, and
//! nothing that is not committed.

use bytes::{Buf, Bytes, BytesMut};
use parking_lot::Mutex;
use prost::Message;
use quorate::proto::peer::feed_part::Part;
use quorate::proto::peer::feed_request::Request;
use quorate::proto::peer::{FeedBatch, FeedPart, FeedRequest};
use quorate::types::{LogId, decode_entry};

/// Before a message of gRPC: a flag, and how many bytes it has.
const PREFIX_BYTES: usize = 5;
/// Hops of an upstream that is an observer itself, at least.
const CHAINED_HOPS: u32 = 2;

/// A feed, overheard.
#[derive(Default)]
pub(super) struct Feed(Mutex<Overheard>);

#[derive(Default)]
struct Overheard {
    up: BytesMut,
    down: BytesMut,
    /// The last entry that the subscriber has, or was sent.
    position: Option<u64>,
    /// Snapshots that the sender had begun to send to the subscriber when that was so.
    snapshots: u64,
    chained: bool,
}

/// What is known beside the feed.
pub(super) struct Known<'a> {
    /// Snapshots that the sender has begun to send to the subscriber.
    pub snapshots: u64,
    /// Whether an entry is committed.
    pub is_committed: &'a dyn Fn(LogId) -> bool,
    /// Counts something.
    pub count: &'a dyn Fn(&'static str),
}

impl Feed {
    /// Something is sent: `up` by the subscriber.
    pub fn overhear(&self, up: bool, data: &Bytes, known: &Known<'_>) -> Result<(), String> {
        let mut feed = self.0.lock();
        let buffer = if up { &mut feed.up } else { &mut feed.down };
        buffer.extend_from_slice(data);
        while let Some(message) = message(if up { &mut feed.up } else { &mut feed.down }) {
            if up {
                feed.asked(message, known)?;
            } else {
                feed.said(message, known)?;
            }
        }
        Ok(())
    }
}

impl Overheard {
    fn asked(&mut self, message: Bytes, known: &Known<'_>) -> Result<(), String> {
        let asked = FeedRequest::decode(message).map_err(|error| error.to_string())?;
        if let Some(Request::Hello(hello)) = asked.request {
            (known.count)("feeds asked for");
            self.position = hello.committed.map(|last| last.index);
            self.snapshots = known.snapshots;
        }
        Ok(())
    }

    fn said(&mut self, message: Bytes, known: &Known<'_>) -> Result<(), String> {
        let part = FeedPart::decode(message).map_err(|error| error.to_string())?;
        match part.part {
            Some(Part::Pulse(pulse)) if pulse.hops >= CHAINED_HOPS && !self.chained => {
                self.chained = true;
                (known.count)("feeds from another observer");
                Ok(())
            }
            Some(Part::Batch(batch)) => self.batch(&batch, known),
            Some(Part::Pulse(_)) | None => Ok(()),
        }
    }

    fn batch(&mut self, batch: &FeedBatch, known: &Known<'_>) -> Result<(), String> {
        let previous = batch.previous.as_ref().map(|last| last.index);
        if previous != self.position {
            let behind_snapshot = previous > self.position && known.snapshots > self.snapshots;
            if !behind_snapshot {
                let position = self.position;
                return Err(format!("entries after {previous:?} come after {position:?}"));
            }
            (known.count)("feeds that went on behind a snapshot");
        }
        self.snapshots = known.snapshots;
        let first = previous.map_or(0, |last| last + 1);
        for (next, entry) in (first..).zip(&batch.entries) {
            let entry = decode_entry(entry).map_err(|error| error.to_string())?;
            if entry.log_id.index != next {
                return Err(format!("entry {} comes where {next} is due", entry.log_id));
            }
            if !(known.is_committed)(entry.log_id) {
                return Err(format!("entry {} is not committed", entry.log_id));
            }
            self.position = Some(next);
        }
        Ok(())
    }
}

/// The next whole message.
fn message(buffer: &mut BytesMut) -> Option<Bytes> {
    let length = buffer.get(1..PREFIX_BYTES)?.try_into().ok().map(u32::from_be_bytes)?;
    let length = usize::try_from(length).ok()?;
    if buffer.len() < PREFIX_BYTES + length {
        return None;
    }
    buffer.advance(PREFIX_BYTES);
    Some(buffer.split_to(length).freeze())
}
