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
