//! Framing: a payload in parts of at most 16 MiB, each behind its length and a sequence number.
//!
//! Pure functions over buffers; nothing here waits.

use bytes::{Buf, BytesMut};

/// Length and sequence number in front of each part.
pub(super) const HEADER_BYTES: usize = 4;

/// Longest part. One of this length is followed by another, which may be empty.
pub(super) const PART_BYTES_MAX: usize = 0xff_ffff;

/// What a peer did that ends the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Violation {
    /// A payload is longer than agreed on.
    #[error("got a packet bigger than {0} bytes")]
    TooLarge(usize),
    /// A part has another sequence number than its place.
    #[error("got packet {found} instead of {expected}")]
    OutOfOrder {
        /// The number it should have.
        expected: u8,
        /// The number it has.
        found: u8,
    },
}

/// Puts payloads together. Holds no more than one payload.
///
/// Of one that is too large nothing is kept, but it is taken off the input to its end: only then
/// does the peer read what is wrong.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    parts: BytesMut,
    oversized: Option<Discarded>,
}

/// How much of a part is still to be discarded, and whether it is the last of its payload.
#[derive(Debug)]
struct Discarded {
    left: usize,
    last: bool,
}

impl Decoder {
    /// Takes the next payload off `input` once it is complete. `sequence` is the number that the
    /// next part must have, and moves on.
    pub fn decode(
        &mut self,
        input: &mut BytesMut,
        sequence: &mut u8,
        bytes_max: usize,
    ) -> Result<Option<BytesMut>, Violation> {
        // Every round takes a part off the input.
        loop {
            if let Some(discarded) = &mut self.oversized {
                let dropped = discarded.left.min(input.len());
                input.advance(dropped);
                discarded.left -= dropped;
                if discarded.left > 0 {
                    return Ok(None);
                }
                if discarded.last {
                    self.oversized = None;
                    return Err(Violation::TooLarge(bytes_max));
                }
            }
            let Some(&[a, b, c, found]) = input.first_chunk() else {
                return Ok(None);
            };
            let length = u32::from_le_bytes([a, b, c, 0]) as usize;
            if found != *sequence {
                return Err(Violation::OutOfOrder { expected: *sequence, found });
            }
            let last = length < PART_BYTES_MAX;
            if self.oversized.is_some() || self.parts.len() + length > bytes_max {
                self.parts = BytesMut::new();
                self.oversized = Some(Discarded { left: length, last });
            } else if input.len() < HEADER_BYTES + length {
                return Ok(None);
            }
            input.advance(HEADER_BYTES);
            *sequence = sequence.wrapping_add(1);
            if self.oversized.is_some() {
                continue;
            }
            let part = input.split_to(length);
            match self.parts.is_empty() {
                true => self.parts = part,
                false => self.parts.extend_from_slice(&part),
            }
            if last {
                return Ok(Some(std::mem::take(&mut self.parts)));
            }
        }
    }
}

/// Appends a payload in as many parts as it needs.
pub(super) fn encode(out: &mut Vec<u8>, sequence: &mut u8, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER_BYTES]);
    write(out);
    let length = out.len() - start - HEADER_BYTES;
    if length < PART_BYTES_MAX {
        out[start..start + HEADER_BYTES].copy_from_slice(&header(length, sequence));
        return;
    }
    let payload = out.split_off(start + HEADER_BYTES);
    out.truncate(start);
    for part in payload.chunks(PART_BYTES_MAX) {
        out.extend_from_slice(&header(part.len(), sequence));
        out.extend_from_slice(part);
    }
    if length.is_multiple_of(PART_BYTES_MAX) {
        out.extend_from_slice(&header(0, sequence));
    }
}

/// The header of a part of that length, which is [`PART_BYTES_MAX`] at most.
fn header(length: usize, sequence: &mut u8) -> [u8; HEADER_BYTES] {
    let [a, b, c, ..] = length.to_le_bytes();
    let number = *sequence;
    *sequence = sequence.wrapping_add(1);
    [a, b, c, number]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    const BYTES_MAX: usize = 40 << 20;

    fn decode_all(bytes: &[u8], bytes_max: usize) -> Result<Vec<BytesMut>, Violation> {
        let mut input = BytesMut::from(bytes);
        let (mut decoder, mut sequence) = (Decoder::default(), 0);
        let mut payloads = Vec::new();
        while let Some(payload) = decoder.decode(&mut input, &mut sequence, bytes_max)? {
            payloads.push(payload);
        }
        Ok(payloads)
    }

    #[test]
    fn too_large_a_payload_is_refused_at_its_end_and_never_kept() {
        let mut payload = vec![0; PART_BYTES_MAX];
        payload.extend_from_slice(&[0; 11]);
        let (mut out, mut sequence) = (Vec::new(), 0);
        encode(&mut out, &mut sequence, |out| out.extend_from_slice(&payload));
        let (mut input, mut decoder, mut expected) = (BytesMut::new(), Decoder::default(), 0);
        let pieces: Vec<&[u8]> = out.chunks(100_000).collect();
        for (index, piece) in pieces.iter().enumerate() {
            input.extend_from_slice(piece);
            let decoded = decoder.decode(&mut input, &mut expected, 10);
            match index + 1 < pieces.len() {
                true => assert_eq!(decoded, Ok(None)),
                false => assert_eq!(decoded, Err(Violation::TooLarge(10))),
            }
            assert!(input.len() < HEADER_BYTES && decoder.parts.is_empty());
        }
        assert_eq!(expected, sequence);
    }

    #[test]
    fn a_part_out_of_order_is_refused() {
        let bytes = [1, 0, 0, 0, b'a', 1, 0, 0, 5, b'b'];
        assert_eq!(decode_all(&bytes, 10), Err(Violation::OutOfOrder { expected: 1, found: 5 }));
    }

    #[test]
    fn a_payload_of_the_longest_part_is_followed_by_an_empty_one() {
        for extra in [0, 1] {
            let payload = vec![7; PART_BYTES_MAX + extra];
            let (mut out, mut sequence) = (Vec::new(), 0);
            encode(&mut out, &mut sequence, |out| out.extend_from_slice(&payload));
            assert_eq!(sequence, 2);
            assert_eq!(out.len(), payload.len() + 2 * HEADER_BYTES);
            assert_eq!(decode_all(&out, BYTES_MAX).unwrap(), [&payload[..]]);
        }
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _decoded = decode_all(&bytes, 100);
        }

        #[test]
        fn payloads_arrive_whole_whatever_the_pieces(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 1..10),
            piece in 1_usize..20,
        ) {
            let (mut out, mut sequence) = (Vec::new(), 0);
            for payload in &payloads {
                encode(&mut out, &mut sequence, |out| out.extend_from_slice(payload));
            }
            let (mut input, mut decoder, mut sequence) = (BytesMut::new(), Decoder::default(), 0);
            let mut found = Vec::new();
            for bytes in out.chunks(piece) {
                input.extend_from_slice(bytes);
                while let Some(payload) =
                    decoder.decode(&mut input, &mut sequence, 100).unwrap()
                {
                    found.push(payload.to_vec());
                }
            }
            prop_assert_eq!(found, payloads);
        }
    }
}
