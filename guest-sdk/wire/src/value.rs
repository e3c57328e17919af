//! Values and columns, as every front door and every module sees them.

use crate::pack::{DecodeError, Reader, Writer};

/// One cell.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// A signed integer, also booleans (0 and 1).
    Int(i64),
    /// An unsigned integer above `i64::MAX`, or one that must print without a sign.
    UInt(u64),
    /// A float. Made by queries on the host only: modules have no floats in logged or stored data.
    Double(f64),
    /// Text; also decimals, dates and JSON, whose column type tells them apart.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl Value {
    /// Packs a tag and the value.
    pub fn encode(&self, out: &mut Writer) {
        match self {
            Self::Null => out.byte(0),
            Self::Int(v) => {
                out.byte(1);
                out.signed(*v);
            }
            Self::UInt(v) => {
                out.byte(2);
                out.unsigned(*v);
            }
            Self::Double(v) => {
                out.byte(3);
                let bits = if v.is_nan() { f64::NAN.to_bits() } else { v.to_bits() };
                out.fixed64(bits);
            }
            Self::Text(v) => {
                out.byte(4);
                out.text(v);
            }
            Self::Bytes(v) => {
                out.byte(5);
                out.bytes(v);
            }
        }
    }

    /// Reads one value.
    ///
    /// # Errors
    /// When the bytes are cut short or the tag is unknown.
    pub fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match input.byte()? {
            0 => Self::Null,
            1 => Self::Int(input.signed()?),
            2 => Self::UInt(input.unsigned()?),
            3 => Self::Double(f64::from_bits(input.fixed64()?)),
            4 => Self::Text(input.text()?),
            5 => Self::Bytes(input.bytes()?.to_vec()),
            _ => return Err(DecodeError::Range),
        })
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Self::Int(value.into())
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::UInt(value)
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::UInt(value.into())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Int(i64::from(value))
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// What kind of values a column holds; chooses the type a MySQL client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// Signed 64-bit integers.
    Int,
    /// Unsigned 64-bit integers.
    UInt,
    /// Floats.
    Double,
    /// Exact numbers, as text.
    Decimal,
    /// Text.
    Text,
    /// Bytes.
    Bytes,
    /// `YYYY-MM-DD`, as text.
    Date,
    /// `YYYY-MM-DD HH:MM:SS[.ffffff]`, as text.
    DateTime,
    /// JSON, as text.
    Json,
}

impl ColumnType {
    const ALL: [Self; 9] = [
        Self::Int,
        Self::UInt,
        Self::Double,
        Self::Decimal,
        Self::Text,
        Self::Bytes,
        Self::Date,
        Self::DateTime,
        Self::Json,
    ];

    /// Packs the tag.
    pub fn encode(self, out: &mut Writer) {
        out.byte(self as u8);
    }

    /// Reads the tag.
    ///
    /// # Errors
    /// When it is unknown.
    pub fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::ALL.get(usize::from(input.byte()?)).copied().ok_or(DecodeError::Range)
    }
}

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// As the client sees it.
    pub name: String,
    /// What its values are.
    pub column_type: ColumnType,
}

impl Column {
    /// A column from its parts.
    pub fn new(name: impl Into<String>, column_type: ColumnType) -> Self {
        Self { name: name.into(), column_type }
    }

    /// A text column.
    pub fn text(name: impl Into<String>) -> Self {
        Self::new(name, ColumnType::Text)
    }

    /// Packs name and type.
    pub fn encode(&self, out: &mut Writer) {
        out.text(&self.name);
        self.column_type.encode(out);
    }

    /// Reads name and type.
    ///
    /// # Errors
    /// When the bytes are cut short or the type is unknown.
    pub fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { name: input.text()?, column_type: ColumnType::decode(input)? })
    }
}
