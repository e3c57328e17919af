//! Events with typed bodies.

use std::marker::PhantomData;

use crate::codec::Codec;
use crate::store::WriteStore;

/// A kind of event: what subscribers of the cluster's changes select by, and the type of its body.
///
/// ```
/// # use quorate_guest::{Topic, testing::MemoryStore};
/// const OPENED: Topic<u64> = Topic::new("opened"); // the body: cents to begin with
///
/// let mut store = MemoryStore::default();
/// OPENED.emit(&mut store, "account 7", &1250);
/// ```
///
/// An event is dropped with the writes when its command fails. At most 1024 events and 1 MiB per
/// command; more trap.
pub struct Topic<V> {
    name: &'static str,
    body: PhantomData<fn() -> V>,
}

impl<V: Codec> Topic<V> {
    /// The topic of a name.
    pub const fn new(name: &'static str) -> Self {
        Self { name, body: PhantomData }
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Notifies subscribers. `key` says what the event is about; text is what people can read.
    pub fn emit(&self, store: &mut dyn WriteStore, key: impl AsRef<[u8]>, body: &V) {
        store.emit(self.name, key.as_ref(), &body.to_bytes());
    }

    /// The events of this topic among all, as key and body: for tests.
    ///
    /// # Panics
    /// When a body does not decode.
    #[cfg(not(target_family = "wasm"))]
    pub fn of<'e>(
        &self,
        events: &'e [crate::testing::Event],
    ) -> impl Iterator<Item = (&'e [u8], V)> + use<'e, V> {
        let name = self.name;
        events.iter().filter(move |event| event.topic == name).map(
            move |event| match V::from_bytes(&event.body) {
                Ok(body) => (&event.key[..], body),
                Err(error) => panic!("the body of an event '{name}' does not decode: {error}"),
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Event;

    const NAMED: Topic<u64> = Topic::new("named");

    #[test]
    fn a_topic_finds_its_events_and_reads_their_bodies() {
        let event = |topic: &str, body: &[u8]| Event {
            topic: topic.into(),
            key: b"k".to_vec(),
            body: body.to_vec(),
        };
        let events = [event("other", &[9]), event("named", &[7])];
        assert_eq!(NAMED.of(&events).collect::<Vec<_>>(), [(&b"k"[..], 7)]);
    }

    #[test]
    #[should_panic(expected = "the body of an event 'named' does not decode")]
    fn a_body_that_does_not_decode_panics() {
        let event = Event { topic: "named".into(), key: vec![], body: vec![0x80] };
        NAMED.of(&[event]).count();
    }
}
