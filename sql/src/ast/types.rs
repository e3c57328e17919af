//! Column types, and what `information_schema.columns` says about them.
//!
//! A type here is what StarRocks stores, not what the client wrote: `STRING` is `VARCHAR(65533)`,
//! display widths are gone. `Display` prints the form of `SHOW CREATE TABLE` and `DESC`.

/// The type of a column.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DataType {
    /// `BOOLEAN`.
    Boolean,
    /// `TINYINT`, 8 bits.
    TinyInt,
    /// `SMALLINT`, 16 bits.
    SmallInt,
    /// `INT`, 32 bits.
    Int,
    /// `BIGINT`, 64 bits.
    BigInt,
    /// `LARGEINT`, 128 bits.
    LargeInt,
    /// `FLOAT`.
    Float,
    /// `DOUBLE`.
    Double,
    /// `DECIMAL(precision, scale)`.
    Decimal {
        /// Digits in all, 1 to 38.
        precision: u8,
        /// Digits behind the point, at most the precision.
        scale: u8,
    },
    /// `DATE`.
    Date,
    /// `DATETIME`.
    Datetime,
    /// `CHAR(bytes)`, 1 to 255.
    Char(u32),
    /// `VARCHAR(bytes)`, 1 to 1 048 576.
    Varchar(u32),
    /// `VARBINARY`, with its length when written.
    Varbinary(Option<u32>),
    /// `JSON`.
    Json,
    /// `HLL`.
    Hll,
    /// `BITMAP`.
    Bitmap,
    /// `PERCENTILE`.
    Percentile,
    /// `ARRAY<item>`.
    Array(Box<DataType>),
    /// `MAP<key, value>`.
    Map(Box<DataType>, Box<DataType>),
    /// `STRUCT<name type, ..>`.
    Struct(Vec<StructField>),
}

/// A field of a `STRUCT`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StructField {
    /// Its name.
    pub name: String,
    /// Its type.
    pub data_type: DataType,
}

impl DataType {
    /// Longest `CHAR`, in bytes.
    pub const CHAR_BYTES_MAX: u32 = 255;
    /// Longest `VARCHAR` and `VARBINARY`, in bytes.
    pub const VARCHAR_BYTES_MAX: u32 = 1_048_576;
    /// What `STRING` and `TEXT` stand for.
    pub const STRING: DataType = DataType::Varchar(65_533);
    /// Most digits of a `DECIMAL`.
    pub const DECIMAL_PRECISION_MAX: u8 = 38;

    /// `DATA_TYPE` of `information_schema.columns`: the type without its arguments.
    pub fn data_type(&self) -> &'static str {
        match self {
            DataType::Boolean => "boolean",
            DataType::TinyInt => "tinyint",
            DataType::SmallInt => "smallint",
            DataType::Int => "int",
            DataType::BigInt => "bigint",
            DataType::LargeInt => "largeint",
            DataType::Float => "float",
            DataType::Double => "double",
            DataType::Decimal { .. } => "decimal",
            DataType::Date => "date",
            DataType::Datetime => "datetime",
            DataType::Char(_) => "char",
            DataType::Varchar(_) => "varchar",
            DataType::Varbinary(_) => "varbinary",
            DataType::Json => "json",
            DataType::Hll => "hll",
            DataType::Bitmap => "bitmap",
            DataType::Percentile => "percentile",
            DataType::Array(_) => "array",
            DataType::Map(..) => "map",
            DataType::Struct(_) => "struct",
        }
    }

    /// `NUMERIC_PRECISION`: decimal digits, for exact and approximate numbers.
    pub fn numeric_precision(&self) -> Option<u32> {
        match self {
            DataType::TinyInt => Some(3),
            DataType::SmallInt => Some(5),
            DataType::Int => Some(10),
            DataType::BigInt => Some(19),
            DataType::LargeInt => Some(39),
            DataType::Float => Some(7),
            DataType::Double => Some(15),
            DataType::Decimal { precision, .. } => Some(u32::from(*precision)),
            _ => None,
        }
    }

    /// `NUMERIC_SCALE`: digits behind the point, for exact numbers.
    pub fn numeric_scale(&self) -> Option<u32> {
        match self {
            DataType::TinyInt
            | DataType::SmallInt
            | DataType::Int
            | DataType::BigInt
            | DataType::LargeInt => Some(0),
            DataType::Decimal { scale, .. } => Some(u32::from(*scale)),
            _ => None,
        }
    }

    /// `CHARACTER_MAXIMUM_LENGTH`, in bytes as StarRocks counts them.
    pub fn character_length(&self) -> Option<u32> {
        match self {
            DataType::Char(length) | DataType::Varchar(length) => Some(*length),
            DataType::Varbinary(length) => *length,
            _ => None,
        }
    }

    /// `DATETIME_PRECISION`: digits of the fraction of a second.
    pub fn datetime_precision(&self) -> Option<u32> {
        matches!(self, DataType::Datetime).then_some(0)
    }

    /// Whether it may be part of a key: numbers, dates and strings may.
    pub fn may_be_key(&self) -> bool {
        matches!(
            self,
            DataType::Boolean
                | DataType::TinyInt
                | DataType::SmallInt
                | DataType::Int
                | DataType::BigInt
                | DataType::LargeInt
                | DataType::Decimal { .. }
                | DataType::Date
                | DataType::Datetime
                | DataType::Char(_)
                | DataType::Varchar(_)
        )
    }
}
