//! Stored values whose layout changes from one version of a module to the next.

/// Implements [`Codec`](crate::Codec) for a struct whose encoding begins with the version of its
/// layout. What older versions stored is still read, by way of their own types; what is written
/// has the newest layout. A value so moves when it is next written, without a migration; a
/// migration that reads and writes every value leaves none behind.
///
/// ```
/// # use quorate_guest::{Codec, codec, versioned};
/// struct AccountV1 { owner: String, cents: i64 }
/// codec!(struct AccountV1 { owner, cents });
///
/// struct Account { owner: String, cents: i64, note: Option<String> }
/// versioned!(struct Account { 2 = { owner, cents, note }, was 1 = AccountV1 });
///
/// impl From<AccountV1> for Account {
///     fn from(AccountV1 { owner, cents }: AccountV1) -> Self {
///         Self { owner, cents, note: None }
///     }
/// }
///
/// let old = b"\x01\x03ann\x05";
/// let account = Account::from_bytes(old).unwrap();
/// assert_eq!(account.note, None);
/// assert_eq!(account.to_bytes(), b"\x02\x03ann\x05\x00");
/// ```
///
/// A type that may change later is `versioned!` from the start, with one layout. A version, once
/// stored, keeps its number and its type.
#[macro_export]
macro_rules! versioned {
    (struct $name:ident {
        $new:literal = { $($field:ident),* $(,)? }
        $(, was $old:literal = $type:ty)* $(,)?
    }) => {
        impl $crate::Codec for $name {
            fn encode(&self, out: &mut $crate::Writer) {
                let Self { $($field),* } = self;
                out.byte($new);
                $($crate::Codec::encode($field, out);)*
            }

            fn decode(input: &mut $crate::Reader<'_>) -> Result<Self, $crate::DecodeError> {
                match input.byte()? {
                    $new => Ok(Self { $($field: $crate::Codec::decode(input)?),* }),
                    $($old => <$type as $crate::Codec>::decode(input).map(Self::from),)*
                    unknown => Err($crate::DecodeError::Version(unknown)),
                }
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use crate::testing::assert_golden;
    use crate::{Codec, DecodeError, codec};

    #[derive(Debug, PartialEq)]
    struct First {
        size: u64,
    }
    codec!(struct First { size });

    #[derive(Debug, PartialEq)]
    struct Second {
        name: String,
    }
    codec!(struct Second { name });

    #[derive(Debug, PartialEq)]
    struct Third {
        name: String,
        size: u64,
    }
    versioned!(struct Third { 3 = { name, size }, was 2 = Second, was 1 = First });

    impl From<First> for Third {
        fn from(First { size }: First) -> Self {
            Self { name: "unnamed".into(), size }
        }
    }

    impl From<Second> for Third {
        fn from(Second { name }: Second) -> Self {
            Self { name, size: 0 }
        }
    }

    #[test]
    fn a_version_that_was_never_stored_is_refused() {
        assert_eq!(Third::from_bytes(&[4, 0]), Err(DecodeError::Version(4)));
        assert_eq!(Third::from_bytes(&[]), Err(DecodeError::Short));
        assert_eq!(Third::from_bytes(&[1, 7, 7]), Err(DecodeError::Trailing));
    }

    #[test]
    fn every_version_is_read_and_the_newest_is_written() {
        let third = |name: &str, size| Third { name: name.into(), size };
        assert_eq!(Third::from_bytes(&[1, 7]), Ok(third("unnamed", 7)));
        assert_eq!(Third::from_bytes(b"\x02\x01n"), Ok(third("n", 0)));
        assert_golden(&third("n", 9), b"\x03\x01n\x09");
    }
}
