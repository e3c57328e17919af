//! How syntax trees and records become bytes, and back.
//!
//! Commands and records hold parts of the parser's syntax tree: types, literals, partitions. They
//! are packed field by field, not printed as SQL, for two reasons: the log and the state must stay
//! readable when the parser changes, and reading a record must not cost a parse.
//!
//! Two macros write both directions from one list, so they cannot drift apart, and a field added
//! to the syntax tree does not compile until it is listed here. Order and tags are part of the
//! stored format: append only. A record that gains a field gets a new version byte instead (see
//! [`Versioned`]).
//!
//! Types and partition expressions nest as deep as the parser lets them (64), which bounds the
//! recursion of `unpack` for all bytes that this module has written.

use quorate_guest::{DecodeError, Reader, Writer};

mod tree;

/// A value with one packed form.
pub trait Pack: Sized {
    /// Appends the value.
    fn pack(&self, out: &mut Writer);

    /// Takes a value off.
    ///
    /// # Errors
    /// When the bytes are cut short or hold an unknown tag.
    fn unpack(input: &mut Reader<'_>) -> Result<Self, DecodeError>;
}

/// A packed document that begins with the version of its layout.
pub trait Versioned: Pack {
    /// The layout that is written.
    const VERSION: u8;

    /// Version byte and value.
    fn pack_versioned(&self, out: &mut Writer) {
        out.byte(Self::VERSION);
        self.pack(out);
    }

    /// Reads what [`pack_versioned`](Self::pack_versioned) wrote.
    ///
    /// # Errors
    /// As [`Pack::unpack`], and when the version is unknown.
    fn unpack_versioned(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match input.byte()? {
            version if version == Self::VERSION => Self::unpack(input),
            other => Err(DecodeError::Version(other)),
        }
    }
}

/// Packs a struct: its fields in the order listed, all of them.
macro_rules! record {
    ($name:ident { $($field:ident),+ $(,)? }) => {
        impl $crate::pack::Pack for $name {
            fn pack(&self, out: &mut quorate_guest::Writer) {
                let Self { $($field),+ } = self;
                $($crate::pack::Pack::pack($field, out);)+
            }

            fn unpack(
                input: &mut quorate_guest::Reader<'_>,
            ) -> Result<Self, quorate_guest::DecodeError> {
                $(let $field = $crate::pack::Pack::unpack(input)?;)+
                Ok(Self { $($field),+ })
            }
        }
    };
}

/// Packs an enum: a tag byte, then the fields of the variant.
macro_rules! tagged {
    ($name:ident { $(
        $tag:literal => $variant:ident $(($($item:ident),+))? $({ $($field:ident),+ })?
    ),+ $(,)? }) => {
        impl $crate::pack::Pack for $name {
            fn pack(&self, out: &mut quorate_guest::Writer) {
                match self {
                    $(Self::$variant $(($($item),+))? $({ $($field),+ })? => {
                        out.byte($tag);
                        $($($crate::pack::Pack::pack($item, out);)+)?
                        $($($crate::pack::Pack::pack($field, out);)+)?
                    })+
                }
            }

            fn unpack(
                input: &mut quorate_guest::Reader<'_>,
            ) -> Result<Self, quorate_guest::DecodeError> {
                match input.byte()? {
                    $($tag => {
                        $($(let $item = $crate::pack::Pack::unpack(input)?;)+)?
                        $($(let $field = $crate::pack::Pack::unpack(input)?;)+)?
                        Ok(Self::$variant $(($($item),+))? $({ $($field),+ })?)
                    })+
                    _ => Err(quorate_guest::DecodeError::Range),
                }
            }
        }
    };
}

/// Makes a [`Versioned`] type fit for [`quorate_guest::Table`] and the log.
macro_rules! stored {
    ($name:ident, $version:literal) => {
        impl $crate::pack::Versioned for $name {
            const VERSION: u8 = $version;
        }

        impl quorate_guest::Codec for $name {
            fn encode(&self, out: &mut quorate_guest::Writer) {
                $crate::pack::Versioned::pack_versioned(self, out);
            }

            fn decode(
                input: &mut quorate_guest::Reader<'_>,
            ) -> Result<Self, quorate_guest::DecodeError> {
                $crate::pack::Versioned::unpack_versioned(input)
            }
        }
    };
}

pub(crate) use {record, stored, tagged};

impl Pack for bool {
    fn pack(&self, out: &mut Writer) {
        out.flag(*self);
    }

    fn unpack(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.flag()
    }
}

impl Pack for u8 {
    fn pack(&self, out: &mut Writer) {
        out.byte(*self);
    }

    fn unpack(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.byte()
    }
}

impl Pack for u32 {
    fn pack(&self, out: &mut Writer) {
        out.unsigned(u64::from(*self));
    }

    fn unpack(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.unsigned32()
    }
}

impl Pack for u64 {
    fn pack(&self, out: &mut Writer) {
        out.unsigned(*self);
    }

    fn unpack(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.unsigned()
    }
}

impl Pack for String {
    fn pack(&self, out: &mut Writer) {
        out.text(self);
    }

    fn unpack(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.text()
    }
}

impl<T: Pack> Pack for Box<T> {
    fn pack(&self, out: &mut Writer) {
        (**self).pack(out);
    }

    fn unpack(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        T::unpack(input).map(Box::new)
    }
}

impl<T: Pack> Pack for Option<T> {
    fn pack(&self, out: &mut Writer) {
        out.flag(self.is_some());
        if let Some(value) = self {
            value.pack(out);
        }
    }

    fn unpack(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if input.flag()? { T::unpack(input).map(Some) } else { Ok(None) }
    }
}

impl<T: Pack> Pack for Vec<T> {
    fn pack(&self, out: &mut Writer) {
        out.count(self.len());
        for item in self {
            item.pack(out);
        }
    }

    fn unpack(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        // Not reserved beforehand: an item may be much larger in memory than its one byte here.
        let mut items = Self::new();
        for _ in 0..input.count()? {
            items.push(T::unpack(input)?);
        }
        Ok(items)
    }
}
