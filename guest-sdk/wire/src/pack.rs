//! The primitive layouts: varints, bytes, text, options.

/// Why packed bytes could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeError {
    /// The input ended in the middle of an item.
    Short,
    /// Bytes were left after the last item.
    Trailing,
    /// A number does not fit its type, or a tag is unknown.
    Range,
    /// Text is not UTF-8.
    Utf8,
    /// A version byte that this code does not know.
    Version(u8),
}

impl std::fmt::Display for DecodeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Short => f.write_str("packed bytes end in the middle of an item"),
            Self::Trailing => f.write_str("packed bytes go on after the last item"),
            Self::Range => f.write_str("a packed number or tag is out of range"),
            Self::Utf8 => f.write_str("packed text is not UTF-8"),
            Self::Version(v) => write!(f, "packed document has unknown version {v}"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// Appends items to a byte list.
#[derive(Debug, Default, Clone)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty list with room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity) }
    }

    /// The packed bytes.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    /// Bytes written so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// One byte: a tag or a version.
    pub fn byte(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// An unsigned LEB128 varint.
    pub fn unsigned(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push((value as u8 & 0x7f) | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    /// A zigzagged varint.
    pub fn signed(&mut self, value: i64) {
        self.unsigned(((value << 1) ^ (value >> 63)) as u64);
    }

    /// Eight bytes, little endian.
    pub fn fixed64(&mut self, value: u64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// The number of items that follow.
    pub fn count(&mut self, value: usize) {
        self.unsigned(value as u64);
    }

    /// A length and the bytes.
    pub fn bytes(&mut self, value: &[u8]) {
        self.count(value.len());
        self.bytes.extend_from_slice(value);
    }

    /// Bytes without a length, for fields of fixed size.
    pub fn raw(&mut self, value: &[u8]) {
        self.bytes.extend_from_slice(value);
    }

    /// A length and the UTF-8 bytes.
    pub fn text(&mut self, value: &str) {
        self.bytes(value.as_bytes());
    }

    /// 0 or 1.
    pub fn flag(&mut self, value: bool) {
        self.bytes.push(u8::from(value));
    }

    /// 0, or 1 and the bytes.
    pub fn optional_bytes(&mut self, value: Option<&[u8]>) {
        self.flag(value.is_some());
        if let Some(bytes) = value {
            self.bytes(bytes);
        }
    }
}

/// Takes items off a byte list.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Whether all was read.
    pub fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    /// The bytes not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Checks that all was read.
    ///
    /// # Errors
    /// [`DecodeError::Trailing`] when bytes are left.
    pub fn finish(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError::Trailing) }
    }

    /// One byte.
    ///
    /// # Errors
    /// When the input is at its end.
    pub fn byte(&mut self) -> Result<u8, DecodeError> {
        let (first, rest) = self.rest.split_first().ok_or(DecodeError::Short)?;
        self.rest = rest;
        Ok(*first)
    }

    /// An unsigned varint.
    ///
    /// # Errors
    /// When the input ends inside it or it exceeds 64 bits.
    pub fn unsigned(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(DecodeError::Range);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::Range)
    }

    /// An unsigned varint that fits 32 bits.
    ///
    /// # Errors
    /// As [`unsigned`](Self::unsigned), and when it does not fit.
    pub fn unsigned32(&mut self) -> Result<u32, DecodeError> {
        u32::try_from(self.unsigned()?).map_err(|_| DecodeError::Range)
    }

    /// A zigzagged varint.
    ///
    /// # Errors
    /// As [`unsigned`](Self::unsigned).
    pub fn signed(&mut self) -> Result<i64, DecodeError> {
        let raw = self.unsigned()?;
        Ok((raw >> 1) as i64 ^ -((raw & 1) as i64))
    }

    /// Eight bytes, little endian.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn fixed64(&mut self) -> Result<u64, DecodeError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// The number of items that follow, each of at least one byte: a count that the rest of the
    /// input cannot hold is refused, so a caller may allocate for it.
    ///
    /// # Errors
    /// As [`unsigned`](Self::unsigned), and when the count is impossible.
    pub fn count(&mut self) -> Result<usize, DecodeError> {
        let count = usize::try_from(self.unsigned()?).map_err(|_| DecodeError::Range)?;
        if count > self.rest.len() { Err(DecodeError::Short) } else { Ok(count) }
    }

    /// A length and the bytes.
    ///
    /// # Errors
    /// When the input ends inside them.
    pub fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.count()?;
        self.raw(length)
    }

    /// `length` bytes without a length in front.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn raw(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        if length > self.rest.len() {
            return Err(DecodeError::Short);
        }
        let (head, rest) = self.rest.split_at(length);
        self.rest = rest;
        Ok(head)
    }

    /// `N` bytes without a length in front.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let raw = self.raw(N)?;
        let mut array = [0; N];
        array.copy_from_slice(raw);
        Ok(array)
    }

    /// A length and UTF-8 bytes.
    ///
    /// # Errors
    /// When the input ends inside them or they are not UTF-8.
    pub fn text(&mut self) -> Result<String, DecodeError> {
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| DecodeError::Utf8)
    }

    /// 0 or 1.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn flag(&mut self) -> Result<bool, DecodeError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::Range),
        }
    }

    /// 0, or 1 and bytes.
    ///
    /// # Errors
    /// As [`flag`](Self::flag) and [`bytes`](Self::bytes).
    pub fn optional_bytes(&mut self) -> Result<Option<&'a [u8]>, DecodeError> {
        if self.flag()? { self.bytes().map(Some) } else { Ok(None) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_input_is_an_error_at_every_length() {
        let mut out = Writer::new();
        out.unsigned(u64::MAX);
        out.signed(i64::MIN);
        out.text("zwölf");
        out.optional_bytes(Some(b"x"));
        let packed = out.finish();
        let read = |bytes: &[u8]| -> Result<(), DecodeError> {
            let mut input = Reader::new(bytes);
            assert_eq!(input.unsigned()?, u64::MAX);
            assert_eq!(input.signed()?, i64::MIN);
            assert_eq!(input.text()?, "zwölf");
            assert_eq!(input.optional_bytes()?, Some(&b"x"[..]));
            input.finish()
        };
        for length in 0..packed.len() {
            assert!(read(&packed[..length]).is_err(), "{length} bytes were enough");
        }
        assert_eq!(read(&packed), Ok(()));
    }

    #[test]
    fn a_count_larger_than_the_input_is_refused_before_allocation() {
        let mut out = Writer::new();
        out.unsigned(u64::from(u32::MAX));
        let packed = out.finish();
        assert_eq!(Reader::new(&packed).count(), Err(DecodeError::Short));
    }

    #[test]
    fn a_varint_over_64_bits_is_refused() {
        assert_eq!(Reader::new(&[0xff; 10]).unsigned(), Err(DecodeError::Range));
    }
}
