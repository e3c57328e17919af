//! The packed requests and responses, for a client and the module alike.
//!
//! A request is one tag byte and the operands; a response likewise. Byte strings have a varint
//! length in front, optional ones a byte 0 or 1 before that, numbers are varints
//! (`quorate_wire`). Everything borrows from the bytes it was read from.
//!
//! | tag | request | operands | response (same tag) |
//! |---|---|---|---|
//! | 0 | put | key, value | version |
//! | 1 | get | key | optional value, then its version |
//! | 2 | delete | key | whether it was there |
//! | 3 | range | low, high, limit | count, then key, value, version each; optional next low |
//! | 4 | compare-and-swap | key, optional old, optional new | whether it was swapped |

use quorate_wire::{DecodeError, Reader, Writer};

/// Longest key, in bytes. The ends of a range may be one byte longer.
pub const KEY_BYTES_MAX: usize = 1024;
/// Longest value, in bytes.
pub const VALUE_BYTES_MAX: usize = 1 << 19;
/// Most entries that one range answers with; it may answer with fewer and say where to go on.
pub const RANGE_MAX: u32 = 1024;

const PUT: u8 = 0;
const GET: u8 = 1;
const DELETE: u8 = 2;
const RANGE: u8 = 3;
const SWAP: u8 = 4;

/// What a client asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request<'a> {
    /// Sets a key.
    Put {
        /// The key.
        key: &'a [u8],
        /// Its new value.
        value: &'a [u8],
    },
    /// Reads a key.
    Get {
        /// The key.
        key: &'a [u8],
    },
    /// Removes a key.
    Delete {
        /// The key.
        key: &'a [u8],
    },
    /// Reads the keys in `low <= key < high`.
    Range {
        /// Lowest key.
        low: &'a [u8],
        /// The key after the last.
        high: &'a [u8],
        /// Most entries wanted; more than [`RANGE_MAX`] counts as that.
        limit: u32,
    },
    /// Sets a key when its value is the expected one.
    Swap {
        /// The key.
        key: &'a [u8],
        /// The expected value; `None` expects the key to be absent.
        old: Option<&'a [u8]>,
        /// The new value; `None` removes the key.
        new: Option<&'a [u8]>,
    },
}

/// A key with what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The key.
    pub key: &'a [u8],
    /// Its value.
    pub value: &'a [u8],
    /// Log sequence number of its last write.
    pub version: u64,
}

/// What the module answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response<'a> {
    /// The key was set.
    Put {
        /// Log sequence number of the write.
        version: u64,
    },
    /// What the key holds: value and version.
    Get(Option<(&'a [u8], u64)>),
    /// Whether the key was there.
    Delete(bool),
    /// Keys of the range, lowest first.
    Range {
        /// The entries.
        entries: Vec<Entry<'a>>,
        /// Where to go on when the answer does not hold all of the range.
        next: Option<&'a [u8]>,
    },
    /// Whether the value was the expected one.
    Swap(bool),
}

impl<'a> Request<'a> {
    /// The keys and the values in it; unused places are empty.
    pub fn operands(&self) -> ([&'a [u8]; 2], [&'a [u8]; 2]) {
        const NONE: &[u8] = &[];
        match *self {
            Self::Put { key, value } => ([key, NONE], [value, NONE]),
            Self::Get { key } | Self::Delete { key } => ([key, NONE], [NONE; 2]),
            Self::Range { low, high, .. } => ([low, high], [NONE; 2]),
            Self::Swap { key, old, new } => {
                ([key, NONE], [old.unwrap_or_default(), new.unwrap_or_default()])
            }
        }
    }

    /// The packed request.
    pub fn pack(&self) -> Vec<u8> {
        const ROOM: usize = 16; // tag, lengths and flags of the largest request
        match *self {
            Self::Put { key, value } => {
                let mut out = tagged(PUT, ROOM + key.len() + value.len());
                out.bytes(key);
                out.bytes(value);
                out
            }
            Self::Get { key } => {
                let mut out = tagged(GET, ROOM + key.len());
                out.bytes(key);
                out
            }
            Self::Delete { key } => {
                let mut out = tagged(DELETE, ROOM + key.len());
                out.bytes(key);
                out
            }
            Self::Range { low, high, limit } => {
                let mut out = tagged(RANGE, ROOM + low.len() + high.len());
                out.bytes(low);
                out.bytes(high);
                out.unsigned(u64::from(limit));
                out
            }
            Self::Swap { key, old, new } => {
                let values = old.map_or(0, <[u8]>::len) + new.map_or(0, <[u8]>::len);
                let mut out = tagged(SWAP, ROOM + key.len() + values);
                out.bytes(key);
                out.optional_bytes(old);
                out.optional_bytes(new);
                out
            }
        }
        .finish()
    }

    /// Reads a packed request.
    ///
    /// # Errors
    /// When the bytes are cut short, go on, or have an unknown tag.
    pub fn unpack(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes);
        let request = match input.byte()? {
            PUT => Self::Put { key: input.bytes()?, value: input.bytes()? },
            GET => Self::Get { key: input.bytes()? },
            DELETE => Self::Delete { key: input.bytes()? },
            RANGE => Self::Range {
                low: input.bytes()?,
                high: input.bytes()?,
                limit: input.unsigned32()?,
            },
            SWAP => Self::Swap {
                key: input.bytes()?,
                old: input.optional_bytes()?,
                new: input.optional_bytes()?,
            },
            _ => return Err(DecodeError::Range),
        };
        input.finish()?;
        Ok(request)
    }
}

impl<'a> Response<'a> {
    /// The packed response.
    pub fn pack(&self) -> Vec<u8> {
        const ROOM: usize = 24; // tag, flag, length and version
        match self {
            Self::Put { version } => {
                let mut out = tagged(PUT, ROOM);
                out.unsigned(*version);
                out
            }
            Self::Get(found) => {
                let mut out = tagged(GET, ROOM + found.map_or(0, |(value, _)| value.len()));
                out.optional_bytes(found.map(|(value, _)| value));
                if let Some((_, version)) = found {
                    out.unsigned(*version);
                }
                out
            }
            Self::Delete(found) => {
                let mut out = tagged(DELETE, ROOM);
                out.flag(*found);
                out
            }
            Self::Range { entries, next } => {
                let sizes = entries.iter().map(|entry| ROOM + entry.key.len() + entry.value.len());
                let mut out = tagged(RANGE, ROOM + sizes.sum::<usize>());
                out.count(entries.len());
                for entry in entries {
                    out.bytes(entry.key);
                    out.bytes(entry.value);
                    out.unsigned(entry.version);
                }
                out.optional_bytes(*next);
                out
            }
            Self::Swap(swapped) => {
                let mut out = tagged(SWAP, ROOM);
                out.flag(*swapped);
                out
            }
        }
        .finish()
    }

    /// Reads a packed response.
    ///
    /// # Errors
    /// When the bytes are cut short, go on, or have an unknown tag.
    pub fn unpack(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes);
        let response = match input.byte()? {
            PUT => Self::Put { version: input.unsigned()? },
            GET => Self::Get(match input.optional_bytes()? {
                Some(value) => Some((value, input.unsigned()?)),
                None => None,
            }),
            DELETE => Self::Delete(input.flag()?),
            RANGE => {
                let mut entries = Vec::new();
                for _ in 0..input.count()? {
                    let (key, value) = (input.bytes()?, input.bytes()?);
                    entries.push(Entry { key, value, version: input.unsigned()? });
                }
                Self::Range { entries, next: input.optional_bytes()? }
            }
            SWAP => Self::Swap(input.flag()?),
            _ => return Err(DecodeError::Range),
        };
        input.finish()?;
        Ok(response)
    }
}

fn tagged(tag: u8, capacity: usize) -> Writer {
    let mut out = Writer::with_capacity(capacity);
    out.byte(tag);
    out
}
