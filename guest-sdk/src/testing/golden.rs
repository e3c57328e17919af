//! Bytes that must never change.

use std::fmt::Debug;

use crate::codec::Codec;

/// Checks that a value has exactly this encoding, that the encoding gives the value back, and that
/// it is refused when it is cut short or goes on. One such line for each logged or stored type
/// keeps a module able to read what it has written: when it fails, the layout has changed, and
/// that takes a new version of it, not new bytes in the test.
///
/// # Panics
/// When one of these does not hold.
#[track_caller]
pub fn assert_golden<T: Codec + PartialEq + Debug>(value: &T, bytes: &[u8]) {
    let encoded = value.to_bytes();
    assert!(encoded == bytes, "{value:?} is now encoded as {}", quoted(&encoded));
    match T::from_bytes(bytes) {
        Ok(decoded) => assert_eq!(&decoded, value, "the encoding gives another value back"),
        Err(error) => panic!("the encoding of {value:?} does not decode: {error}"),
    }
    for length in 0..bytes.len() {
        assert!(T::from_bytes(&bytes[..length]).is_err(), "{length} bytes of {value:?} decode too");
    }
    assert!(T::from_bytes(&[bytes, &[0]].concat()).is_err(), "{value:?} and a byte more decode");
}

/// As a byte string that can be pasted into a test.
fn quoted(bytes: &[u8]) -> String {
    format!("b\"{}\"", bytes.escape_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = r#"is now encoded as b"\x01n""#)]
    fn another_encoding_is_told_as_it_could_be_pasted() {
        assert_golden(&String::from("n"), b"\x02n");
    }

    #[test]
    fn an_encoding_that_holds_is_left_alone() {
        assert_golden(&(7u64, String::from("n")), b"\x07\x01n");
    }
}
