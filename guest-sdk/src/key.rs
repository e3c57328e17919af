//! Typed keys whose encodings sort as the keys do.
//!
//! Integers are big endian (signed ones with the sign bit flipped). Text and bytes may hold any
//! byte: 0x00 is written as 00 ff and the end as 00 00, which sorts below every continuation. So
//! a tuple is the encodings of its parts in a row, and the encoding of the first parts is a prefix
//! of the whole.

use quorate_wire::DecodeError;

/// A type that can be (part of) a key.
pub trait Key: Sized {
    /// Appends the encoding.
    fn encode_key(&self, out: &mut Vec<u8>);

    /// Takes one key off the front of the input.
    ///
    /// # Errors
    /// When the input is cut short or holds what [`encode_key`](Self::encode_key) never writes.
    fn decode_key(input: &mut &[u8]) -> Result<Self, DecodeError>;
}

fn take<const N: usize>(input: &mut &[u8]) -> Result<[u8; N], DecodeError> {
    let (head, rest) = input.split_first_chunk().ok_or(DecodeError::Short)?;
    *input = rest;
    Ok(*head)
}

macro_rules! unsigned {
    ($($type:ty),*) => {$(
        impl Key for $type {
            fn encode_key(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }

            fn decode_key(input: &mut &[u8]) -> Result<Self, DecodeError> {
                Ok(Self::from_be_bytes(take(input)?))
            }
        }
    )*};
}

unsigned!(u8, u32, u64);

impl Key for i64 {
    fn encode_key(&self, out: &mut Vec<u8>) {
        (self.cast_unsigned() ^ (1 << 63)).encode_key(out);
    }

    fn decode_key(input: &mut &[u8]) -> Result<Self, DecodeError> {
        Ok((u64::decode_key(input)? ^ (1 << 63)).cast_signed())
    }
}

impl Key for Vec<u8> {
    fn encode_key(&self, out: &mut Vec<u8>) {
        encode_bytes(self, out);
    }

    fn decode_key(input: &mut &[u8]) -> Result<Self, DecodeError> {
        let mut bytes = Self::new();
        loop {
            match take(input)? {
                [0] => match take(input)? {
                    [0] => return Ok(bytes),
                    [u8::MAX] => bytes.push(0),
                    _ => return Err(DecodeError::Range),
                },
                [byte] => bytes.push(byte),
            }
        }
    }
}

impl Key for String {
    fn encode_key(&self, out: &mut Vec<u8>) {
        encode_bytes(self.as_bytes(), out);
    }

    fn decode_key(input: &mut &[u8]) -> Result<Self, DecodeError> {
        Self::from_utf8(Vec::decode_key(input)?).map_err(|_| DecodeError::Utf8)
    }
}

fn encode_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(bytes.len() + 2);
    for byte in bytes {
        out.push(*byte);
        if *byte == 0 {
            out.push(u8::MAX);
        }
    }
    out.extend_from_slice(&[0, 0]);
}

macro_rules! tuple {
    ($($part:ident $index:tt),*) => {
        impl<$($part: Key),*> Key for ($($part,)*) {
            fn encode_key(&self, out: &mut Vec<u8>) {
                $(self.$index.encode_key(out);)*
            }

            fn decode_key(input: &mut &[u8]) -> Result<Self, DecodeError> {
                Ok(($($part::decode_key(input)?,)*))
            }
        }
    };
}

tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn encoded<K: Key>(key: &K) -> Vec<u8> {
        let mut out = Vec::new();
        key.encode_key(&mut out);
        out
    }

    fn decoded<K: Key>(mut bytes: &[u8]) -> Result<(K, usize), DecodeError> {
        K::decode_key(&mut bytes).map(|key| (key, bytes.len()))
    }

    /// Encodings order as values do, and come back whole.
    fn keeps_order<K: Key + Ord + std::fmt::Debug>(a: &K, b: &K) -> Result<(), TestCaseError> {
        prop_assert_eq!(encoded(a).cmp(&encoded(b)), a.cmp(b));
        let whole = encoded(a);
        let (key, rest) = decoded::<K>(&whole).unwrap();
        prop_assert_eq!((&key, rest), (a, 0));
        Ok(())
    }

    /// Short words of few letters: neighbours, prefixes of each other, and zeros at the ends.
    fn word() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop::sample::select(vec![0u8, 1, b'a', 0xfe, 0xff]), 0..4)
    }

    fn text() -> impl Strategy<Value = String> {
        "[\u{0}\u{1}aä\u{10ffff}]{0,3}"
    }

    proptest! {
        #[test]
        fn integers_sort_as_their_encodings(a: (u64, u32, u8), b: (u64, u32, u8), c: i64, d: i64) {
            keeps_order(&a, &b)?;
            keeps_order(&c, &d)?;
            keeps_order(&(c % 2), &(d % 2))?;
        }

        #[test]
        fn words_sort_as_their_encodings(a in word(), b in word(), c in text(), d in text()) {
            keeps_order(&a, &b)?;
            keeps_order(&c, &d)?;
        }

        #[test]
        fn tuples_sort_as_their_encodings(
            a in (word(), text(), -1..2i64, word()),
            b in (word(), text(), -1..2i64, word()),
        ) {
            keeps_order(&a, &b)?;
        }

        #[test]
        fn arbitrary_bytes_decode_to_what_encodes_to_them(
            bytes in prop::collection::vec(any::<u8>(), 0..24),
        ) {
            if let Ok((key, rest)) = decoded::<(u8, Vec<u8>)>(&bytes) {
                prop_assert_eq!(encoded(&key), &bytes[..bytes.len() - rest]);
            }
        }
    }

    #[test]
    fn the_encodings_never_change() {
        assert_eq!(encoded(&(1u8, 2u32)), [1, 0, 0, 0, 2]);
        assert_eq!(encoded(&-1i64), [0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(encoded(&(String::from("a\0"), 7u64)), *b"a\0\xff\0\0\0\0\0\0\0\0\0\x07");
    }

    #[test]
    fn the_first_parts_of_a_key_are_a_prefix_of_it() {
        let whole = encoded(&(String::from("db"), String::from("table"), 1u64));
        assert!(whole.starts_with(&encoded(&String::from("db"))));
        assert!(!whole.starts_with(&encoded(&String::from("d"))));
    }

    #[test]
    fn a_cut_or_unescaped_key_is_refused() {
        assert_eq!(decoded::<Vec<u8>>(b"a\0"), Err(DecodeError::Short));
        assert_eq!(decoded::<Vec<u8>>(b"a\0\x01"), Err(DecodeError::Range));
        assert_eq!(decoded::<String>(b"\xff\0\0"), Err(DecodeError::Utf8));
        assert_eq!(decoded::<u64>(&[0; 7]), Err(DecodeError::Short));
    }
}
