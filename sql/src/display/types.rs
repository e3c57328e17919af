//! Column types in the form of `SHOW CREATE TABLE` and `DESC`.

use std::fmt::{self, Display, Formatter};

use crate::ast::{DataType, StructField};
use crate::display::joined;
use crate::quote::plain_or_quoted;

impl Display for DataType {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            DataType::TinyInt => f.write_str("tinyint(4)"),
            DataType::SmallInt => f.write_str("smallint(6)"),
            DataType::Int => f.write_str("int(11)"),
            DataType::BigInt => f.write_str("bigint(20)"),
            DataType::LargeInt => f.write_str("largeint(40)"),
            DataType::Decimal { precision, scale } => write!(f, "decimal({precision}, {scale})"),
            DataType::Char(length) => write!(f, "char({length})"),
            DataType::Varchar(length) => write!(f, "varchar({length})"),
            DataType::Varbinary(Some(length)) => write!(f, "varbinary({length})"),
            DataType::Array(item) => write!(f, "array<{item}>"),
            DataType::Map(key, value) => write!(f, "map<{key},{value}>"),
            DataType::Struct(fields) => write!(f, "struct<{}>", joined(fields)),
            plain => f.write_str(plain.data_type()),
        }
    }
}

impl Display for StructField {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", plain_or_quoted(&self.name), self.data_type)
    }
}
