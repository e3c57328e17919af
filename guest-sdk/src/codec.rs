//! How commands and stored values become bytes.
//!
//! Layouts are those of `quorate_wire`: varints, lengths before bytes, counts before items. They
//! are frozen, because they are logged and stored: change a type by giving it a new tag, or by a
//! new schema version and a migration.

use std::collections::BTreeMap;

use quorate_wire::{DecodeError, Reader, Writer};

/// A type that is logged or stored. Every encoding is at least one byte long, or a list of such
/// items would not decode.
pub trait Codec: Sized {
    /// Appends the encoding.
    fn encode(&self, out: &mut Writer);

    /// Takes one value off the input.
    ///
    /// # Errors
    /// When the input is cut short or holds what [`encode`](Self::encode) never writes.
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError>;

    /// The encoding as a byte list of its own.
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer::new();
        self.encode(&mut out);
        out.finish()
    }

    /// Reads a byte list that holds one value and nothing else.
    ///
    /// # Errors
    /// As [`decode`](Self::decode), and when bytes are left.
    fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes);
        let value = Self::decode(&mut input)?;
        input.finish()?;
        Ok(value)
    }
}

macro_rules! primitive {
    ($($type:ty: ($out:ident, $value:ident) => $write:expr, $read:ident;)*) => {$(
        impl Codec for $type {
            fn encode(&self, $out: &mut Writer) {
                let $value = self;
                $write;
            }

            fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok(input.$read()?.into())
            }
        }
    )*};
}

primitive! {
    u64: (out, value) => out.unsigned(*value), unsigned;
    u32: (out, value) => out.unsigned(u64::from(*value)), unsigned32;
    i64: (out, value) => out.signed(*value), signed;
    bool: (out, value) => out.flag(*value), flag;
    String: (out, value) => out.text(value), text;
    Vec<u8>: (out, value) => out.bytes(value), bytes;
}

impl<T: Codec> Codec for Option<T> {
    fn encode(&self, out: &mut Writer) {
        out.flag(self.is_some());
        if let Some(value) = self {
            value.encode(out);
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if input.flag()? { T::decode(input).map(Some) } else { Ok(None) }
    }
}

impl<T: Codec> Codec for Vec<T> {
    fn encode(&self, out: &mut Writer) {
        out.count(self.len());
        for item in self {
            item.encode(out);
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        (0..input.count()?).map(|_| T::decode(input)).collect()
    }
}

impl<K: Codec + Ord, V: Codec> Codec for BTreeMap<K, V> {
    fn encode(&self, out: &mut Writer) {
        out.count(self.len());
        for (key, value) in self {
            key.encode(out);
            value.encode(out);
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        (0..input.count()?).map(|_| <(K, V)>::decode(input)).collect()
    }
}

impl<A: Codec, B: Codec> Codec for (A, B) {
    fn encode(&self, out: &mut Writer) {
        self.0.encode(out);
        self.1.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok((A::decode(input)?, B::decode(input)?))
    }
}

/// Implements [`Codec`] for a struct with named fields, or for an enum whose variants are given
/// fixed tags. Fields are packed in the order written here; a missing field or variant does not
/// compile. Tags, once used, are never given to another variant.
///
/// ```
/// # use quorate_guest::{Codec, codec};
/// struct Account { owner: String, cents: i64 }
/// codec!(struct Account { owner, cents });
///
/// enum Command { Open { account: Account }, Close(String), Audit }
/// codec!(enum Command { 0 = Open { account }, 1 = Close(owner), 2 = Audit });
///
/// assert_eq!(Command::Close("ann".into()).to_bytes(), b"\x01\x03ann");
/// ```
#[macro_export]
macro_rules! codec {
    (struct $name:ident { $($field:ident),* $(,)? }) => {
        impl $crate::Codec for $name {
            fn encode(&self, out: &mut $crate::Writer) {
                let Self { $($field),* } = self;
                $($crate::Codec::encode($field, out);)*
            }

            fn decode(input: &mut $crate::Reader<'_>) -> Result<Self, $crate::DecodeError> {
                Ok(Self { $($field: $crate::Codec::decode(input)?),* })
            }
        }
    };
    (enum $name:ident { $(
        $tag:literal = $variant:ident $({ $($field:ident),* $(,)? })? $(( $($item:ident),* ))?
    ),* $(,)? }) => {
        impl $crate::Codec for $name {
            fn encode(&self, out: &mut $crate::Writer) {
                match self {$(
                    Self::$variant $({ $($field),* })? $(( $($item),* ))? => {
                        out.byte($tag);
                        $($($crate::Codec::encode($field, out);)*)?
                        $($($crate::Codec::encode($item, out);)*)?
                    }
                )*}
            }

            fn decode(input: &mut $crate::Reader<'_>) -> Result<Self, $crate::DecodeError> {
                Ok(match input.byte()? {
                    $($tag => Self::$variant
                        $({ $($field: $crate::Codec::decode(input)?),* })?
                        $(( $({ let $item = $crate::Codec::decode(input)?; $item }),* ))?,)*
                    _ => return Err($crate::DecodeError::Range),
                })
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_golden;

    #[derive(Debug, Clone, PartialEq)]
    struct Account {
        owner: String,
        cents: i64,
        tags: Vec<String>,
    }
    codec!(struct Account { owner, cents, tags });

    #[derive(Debug, Clone, PartialEq)]
    enum Command {
        Open { account: Account, note: Option<String> },
        Move(u32, u64),
        Audit,
    }
    codec!(enum Command { 0 = Open { account, note }, 1 = Move(from, to), 7 = Audit });

    fn open() -> Command {
        let account = Account { owner: "ann".into(), cents: -3, tags: vec!["x".into()] };
        Command::Open { account, note: Some("n".into()) }
    }

    #[test]
    fn the_encodings_never_change() {
        assert_golden(&300u64, &[0xac, 2]);
        assert_golden(&u32::MAX, &[0xff, 0xff, 0xff, 0xff, 0x0f]);
        assert_golden(&-2i64, &[3]);
        assert_golden(&true, &[1]);
        assert_golden(&String::from("ab"), b"\x02ab");
        assert_golden(&vec![0u8, 9], &[2, 0, 9]);
        assert_golden(&Some(5u64), &[1, 5]);
        assert_golden(&None::<u64>, &[0]);
        assert_golden(&vec![1u64, 2], &[2, 1, 2]);
        assert_golden(&(1u64, String::from("a")), &[1, 1, b'a']);
        assert_golden(&BTreeMap::from([(2u64, true), (1, false)]), &[2, 1, 0, 2, 1]);
        assert_golden(&open(), b"\x00\x03ann\x05\x01\x01x\x01\x01n");
        assert_golden(&Command::Move(1, 2), &[1, 1, 2]);
        assert_golden(&Command::Audit, &[7]);
    }

    #[test]
    fn a_tag_that_was_never_given_is_refused() {
        assert_eq!(Command::from_bytes(&[2]), Err(DecodeError::Range));
    }

    #[test]
    fn a_list_longer_than_its_input_is_refused_before_allocation() {
        let bytes = u64::from(u32::MAX).to_bytes();
        assert_eq!(Vec::<u64>::from_bytes(&bytes), Err(DecodeError::Short));
    }
}
